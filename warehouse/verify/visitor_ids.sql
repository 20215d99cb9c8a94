-- Verify clickstream_dw:visitor_ids on pg
BEGIN;
SELECT 1 / count(*) FROM pg_constraint
WHERE conrelid = 'etl.visitors'::regclass AND conname = 'visitors_client_id_excl' AND contype = 'x';
ROLLBACK;
