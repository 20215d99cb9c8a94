-- Verify clickstream_dw:disks on pg
BEGIN;
SELECT path, used_bytes, free_bytes, measured_at FROM etl.disks WHERE false;
SELECT 1 / has_function_privilege('etl_loader', 'etl.disk_usage()', 'execute')::int;
SELECT 1 / (NOT has_function_privilege('etl_loader', 'etl.note_disk(text, bigint, bigint)', 'execute'))::int;
ROLLBACK;
