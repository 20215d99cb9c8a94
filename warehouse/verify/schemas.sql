-- Verify clickstream_dw:schemas on pg
BEGIN;
SELECT 1 / (etl.value_key(E'\t Ba\u0300n ') = U&'b\00E0n')::int;
SELECT 1 / (etl.login_state('VIP') = 'other')::int;
SELECT 1 / has_schema_privilege('etl_loader', 'etl', 'USAGE')::int;
SELECT 1 / has_schema_privilege('dashboard_reader', 'dashboard', 'USAGE')::int;
ROLLBACK;
