-- Verify clickstream_dw:bookkeeping on pg
BEGIN;
SELECT run_id, data.result FROM etl.runs AS data WHERE false;
SELECT object_id, object_key, status FROM etl.newest_objects WHERE false;
SELECT 1 / count(*) FROM etl.settings;
SELECT event_id, erased_at FROM etl.erased_events WHERE false;
SELECT hour_at, listed_at FROM etl.listed_hours WHERE false;
SELECT event_id, object_id, position, is_conflict FROM etl.duplicates WHERE false;
SELECT quarantine_id, reason_code, sample FROM etl.quarantine WHERE false;
SELECT object_no, event_id, event_name FROM etl.staged_events WHERE false;
SELECT 1 / has_table_privilege('etl_loader', 'etl.staged_events', 'INSERT')::int;
ROLLBACK;
