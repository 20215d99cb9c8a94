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

-- These three have no settings of their own, so that the planner can put them into the query.
CREATE FUNCTION etl.trim_value(value text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN btrim(
    value,
    E' \t\n\x0b\f\r\x1c\x1d\x1e\x1f\u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005'
    || E'\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000'
);
COMMENT ON FUNCTION etl.trim_value(text)
IS 'A value without the white space of Unicode at its ends.';

CREATE FUNCTION etl.value_key(value text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN coalesce(nullif(lower(CASE
    -- ASCII is NFC already: normalize() costs several times the rest.
    WHEN octet_length(value) = length(value) THEN btrim(value, E' \t\n\x0b\f\r\x1c\x1d\x1e\x1f')
    ELSE normalize(etl.trim_value(value), NFC)
END), ''), 'not set');
COMMENT ON FUNCTION etl.value_key(text)
IS 'Key that categories, brands, login states and event names are grouped by: NFC, trimmed, lower case; empty is "not set".';

CREATE FUNCTION etl.login_state(value text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN etl.value_key(value) IN ('logged_in', 'guest', 'anonymous', 'not set') THEN etl.value_key(value)
    ELSE 'other'
END;
COMMENT ON FUNCTION etl.login_state(text)
IS 'Login state of an event as metrics count it: logged_in, guest, anonymous, other or not set.';

COMMIT;
