-- Verify clickstream_dw:ledger on pg
BEGIN;
SELECT object_id, key_day, object_key, etag, status FROM etl.object_versions WHERE false;
SELECT object_key, key_hour, listed_at FROM etl.pending_objects WHERE false;
SELECT key_hour, status, objects FROM etl.object_counts WHERE false;
SELECT 1 / (count(*) = 5)::int FROM pg_trigger
WHERE tgrelid IN ('etl.object_versions'::regclass, 'etl.pending_objects'::regclass) AND NOT tgisinternal;
ROLLBACK;
