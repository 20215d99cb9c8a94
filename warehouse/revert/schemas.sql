-- Revert clickstream_dw:schemas from pg
BEGIN;
DROP FUNCTION etl.login_state(text);
DROP FUNCTION etl.value_key(text);
DROP FUNCTION etl.trim_value(text);
DROP SCHEMA dashboard;
DROP SCHEMA etl;
ALTER DEFAULT PRIVILEGES FOR ROLE dwh_owner GRANT EXECUTE ON FUNCTIONS TO PUBLIC;
COMMIT;
