-- The roles and the database, made by the postgres superuser. Repeating it changes nothing.
SELECT format('CREATE ROLE %I LOGIN', name)
FROM (VALUES ('lifeos-migrate'), ('lifeos-writer')) AS wanted (name)
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name)
\gexec

SELECT 'CREATE DATABASE lifeos OWNER "lifeos-migrate" TEMPLATE template0 ENCODING ''UTF8'''
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'lifeos')
\gexec

ALTER ROLE "lifeos-migrate" NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;
ALTER ROLE "lifeos-writer" NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;

-- The writer may enter and call what migrate grants it; it creates nothing, not even a temporary table.
REVOKE ALL ON DATABASE lifeos FROM PUBLIC;
GRANT CONNECT ON DATABASE lifeos TO "lifeos-writer";

\connect lifeos
REVOKE ALL ON SCHEMA public FROM PUBLIC;
