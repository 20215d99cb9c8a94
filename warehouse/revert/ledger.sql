-- Revert clickstream_dw:ledger from pg
BEGIN;
DROP FUNCTION etl.settle_versions(text[]);
DROP FUNCTION etl.ensure_ledger(date[]);
DROP TABLE etl.pending_objects, etl.object_versions, etl.object_counts;
DROP FUNCTION etl.count_pending();
DROP FUNCTION etl.count_versions();
DROP FUNCTION etl.day_of_key(text);
COMMENT ON COLUMN etl.event_ids.object_id IS 'Object that brought it (etl.objects).';
COMMENT ON COLUMN etl.duplicates.object_id IS 'Object that holds the copy.';
COMMENT ON COLUMN etl.quarantine.object_id IS 'Object that holds it (etl.objects).';
COMMIT;
