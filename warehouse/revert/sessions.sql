-- Revert clickstream_dw:sessions from pg
BEGIN;
DROP FUNCTION etl.recount_sessions(text[], text[]);
DROP FUNCTION etl.earliest(timestamptz[], timestamptz);
DROP TABLE etl.sessions;
DROP TABLE etl.visitors;
COMMIT;
