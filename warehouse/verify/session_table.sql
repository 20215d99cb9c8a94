-- Verify clickstream_dw:session_table on pg
BEGIN;
SELECT 1 / (to_regclass('etl.sessions') IS NULL)::int;
ROLLBACK;
