-- Verify clickstream_dw:dashboard on pg
BEGIN;
SELECT 1 / has_function_privilege('dashboard_reader', 'dashboard.kpis(timestamptz, timestamptz, text, jsonb)', 'execute')::int;
SELECT 1 / has_function_privilege('dashboard_reader', 'dashboard.series(timestamptz, timestamptz, text, jsonb, text)', 'execute')::int;
SELECT 1 / has_function_privilege('dashboard_reader', 'dashboard.event_mix(timestamptz, timestamptz, text, jsonb)', 'execute')::int;
SELECT 1 / has_function_privilege('dashboard_reader', 'dashboard.login_states(timestamptz, timestamptz, text, jsonb)', 'execute')::int;
SELECT 1 / has_function_privilege('dashboard_reader', 'dashboard.funnel(timestamptz, timestamptz, text, jsonb, text[])', 'execute')::int;
SELECT 1 / has_function_privilege('dashboard_reader', 'dashboard.top_products(timestamptz, timestamptz, text, jsonb, integer)', 'execute')::int;
SELECT 1 / has_function_privilege('dashboard_reader', 'dashboard.top_categories(timestamptz, timestamptz, text, jsonb, integer)', 'execute')::int;
SELECT 1 / has_function_privilege('dashboard_reader', 'dashboard.top_brands(timestamptz, timestamptz, text, jsonb, integer)', 'execute')::int;
SELECT 1 / has_function_privilege('dashboard_reader', 'dashboard.freshness()', 'execute')::int;
SELECT 1 / has_function_privilege('dashboard_reader', 'dashboard.completeness(timestamptz, timestamptz)', 'execute')::int;
SELECT 1 / has_function_privilege('dashboard_reader', 'dashboard.runs(integer)', 'execute')::int;
SELECT 1 / has_function_privilege('dashboard_reader', 'dashboard.quarantine_summary()', 'execute')::int;
SELECT 1 / has_function_privilege('dashboard_reader', 'dashboard.filter_values(text)', 'execute')::int;
SELECT 1 / has_function_privilege('dashboard_reader', 'dashboard.load_marker()', 'execute')::int;
ROLLBACK;
