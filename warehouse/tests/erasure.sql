-- Erasure: a visitor's or an account's events go, with their lineage and sessions, and no reload brings them back.
BEGIN;
SELECT plan(17);

CREATE TEMPORARY VIEW sessions AS
SELECT s.*, v.client_id FROM etl.session_facts AS s LEFT JOIN etl.visitors AS v ON v.visitor_no = s.visitor_no;

CREATE FUNCTION pg_temp.load(key text, rows text[]) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    counted jsonb;
BEGIN
    PERFORM etl.begin_chunk();
    INSERT INTO etl.staged_objects (object_no, object_key, etag, last_modified, size_bytes, key_hour, status, records_read)
    VALUES (1, key, 'e', '2030-01-01T00:00Z', 1, '2030-01-01T00:00Z', 'quarantined', cardinality(rows) + 1);
    INSERT INTO etl.staged_rejects VALUES (1, 99, 'not_json', '{"clientId":"c1"');
    INSERT INTO etl.staged_events (object_no, position, event_id, event_timestamp, event_name, client_id, session_id, user_id)
    SELECT 1, r.n - 1, lpad(split_part(r.v, '|', 1), 32, '0')::uuid, split_part(r.v, '|', 2)::timestamptz, 'click',
        split_part(r.v, '|', 3), nullif(split_part(r.v, '|', 4), ''), nullif(split_part(r.v, '|', 5), '')
    FROM unnest(rows) WITH ORDINALITY AS r (v, n);
    counted := etl.apply_chunk((SELECT max(run_id) FROM etl.runs), true);
    RETURN concat_ws(' ', counted ->> 'events_read', counted ->> 'events_stored', counted ->> 'events_duplicate', counted ->> 'records_quarantined', counted ->> 'events_erased');
END
$$;
SET LOCAL timezone = 'UTC';
SELECT etl.start_run('{}') AS run \gset
SELECT is(pg_temp.load('a', ARRAY[
    '1|2031-01-01 01:00|c1|s1|', '2|2031-01-01 01:01|c2|s1|', '3|2031-01-01 02:00|c1||', '4|2031-01-01 01:00|c3|s3|u1', '5|2031-01-01 01:02|c3|s3|'
]), '6 5 0 1 0', 'before an erasure all is stored');
SELECT pg_temp.load('b', ARRAY['1|2031-01-01 01:00|c1|s1|']);
SELECT dashboard.load_marker() AS marker \gset

SELECT is(etl.erase('c1'), 2::bigint, 'the events of a visitor are erased');
SELECT set_eq('SELECT right(event_id::text, 1) FROM public.clickstream_events', ARRAY['2', '4', '5'], 'and no others');
SELECT set_eq('SELECT right(event_id::text, 1) FROM etl.event_ids', ARRAY['2', '4', '5'], 'with their ids');
SELECT is_empty('SELECT FROM etl.duplicates', 'and the lineage of their copies');
SELECT results_eq($$SELECT session_id, client_id, events FROM pg_temp.sessions ORDER BY 1$$,
    $$VALUES ('s1', 'c2', 1), ('s3', 'c3', 2)$$, 'their sessions are counted anew');
SELECT is_empty($$SELECT FROM etl.visitors WHERE client_id = 'c1'$$, 'the visitor is no more');
SELECT is_empty($$SELECT FROM etl.quarantine WHERE position('c1'::bytea IN sample) > 0$$, 'nor in a sample of the quarantine');
SELECT is((SELECT count(*)::int FROM etl.quarantine WHERE resolved_at IS NULL), 2, 'whose rejects stay open');
SELECT isnt(dashboard.load_marker(), :marker::bigint, 'and pages ask again');
SELECT is(etl.data_until(), NULL, 'but the data reach no further');
SELECT is_empty($$SELECT FROM etl.runs WHERE request::text LIKE '%c1%'$$, 'and no book keeps whom it was');
SELECT etl.start_run('{}') AS second \gset
SELECT is(pg_temp.load('a', ARRAY[
    '1|2031-01-01 01:00|c1|s1|', '2|2031-01-01 01:01|c2|s1|', '3|2031-01-01 02:00|c1||', '6|2031-01-01 02:00|c6||'
]), '5 1 1 1 2', 'a reload does not bring them back, and counts them as erased');
SELECT is((SELECT events_erased FROM dashboard.runs(1)), 2::bigint, 'in its run as well');

SELECT is(etl.erase(NULL, 'u1'), 1::bigint, 'the events of an account are erased');
SELECT is((SELECT first_seen_at FROM etl.visitors WHERE client_id = 'c3'), '2031-01-01 01:02'::timestamptz, 'first seen is counted anew');
SELECT is(etl.erase(NULL), 0::bigint, 'nobody is nobody');

SELECT * FROM finish();
ROLLBACK;
