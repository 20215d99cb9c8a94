-- Verify clickstream_dw:sessions on pg
BEGIN;
-- Sessions and their recount are other tables' since: see session_table.
SELECT visitor_no, client_id, first_seen_at FROM etl.visitors WHERE false;
ROLLBACK;
