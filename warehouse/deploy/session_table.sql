-- Deploy clickstream_dw:session_table to pg
BEGIN;

SET LOCAL client_min_messages = warning;
SET LOCAL ROLE dwh_owner;

DROP FUNCTION etl.recount_sessions(text[], text[]);
DROP FUNCTION etl.earliest(timestamptz[], timestamptz);
DROP TABLE etl.sessions;

COMMIT;
