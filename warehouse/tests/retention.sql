-- Retention: off by default, by the clock; what it dropped neither comes back nor changes a session.
BEGIN;
SELECT plan(39);

CREATE TEMPORARY VIEW sessions AS
SELECT s.*, v.client_id FROM etl.session_facts AS s LEFT JOIN etl.visitors AS v ON v.visitor_no = s.visitor_no;

CREATE FUNCTION pg_temp.load(key text, rows text[]) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    counted jsonb;
BEGIN
    PERFORM etl.begin_chunk();
    INSERT INTO etl.staged_objects (object_no, object_key, etag, last_modified, size_bytes, key_hour, status, records_read)
    VALUES (1, key, 'e', now(), 1, now(), 'loaded', cardinality(rows));
    INSERT INTO etl.staged_events (object_no, position, event_id, event_timestamp, event_name, client_id, session_id)
    SELECT 1, r.n - 1, lpad(split_part(r.v, '|', 1), 32, '0')::uuid, split_part(r.v, '|', 2)::timestamptz, split_part(r.v, '|', 3),
        split_part(r.v, '|', 4), nullif(split_part(r.v, '|', 5), '')
    FROM unnest(rows) WITH ORDINALITY AS r (v, n);
    counted := etl.apply_chunk((SELECT max(run_id) FROM etl.runs), true);
    RETURN concat_ws(' ', counted ->> 'events_read', counted ->> 'events_stored', counted ->> 'events_duplicate', counted ->> 'events_expired');
END
$$;
SET LOCAL timezone = 'UTC';
SELECT etl.start_run('{}') AS run \gset
SELECT date_trunc('month', now()) - interval '2 months' AS edge \gset

SELECT is(etl.retention_edge(), NULL, 'retention is off by default');
SELECT is(etl.retention_edge('2030-03-31 23:59'), NULL, 'at any time');
SELECT is(pg_temp.load('a', ARRAY[
    '1|' || (:'edge'::timestamptz - interval '1 minute') || '|page_view|c1|s1', '2|' || :'edge'::timestamptz || '|click|c1|s1',
    '3|' || (:'edge'::timestamptz - interval '1 minute') || '|page_view|c2|', '4|' || (:'edge'::timestamptz + interval '40 minutes') || '|click|c2|',
    '9|' || (:'edge'::timestamptz - interval '40 days') || '|page_view|c9|s9'
]), '5 5 0 0', 'so all is stored');
SELECT is(etl.drop_expired(), 0, 'and nothing is dropped');
SELECT results_eq(
    $$SELECT what, name, from_at, to_at, row_count FROM etl.set_retention(2)$$,
    format(
        $$VALUES ('events', 'clickstream_events_' || to_char(%1$L::timestamptz - interval '2 months', 'YYYY_MM'),
            %1$L::timestamptz - interval '2 months', %1$L::timestamptz - interval '1 month', 1::bigint),
        ('events', 'clickstream_events_' || to_char(%1$L::timestamptz - interval '1 month', 'YYYY_MM'),
            %1$L::timestamptz - interval '1 month', %1$L::timestamptz, 2::bigint),
        ('frozen', 'session_facts', %1$L::timestamptz - interval '40 days', %1$L::timestamptz, 3::bigint)$$, :'edge'
    ), 'a dry run says what would be dropped, and frozen'
);
SELECT cmp_ok((SELECT min(bytes) FROM etl.set_retention(2) WHERE what = 'events'), '>=', 8192::bigint, 'and how much room it takes');
SELECT results_eq(
    $$SELECT what, name, row_count > 0 FROM etl.retention_plan(2, 1) WHERE what = 'rollups' ORDER BY name$$,
    $$VALUES ('rollups', 'name_counts', true), ('rollups', 'segments', true),
    ('rollups', 'session_facts', true)$$, 'also of rollups, by their own months'
);
SELECT is_empty($$SELECT * FROM etl.retention_plan(4, 1)$$, 'but none whose events are kept');
SELECT is_empty($$SELECT * FROM etl.retention_plan(NULL, 1)$$, 'off is nothing: neither events nor what is counted of them');
SELECT throws_ok($$SELECT * FROM etl.set_retention(0, dry_run => false)$$, 'events and rollups are kept for a month at least',
    'the month that runs is never dropped');
SELECT is(etl.retention_edge(), NULL, 'a dry run changes nothing');
SELECT is(etl.drop_expired(), 0, 'so nothing is dropped after it');
SELECT isnt_empty($$SELECT * FROM etl.set_retention(2, dry_run => false)$$, 'until it is meant');
SELECT is(etl.retention_edge('2030-03-31 23:59'), '2030-01-01'::timestamptz, 'whole months are kept, by the clock');
SELECT is(etl.drop_expired(), 2, 'the partitions before the edge are dropped');
SELECT isnt_empty(format('SELECT FROM etl.segments WHERE at < %L', :'edge'), 'what was counted of them stays');
SELECT set_eq('SELECT right(event_id::text, 1) FROM public.clickstream_events', ARRAY['2', '4'], 'with their events');
SELECT set_eq('SELECT right(event_id::text, 1) FROM etl.event_ids', ARRAY['2', '4'], 'and their ids');
SELECT is((SELECT first_seen_at FROM etl.visitors WHERE client_id = 'c1'), :'edge'::timestamptz - interval '1 minute',
    'first seen is not raised');
SELECT is(pg_temp.load('a', ARRAY[
    '1|' || (:'edge'::timestamptz - interval '1 minute') || '|page_view|c1|s1', '2|' || :'edge'::timestamptz || '|click|c1|s1',
    '5|' || (:'edge'::timestamptz - interval '1 year') || '|page_view|c3|s3'
]), '3 0 1 2', 'an event older than the edge is not stored but counted as expired');
SELECT is((SELECT events_expired FROM etl.runs WHERE run_id = :run), 2::bigint, 'in its run as well');
SELECT is_empty($$SELECT FROM etl.visitors WHERE client_id = 'c3'$$, 'and makes no visitor');
SELECT is(pg_temp.load('b', ARRAY[
    '6|' || (:'edge'::timestamptz + interval '1 minute') || '|checkout_complete|c1|s1', '7|' || (:'edge'::timestamptz + interval '50 minutes') || '|click|c2|',
    '8|' || (:'edge'::timestamptz + interval '1 minute') || '|click|c4|s4'
]), '3 3 0 0', 'late events after the edge are stored');
SELECT results_eq($$SELECT events, is_completed FROM pg_temp.sessions WHERE session_id = 's1'$$, $$VALUES (2, false)$$,
    'but a session with dropped events is frozen');
SELECT results_eq(
    format($$SELECT started_at - %L, events FROM pg_temp.sessions WHERE client_id = 'c2' ORDER BY started_at$$, :'edge'),
    $$VALUES (interval '-1 minute', 1), (interval '40 minutes', 2)$$, 'also one without an id, while the later ones are counted anew'
);
SELECT is((SELECT events FROM pg_temp.sessions WHERE session_id = 's4'), 1, 'and others are counted');

SELECT lives_ok('SELECT etl.set_retention(2, 1, false), etl.drop_expired()', 'unless it has an end of its own');
SELECT is_empty(format('SELECT FROM etl.segments WHERE at < %L', :'edge'::timestamptz - interval '1 month'), 'then it goes as well');

-- The ledger goes two months after the events, rejects with them.
CREATE FUNCTION pg_temp.book(at timestamptz, name text, modified timestamptz, state text DEFAULT 'loaded') RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM etl.begin_chunk();
    INSERT INTO etl.staged_objects (object_no, object_key, etag, last_modified, size_bytes, key_hour, status, records_read)
    VALUES (1, to_char(at, '"events"/YYYY/MM/DD/HH24/') || name, 'e', modified, 1, at, state, 1);
    IF state = 'quarantined' THEN
        INSERT INTO etl.staged_rejects (object_no, position, reason_code, sample) VALUES (1, 0, 'not_json', 'x');
    END IF;
    PERFORM etl.apply_chunk((SELECT max(run_id) FROM etl.runs));
END
$$;
CREATE FUNCTION pg_temp.months(edge timestamptz) RETURNS SETOF integer
LANGUAGE sql AS $$
    SELECT ((extract(YEAR FROM edge) - left(m.month, 4)::int) * 12 + extract(MONTH FROM edge) - right(m.month, 2)::int)::int
    FROM (SELECT right(i.inhrelid::regclass::text, 7) AS month FROM pg_inherits AS i WHERE i.inhparent = 'etl.object_versions'::regclass) AS m
    WHERE left(m.month, 4) > '1970'
$$;
SELECT pg_temp.book(:'edge'::timestamptz - make_interval(months => m), 'old', :'edge'::timestamptz - make_interval(months => m)) FROM generate_series(0, 6) AS m;
SELECT pg_temp.book(:'edge'::timestamptz - interval '5 months', 'late', now());
SELECT pg_temp.book(:'edge'::timestamptz - interval '4 months', 'erased', :'edge'::timestamptz - interval '4 months');
INSERT INTO etl.erased_copies (object_id, event_id) SELECT object_id, gen_random_uuid() FROM etl.object_versions WHERE object_key LIKE '%erased';
SELECT pg_temp.book(:'edge'::timestamptz - interval '1 months', 'bad', :'edge'::timestamptz - interval '1 minute', 'quarantined');
SELECT pg_temp.book(:'edge'::timestamptz - interval '1 months', 'later', :'edge'::timestamptz, 'quarantined');
SELECT set_eq(format('SELECT pg_temp.months(%L)', :'edge'), ARRAY[0, 1, 2, 3, 4, 5, 6], 'the ledger has a partition for each month of keys');
SELECT set_eq(
    $$SELECT what || ' ' || row_count FROM etl.retention_plan(2) WHERE what IN ('ledger', 'rejects')$$,
    ARRAY['ledger 1', 'rejects 1'], 'a dry run says what of it would be dropped'
);
SELECT is((SELECT count(*)::int FROM etl.retention_plan(2) WHERE what = 'ledger'), 2, 'month by month');
SELECT lives_ok('SELECT etl.set_retention(2, NULL, false), etl.drop_expired()', 'what is older');
SELECT set_eq(format('SELECT pg_temp.months(%L)', :'edge'), ARRAY[0, 1, 2, 4, 5],
    'goes, but not where an object was written later, nor where one has to be cleaned of something erased');
SELECT set_eq('SELECT o.object_key LIKE ''%later'' FROM etl.quarantine AS q INNER JOIN etl.object_versions AS o USING (object_id)',
    ARRAY[true], 'a reject of an object that was written before the edge goes as well');
SELECT is((SELECT status FROM etl.object_versions WHERE object_key LIKE '%bad'), 'loaded', 'and its object is done with');
SELECT is((SELECT keys::int FROM dashboard.completeness(:'edge'::timestamptz - interval '6 months', :'edge'::timestamptz - interval '6 months' + interval '1 hour')),
    1, 'the completeness book keeps its counts');
SELECT pg_temp.book(:'edge'::timestamptz - interval '6 months', 'again', :'edge'::timestamptz - interval '6 months');
SELECT is((SELECT keys::int FROM dashboard.completeness(:'edge'::timestamptz - interval '6 months', :'edge'::timestamptz - interval '6 months' + interval '1 hour')),
    1, 'and counts the month anew when keys of it are read again');
SELECT lives_ok('SELECT etl.set_retention(NULL, NULL, false), etl.drop_expired()', 'without retention');
SELECT set_eq(format('SELECT pg_temp.months(%L)', :'edge'), ARRAY[0, 1, 2, 4, 5, 6], 'nothing goes');

SELECT * FROM finish();
ROLLBACK;
