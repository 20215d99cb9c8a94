-- Verify clickstream_dw:funnel_steps on pg
BEGIN;
-- The first of two events at one instant may be the later step.
SELECT 1 / (etl.closed_steps(
    '{7,5,7}', '{2031-01-01 01:00,2031-01-01 01:00,2031-01-01 02:00}'::timestamptz[], '{5,7}'
) = '{2031-01-01 01:00,2031-01-01 01:00}'::timestamptz[])::int;
SELECT 1 / (p.proconfig IS NULL)::int
FROM pg_proc AS p WHERE p.oid = 'etl.closed_steps(smallint[], timestamptz[], smallint[])'::regprocedure;
ROLLBACK;
