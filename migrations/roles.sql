-- roles.sql - who may do what: the writer may call the functions of schema api, and nobody may do anything else.
--
-- The roles exist already (packaging makes them); this runs after every change of migrations/api.

REVOKE ALL ON SCHEMA lifeos, lib, api FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA lifeos FROM PUBLIC;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA lifeos FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA lifeos, lib, api FROM PUBLIC;
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;

REVOKE ALL ON SCHEMA lifeos, lib, api FROM "lifeos-writer";
REVOKE ALL ON ALL TABLES IN SCHEMA lifeos FROM "lifeos-writer";
REVOKE ALL ON ALL SEQUENCES IN SCHEMA lifeos FROM "lifeos-writer";
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA lifeos, lib FROM "lifeos-writer";
GRANT USAGE ON SCHEMA api TO "lifeos-writer";
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA api TO "lifeos-writer";
