-- Verify clickstream_dw:sessions on pg
BEGIN;
SELECT session_no, session_id, client_id, started_at, complete_at FROM etl.sessions WHERE false;
SELECT visitor_no, client_id, first_seen_at FROM etl.visitors WHERE false;
SELECT has_function_privilege('etl.recount_sessions(text[], text[])', 'execute');
ROLLBACK;
