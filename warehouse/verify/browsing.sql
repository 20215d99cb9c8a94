-- Verify clickstream_dw:browsing on pg
BEGIN;
SELECT 1 / has_function_privilege('dashboard_reader', 'dashboard.session_list(timestamptz, timestamptz, text, jsonb, text, timestamptz, integer, integer)', 'execute')::int;
SELECT 1 / has_function_privilege('dashboard_reader', 'dashboard.session_events(integer, integer)', 'execute')::int;
SELECT 1 / has_function_privilege('dashboard_reader', 'dashboard.session_shapes(timestamptz, timestamptz, text, jsonb)', 'execute')::int;
SELECT 1 / has_function_privilege('dashboard_reader', 'dashboard.event_list(timestamptz, timestamptz, text, jsonb, timestamptz, uuid, integer)', 'execute')::int;
SELECT 1 / has_function_privilege('dashboard_reader', 'dashboard.event_export(timestamptz, timestamptz, text, jsonb)', 'execute')::int;
SELECT 1 / has_function_privilege('dashboard_reader', 'dashboard.rejects(text, integer)', 'execute')::int;
SELECT 1 / has_function_privilege('dashboard_reader', 'dashboard.event_source(uuid)', 'execute')::int;
ROLLBACK;
