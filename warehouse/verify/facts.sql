-- Verify clickstream_dw:facts on pg
BEGIN;
SELECT session_no, visitor_no, name_no FROM etl.event_facts WHERE false;
SELECT session_no, started_at, categories FROM etl.session_facts WHERE false;
SELECT 1 / (count(*) = 9)::int FROM etl.terms WHERE field = 'event_name' AND term_no BETWEEN 3 AND 11;
SELECT 1 / (etl.name_no('product_view') = 5)::int;
ROLLBACK;
