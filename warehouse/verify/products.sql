-- Verify clickstream_dw:products on pg
BEGIN;
SELECT 1 / has_function_privilege('dashboard_reader', 'dashboard.product_list(timestamptz, timestamptz, text, jsonb, text, text, boolean, integer, integer)', 'execute')::int;
SELECT 1 / has_function_privilege('dashboard_reader', 'dashboard.product_labels(text)', 'execute')::int;
SELECT 1 / has_function_privilege('dashboard_reader', 'dashboard.product_totals(timestamptz, timestamptz, text, jsonb, text)', 'execute')::int;
SELECT 1 / has_function_privilege('dashboard_reader', 'dashboard.product_series(timestamptz, timestamptz, text, jsonb, text, text)', 'execute')::int;
SELECT 1 / has_function_privilege('dashboard_reader', 'dashboard.product_prices(timestamptz, timestamptz, text, jsonb, text)', 'execute')::int;
ROLLBACK;
