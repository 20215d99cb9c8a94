-- Revert clickstream_dw:erasure from pg
BEGIN;

SET LOCAL client_min_messages = warning;
SET LOCAL ROLE dwh_owner;

DROP FUNCTION etl.note_cleaned(bigint[], bigint[]);
DROP FUNCTION etl.list_uncleaned();
DROP FUNCTION etl.replay_erasures(jsonb[]);
DROP FUNCTION etl.erase(text, text, boolean);
DROP FUNCTION etl.erase_events(uuid[], text[], bigint[]);
DROP FUNCTION etl.remove_visitors(integer[], text[], uuid[]);
DROP FUNCTION etl.remove_events(uuid[], bigint[]);
DROP FUNCTION etl.note_copies(uuid[], bigint[]);
DROP FUNCTION etl.is_named_in(text, bytea);
DROP FUNCTION etl.erasure_key_id();
DROP TABLE etl.erasures;
DROP FUNCTION etl.relabel(uuid[]);
DROP FUNCTION etl.stage_labels(timestamptz, timestamptz, smallint[], smallint[], smallint[], smallint[], integer[]);
DROP FUNCTION etl.forget_visitors(integer[]);

COMMIT;
