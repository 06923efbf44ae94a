--- the writer reaches no table: no reading, no writing, no truncating, no making of one
CREATE FUNCTION pg_temp.as_writer(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
        SET LOCAL ROLE "lifeos-writer";
        EXECUTE statement;
        RESET ROLE;
        RETURN 'done';
EXCEPTION WHEN insufficient_privilege THEN
        RETURN 'refused';
END $$;
SELECT t.eq(pg_temp.as_writer(format(s, c.oid::regclass)), 'refused', format(s, c.oid::regclass))
FROM pg_class c CROSS JOIN unnest('{SELECT * FROM %s,DELETE FROM %s,INSERT INTO %s DEFAULT VALUES,TRUNCATE %s}'::text[]) s
WHERE c.relnamespace = 'lifeos'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm');
SELECT t.eq(pg_temp.as_writer(s), 'refused', s) FROM unnest(ARRAY['UPDATE lifeos.event SET type = ''x''', 'UPDATE lifeos.audit SET actor_id = ''x''',
        'UPDATE lifeos.stream SET head = 0', 'CREATE TABLE api.x (i integer)', 'CREATE SCHEMA x', 'CREATE TABLE lifeos.x (i integer)',
        'SELECT lib.now()', 'SELECT lib.refuse(''OK'')', 'DROP FUNCTION api.health(boolean)', 'ALTER TABLE lifeos.event DISABLE TRIGGER ALL']) s;
SELECT t.eq(pg_temp.as_writer('SELECT api.health(NULL)'), 'done');
SELECT t.eq(pg_temp.as_writer('SELECT api.session_create(''acc'',''u'',''owner'',''c'',''s'',NULL,NULL,NULL,NULL,NULL,NULL,NULL,''\x01'')'), 'done');

--- the catalogue says the same: nothing granted to the writer or to everybody but EXECUTE in api
SELECT t.eq((SELECT string_agg(c.oid::regclass::text, ' ') FROM pg_class c WHERE c.relnamespace = 'lifeos'::regnamespace
             AND (has_table_privilege('lifeos-writer', c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')) AND c.relkind IN ('r', 'p', 'v', 'm')), NULL);
SELECT t.eq((SELECT string_agg(p.oid::regprocedure::text, ' ') FROM pg_proc p WHERE p.pronamespace IN ('lib'::regnamespace, 'lifeos'::regnamespace)
             AND has_function_privilege('lifeos-writer', p.oid, 'EXECUTE')), NULL);
SELECT t.eq((SELECT string_agg(p.oid::regprocedure::text, ' ') FROM pg_proc p WHERE p.pronamespace = 'api'::regnamespace
             AND NOT has_function_privilege('lifeos-writer', p.oid, 'EXECUTE')), NULL);
SELECT t.eq((SELECT string_agg(p.oid::regprocedure::text, ' ') FROM pg_proc p, aclexplode(p.proacl) a
             WHERE p.pronamespace IN ('api'::regnamespace, 'lib'::regnamespace, 'lifeos'::regnamespace) AND a.grantee = 0), NULL, 'granted to PUBLIC');
SELECT t.eq((SELECT string_agg(n.nspname, ' ') FROM pg_namespace n WHERE n.nspname IN ('lifeos', 'lib') AND has_schema_privilege('lifeos-writer', n.oid, 'USAGE, CREATE')), NULL);
SELECT t.ok(NOT has_schema_privilege('lifeos-writer', 'api', 'CREATE'));

--- every function pins its path and planner, but the small ones of lib that are folded into their caller
SELECT t.eq((SELECT string_agg(p.oid::regprocedure::text, ' ') FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
             WHERE p.pronamespace IN ('api'::regnamespace, 'lib'::regnamespace, 'lifeos'::regnamespace)
             AND NOT coalesce('search_path=pg_catalog, pg_temp' = ANY (p.proconfig), false) AND NOT (l.lanname = 'sql' AND p.pronamespace = 'lib'::regnamespace)), NULL);
SELECT t.eq((SELECT string_agg(p.oid::regprocedure::text, ' ') FROM pg_proc p WHERE p.pronamespace = 'api'::regnamespace AND NOT p.prosecdef), NULL);

--- no function builds SQL from text, swallows errors, or changes what is append-only; SQLSTATEs are those of the statuses
SELECT t.eq((SELECT string_agg(p.oid::regprocedure::text || ' ' || r, ', ') FROM pg_proc p, unnest(ARRAY['\mEXECUTE\M', '\mEXCEPTION\s+WHEN\M',
             'UPDATE\s+lifeos\.(event|audit)\M(?!\s+e\s+SET\s+payload = NULL, salt = NULL\s+FROM\M)', 'DELETE\s+FROM\s+lifeos\.(event|audit)\M', 'TRUNCATE', '\mdblink', 'pg_read_file', 'COPY\M']) r
             WHERE p.pronamespace IN ('api'::regnamespace, 'lib'::regnamespace) AND p.prosrc ~* r), NULL);
SELECT t.eq((SELECT string_agg(p.oid::regprocedure::text || ' ' || m[1], ', ') FROM pg_proc p, regexp_matches(p.prosrc, 'ERRCODE = ''([^'']*)''', 'g') m
             WHERE p.pronamespace IN ('api'::regnamespace, 'lib'::regnamespace) AND m[1] NOT IN ('serialization_failure') AND m[1] !~ '^LO4\d\d$'), NULL);

--- no constraint waits for COMMIT
SELECT t.eq((SELECT string_agg(c.conname, ' ') FROM pg_constraint c WHERE c.connamespace = 'lifeos'::regnamespace AND c.condeferrable), NULL);

--- keys begin with the account and compare by bytes
SELECT t.eq((SELECT string_agg(a.attrelid::regclass || '.' || a.attname, ' ') FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
             JOIN pg_index i ON i.indrelid = c.oid AND i.indisunique AND a.attnum = ANY (i.indkey) JOIN pg_collation l ON l.oid = a.attcollation
             WHERE c.relnamespace = 'lifeos'::regnamespace AND l.collname <> 'C' AND c.relname <> 'schema_migration'), NULL);
SELECT t.eq((SELECT string_agg(c.relname, ' ' ORDER BY c.relname) FROM pg_class c JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
             JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
             WHERE c.relnamespace = 'lifeos'::regnamespace AND a.attname <> 'account_id'), 'api_key billing_key node provider_parked provider_receipt provider_room schema_migration',
            'names given out by LiveKit or by us across accounts');
