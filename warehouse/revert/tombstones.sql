-- Revert clickstream_dw:tombstones from pg
BEGIN;
DROP FUNCTION etl.set_aside_erased();
DROP TABLE etl.erased_copies, etl.tombstones;
DROP FUNCTION etl.keyed_hash(text, text);
DROP FUNCTION etl.hash_under(bytea, bytea, text, text);
DROP TABLE etl.erasure_keys;
COMMIT;
