-- Verify clickstream_dw:object_counts on pg
BEGIN;
SELECT key_hour, status, objects FROM etl.object_counts WHERE false;
SELECT 1 / (count(*) = 3)::int FROM pg_trigger WHERE tgrelid = 'etl.objects'::regclass AND NOT tgisinternal;
ROLLBACK;
