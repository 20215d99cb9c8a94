-- Revert clickstream_dw:bookkeeping from pg
BEGIN;
DROP VIEW etl.newest_objects;
DROP TABLE
etl.staged_stored, etl.staged_rejects, etl.staged_events, etl.staged_objects,
etl.quarantine, etl.erased_events, etl.duplicates, etl.listed_hours, etl.objects, etl.runs;
DROP FUNCTION etl.retention_edge(timestamptz);
DROP TABLE etl.settings;
COMMIT;
