-- One chunk after the other, with literal rows: each event once, its lineage, its session.
BEGIN;
SELECT plan(17);

CREATE TEMPORARY VIEW sessions AS
SELECT s.*, v.client_id FROM etl.session_facts AS s LEFT JOIN etl.visitors AS v ON v.visitor_no = s.visitor_no;

CREATE FUNCTION pg_temp.put(number int, key text, modified timestamptz, rows text[]) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO etl.staged_objects (object_no, object_key, etag, last_modified, size_bytes, key_hour, status, records_read)
    VALUES (number, key, 'e1', modified, 1, '2030-01-01T00:00Z', 'loaded', cardinality(rows));
    INSERT INTO etl.staged_events (object_no, position, event_id, event_timestamp, event_name, client_id, session_id)
    SELECT number, r.n - 1, lpad(split_part(r.v, ' ', 1), 32, '0')::uuid, split_part(r.v, ' ', 2)::timestamptz,
        split_part(r.v, ' ', 3), nullif(split_part(r.v, ' ', 4), '-'), nullif(split_part(r.v, ' ', 5), '-')
    FROM unnest(rows) WITH ORDINALITY AS r (v, n);
END
$$;

SELECT etl.start_run('{}') AS run \gset
SELECT etl.begin_chunk();
-- The same id in two objects: the older object's record stays.
SELECT pg_temp.put(1, 'b', '2030-01-01T01:00Z', ARRAY['1 2030-01-01T00:00Z page_view c1 s1', '2 2030-01-01T00:00:20Z add_to_cart_click c1 s1']);
SELECT pg_temp.put(2, 'a', '2030-01-01T02:00Z', ARRAY['1 2030-02-01T00:00Z click c9 s9', '3 2030-01-01T00:10Z page_view c2 -']);
SELECT results_eq(
    format($$SELECT c ->> 'events_stored', c ->> 'events_duplicate', c ->> 'events_conflict' FROM etl.apply_chunk(%s) AS c$$, :run),
    $$VALUES ('3', '1', '1')$$, 'three ids are stored, the copy is a duplicate and a conflict'
);
SELECT is((SELECT event_name FROM public.clickstream_events WHERE event_id = lpad('1', 32, '0')::uuid), 'page_view',
    'within a run the smallest (LastModified, key, position) stays');
SELECT results_eq(
    $$SELECT o.object_key, i.position FROM etl.event_ids AS i INNER JOIN etl.object_versions AS o USING (object_id) ORDER BY 1, 2$$,
    $$VALUES ('a', 1), ('b', 0), ('b', 1)$$, 'every row knows the object and position that brought it'
);
SELECT results_eq(
    $$SELECT o.object_key, d.position, d.is_conflict FROM etl.duplicates AS d INNER JOIN etl.object_versions AS o USING (object_id)$$,
    $$VALUES ('a', 0, true)$$, 'a duplicate keeps its lineage'
);
SELECT is((SELECT count(*)::int FROM pg_temp.sessions), 2, 'one session by id, one by its client alone');
SELECT results_eq(
    $$SELECT session_id, client_id, events, is_engaged, has_add, is_abandoned FROM pg_temp.sessions WHERE session_id IS NOT NULL$$,
    $$VALUES ('s1', 'c1', 2, true, true, true)$$, 'a session holds its facts'
);
SELECT throws_ok(
    $$INSERT INTO etl.event_ids VALUES (lpad('1', 32, '0')::uuid, '2031-05-05', 1, 0)$$, '23505', NULL,
    'an id cannot come again with another time'
);

-- The same objects again change nothing.
SELECT etl.begin_chunk();
SELECT pg_temp.put(1, 'b', '2030-01-01T01:00Z', ARRAY['1 2030-01-01T00:00Z page_view c1 s1', '2 2030-01-01T00:00:20Z add_to_cart_click c1 s1']);
SELECT results_eq(
    format($$SELECT c ->> 'events_stored', c ->> 'events_duplicate' FROM etl.apply_chunk(%s) AS c$$, :run),
    $$VALUES ('0', '2')$$, 'a reload stores nothing again'
);
SELECT is((SELECT count(*)::int FROM etl.duplicates), 1, 'and an object is no duplicate of itself');
SELECT is((SELECT count(*)::int FROM etl.object_versions), 2, 'and the ledger has one row a version');
SELECT set_eq(
    $$SELECT number FROM etl.unknown_objects(ARRAY['a', 'b', 'c'], ARRAY['e1', 'e2', 'e1'])$$, ARRAY[2, 3],
    'a new ETag or a new key is unknown'
);

-- A late event joins two sessions of a client without session ids, and lowers first seen.
SELECT etl.begin_chunk();
SELECT pg_temp.put(3, 'd', '2030-01-01T03:00Z', ARRAY['4 2030-01-01T01:05Z page_view c2 -']);
SELECT etl.apply_chunk(:run);
SELECT is((SELECT count(*)::int FROM pg_temp.sessions WHERE session_id IS NULL), 2, 'a gap over 30 minutes starts a new session');
SELECT etl.begin_chunk();
SELECT pg_temp.put(4, 'e', '2030-01-01T04:00Z', ARRAY['5 2030-01-01T00:37Z click c2 -', '6 2029-12-31T23:50Z click c2 -']);
SELECT etl.apply_chunk(:run);
SELECT results_eq(
    $$SELECT started_at, ended_at, events FROM pg_temp.sessions WHERE session_id IS NULL$$,
    $$VALUES ('2029-12-31T23:50Z'::timestamptz, '2030-01-01T01:05Z'::timestamptz, 4)$$, 'late events join sessions'
);
SELECT is((SELECT first_seen_at FROM etl.visitors WHERE client_id = 'c2'), '2029-12-31T23:50Z'::timestamptz,
    'and lower first seen');
SELECT ok(to_regclass('public.clickstream_events_2029_12') IS NOT NULL, 'a partition is made for old data');

-- Quarantine opens and closes.
SELECT etl.begin_chunk();
SELECT pg_temp.put(5, 'f', '2030-01-01T05:00Z', ARRAY[]::text[]);
INSERT INTO etl.staged_rejects VALUES (5, NULL, 'not_json', 'x');
UPDATE etl.staged_objects SET status = 'quarantined';
SELECT etl.apply_chunk(:run);
SELECT results_eq($$SELECT reason_code, objects, records FROM dashboard.quarantine_summary()$$,
    $$VALUES ('not_json', 1::bigint, 1::bigint)$$, 'a reject is open');
SELECT etl.begin_chunk();
SELECT pg_temp.put(5, 'f', '2030-01-01T05:00Z', ARRAY['7 2030-01-01T05:00Z click c3 s3']);
SELECT etl.apply_chunk(:run);
SELECT is_empty($$SELECT * FROM dashboard.quarantine_summary()$$, 'until a reload takes it');

SELECT * FROM finish();
ROLLBACK;
