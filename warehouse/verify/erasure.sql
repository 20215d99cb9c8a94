-- Verify clickstream_dw:erasure on pg
BEGIN;
SELECT receipt_id, erased_at, receipt, stored_at FROM etl.erasures WHERE false;
SELECT 1 / (has_function_privilege('dwh_owner', 'etl.erase(text, text, boolean)', 'execute'))::int;
SELECT 1 / (has_function_privilege('dwh_owner', 'etl.replay_erasures(jsonb[])', 'execute'))::int;
SELECT 1 / (NOT has_function_privilege('etl_loader', 'etl.erase(text, text, boolean)', 'execute'))::int;
SELECT 1 / (has_function_privilege('dwh_owner', 'etl.list_uncleaned()', 'execute'))::int;
ROLLBACK;
