-- Verify clickstream_dw:funnel_split on pg
BEGIN;
SELECT 1 / has_function_privilege('dashboard_reader', 'dashboard.funnel_split(timestamptz, timestamptz, text, jsonb, text, integer)', 'execute')::int;
ROLLBACK;
