-- Verify clickstream_dw:loading on pg
BEGIN;
SELECT 1 / has_function_privilege('etl_loader', 'etl.apply_chunk(bigint, boolean)', 'execute')::int;
SELECT 1 / has_function_privilege('etl_loader', 'etl.begin_chunk()', 'execute')::int;
SELECT etl.window_start(now());
ROLLBACK;
