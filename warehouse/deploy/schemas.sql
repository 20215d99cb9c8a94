-- Deploy clickstream_dw:schemas to pg
BEGIN;

SET LOCAL client_min_messages = warning;
SET LOCAL ROLE dwh_owner;

CREATE SCHEMA etl;
COMMENT ON SCHEMA etl IS 'What the loader calls and keeps: runs, ledger, staging, sessions.';
CREATE SCHEMA dashboard;
COMMENT ON SCHEMA dashboard IS 'The only interface of the dashboard: functions of range, zone and filter.';

ALTER DEFAULT PRIVILEGES FOR ROLE dwh_owner REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;

GRANT USAGE ON SCHEMA public, etl TO etl_loader;
GRANT USAGE ON SCHEMA dashboard TO dashboard_reader;

CREATE FUNCTION etl.value_key(value text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN coalesce(nullif(lower(btrim(normalize(value, NFC))), ''), 'not set');
COMMENT ON FUNCTION etl.value_key(text)
IS 'Key that categories, brands, login states and event names are grouped by: NFC, trimmed, lower case; empty is "not set".';

COMMIT;
