-- Sessions and events in pages, one session in order, and all events of a filter, for literal events.
BEGIN;
SELECT plan(22);

-- A row is id|time|name|client|session|category|product name.
CREATE FUNCTION pg_temp.load(rows text[]) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM etl.begin_chunk();
    INSERT INTO etl.staged_objects (object_no, object_key, etag, last_modified, size_bytes, key_hour, status, records_read)
    VALUES (1, 'k' || split_part(rows[1], '|', 1), 'e', '2021-02-01Z', 1, '2021-01-01Z', 'loaded', cardinality(rows));
    INSERT INTO etl.staged_events (
        object_no, position, event_id, event_timestamp, event_name, client_id, session_id, context_product_category,
        context_product_name
    )
    SELECT
        1, r.n, lpad(v[1], 32, '0')::uuid, v[2]::timestamptz, v[3], nullif(v[4], ''), nullif(v[5], ''),
        nullif(v[6], ''), nullif(v[7], '')
    FROM unnest(rows) WITH ORDINALITY AS r (text, n)
    CROSS JOIN LATERAL (SELECT string_to_array(r.text, '|') AS v) AS s;
    PERFORM etl.apply_chunk((SELECT max(run_id) FROM etl.runs));
END
$$;
SET LOCAL timezone = 'UTC';
SELECT etl.start_run('{}') AS run \gset
-- s1 left at the cart, s2 at a view, s3 converted; c4's events are two sessions without an id, s5 bounced months before.
SELECT pg_temp.load(ARRAY[
    '1|2021-01-04 03:00|product_view|c1|s1|Mouse|=1+1', '2|2021-01-04 03:01|add_to_cart_click|c1|s1|Mouse|',
    '3|2021-01-04 05:00|product_view|c2|s2|Desk|', '4|2021-01-04 06:00|product_view|c3|s3|Desk|',
    '5|2021-01-04 06:01|add_to_cart_click|c3|s3|Desk|', '6|2021-01-04 06:02|checkout_start|c3|s3||',
    '7|2021-01-04 06:02|checkout_complete|c3|s3||', '8|2021-01-04 07:00|home_view|c4|||',
    '9|2021-01-04 07:10|click|c4|||', 'a|2021-01-04 09:00|home_view|c4|||', 'b|2020-09-01 00:00|home_view|c1|s5||'
]);
SELECT etl.finish_run(:run, 'loaded', '{}', '[]');

SELECT results_eq(
    $$SELECT session_id, client_id, started_at, events, is_new FROM dashboard.session_list('2020-01-01', '2022-01-01', 'UTC')$$,
    $$VALUES (NULL, 'c4', '2021-01-04 09:00'::timestamptz, 1, false), (NULL, 'c4', '2021-01-04 07:00', 2, true),
        ('s3', 'c3', '2021-01-04 06:00', 4, true), ('s2', 'c2', '2021-01-04 05:00', 1, true),
        ('s1', 'c1', '2021-01-04 03:00', 2, false), ('s5', 'c1', '2020-09-01 00:00', 1, true)$$,
    'sessions, the newest first, however far apart'
);
SELECT results_eq(
    $$SELECT session_id FROM dashboard.session_list('2021-01-04', '2021-01-05', 'UTC', '{"category": ["desk"]}', 'all', NULL, NULL, 1)$$,
    $$VALUES ('s3')$$, 'the first page of a filter'
);
SELECT results_eq(
    $$SELECT n.session_id FROM dashboard.session_list('2021-01-04', '2021-01-05', 'UTC', '{"category": ["desk"]}', 'all', NULL, NULL, 1) AS p
        CROSS JOIN LATERAL dashboard.session_list('2021-01-04', '2021-01-05', 'UTC', '{"category": ["desk"]}', 'all', p.started_at, p.session_no, 1) AS n$$,
    $$VALUES ('s2')$$, 'and the page after it'
);
SELECT is_empty(
    $$SELECT FROM dashboard.session_list('2021-01-04 03:01', '2021-01-04 05:00', 'UTC')$$,
    'a session that began before the range, or as it ends, is not in it'
);
SELECT results_eq(
    $$SELECT o.word, array_agg(s.session_id ORDER BY s.session_id) FROM unnest(ARRAY['bounced', 'converted', 'left_add', 'left_checkout', 'left_view']) AS o (word)
        LEFT JOIN LATERAL dashboard.session_list('2021-01-04', '2021-01-05', 'UTC', NULL, o.word) AS s ON true GROUP BY o.word ORDER BY o.word$$,
    $$VALUES ('bounced', ARRAY['s2', NULL]), ('converted', ARRAY['s3']), ('left_add', ARRAY['s1']), ('left_checkout', ARRAY[NULL::text]), ('left_view', ARRAY['s2'])$$,
    'sessions by how they ended'
);
SELECT results_eq(
    $$SELECT left_sessions FROM dashboard.funnel('2021-01-04', '2021-01-05', 'UTC') WHERE step < 4$$,
    $$VALUES (1::bigint), (1), (0)$$, 'as many as the funnel says'
);
SELECT throws_ok($$SELECT dashboard.session_list('2021-01-04', '2021-01-05', 'UTC', NULL, 'x')$$, '22023', NULL, 'there is no other outcome');
SELECT results_eq(
    $$SELECT e.event_at, e.event_name, e.category FROM dashboard.session_events((SELECT session_no FROM etl.session_facts WHERE session_id = 's1')) AS e$$,
    $$VALUES ('2021-01-04 03:00'::timestamptz, 'product_view', 'Mouse'), ('2021-01-04 03:01', 'add_to_cart_click', 'Mouse')$$,
    'one session in order'
);
SELECT results_eq(
    $$SELECT e.event_at FROM etl.session_facts AS s CROSS JOIN LATERAL dashboard.session_events(s.session_no) AS e
        WHERE s.session_id IS NULL AND s.events = 2 ORDER BY 1$$,
    $$VALUES ('2021-01-04 07:00'::timestamptz), ('2021-01-04 07:10')$$, 'and one without an id, not its client''s other ones'
);
SELECT is((SELECT count(*) FROM dashboard.session_events((SELECT session_no FROM etl.session_facts WHERE session_id = 's3'), 3)), 3::bigint, 'no more rows than asked for');
SELECT is_empty($$SELECT FROM dashboard.session_events(-1)$$, 'a session that is not there has none');
SELECT results_eq(
    $$SELECT shape, place, amount FROM dashboard.session_shapes('2021-01-04', '2021-01-05', 'UTC')$$,
    $$VALUES ('depth', 1, 5::bigint), ('length', 2, 1), ('length', 3, 1), ('length', 4, 1), ('sessions', 1, 3), ('sessions', 2, 1)$$,
    'visitors by sessions, sessions by length and by views; a minute is still up to a minute'
);
SELECT results_eq(
    $$SELECT right(event_id::text, 1), event_name FROM dashboard.event_list('2020-01-01', '2022-01-01', 'UTC', '{"event_name": ["product_view", "home_view"]}')$$,
    $$VALUES ('a', 'home_view'), ('8', 'home_view'), ('4', 'product_view'), ('3', 'product_view'), ('1', 'product_view'), ('b', 'home_view')$$,
    'events, the newest first, however far apart'
);
SELECT results_eq(
    $$SELECT right(event_id::text, 1) FROM dashboard.event_list('2021-01-04', '2021-01-05', 'UTC', NULL, '2021-01-04 06:02', lpad('7', 32, '0')::uuid, 2)$$,
    $$VALUES ('6'), ('5')$$, 'the page after an event, one of the same instant among them'
);
SELECT is(
    (SELECT count(*) FROM dashboard.event_export('2021-01-04', '2021-01-05', 'UTC', '{"category": ["desk", "mouse"]}')),
    (SELECT events FROM dashboard.kpis('2021-01-04', '2021-01-05', 'UTC', '{"category": ["desk", "mouse"]}')),
    'an export has as many events as are counted'
);
SELECT is(
    (SELECT context_product_name FROM dashboard.event_export('2021-01-04', '2021-01-05', 'UTC') WHERE context_product_name IS NOT NULL),
    '''=1+1', 'what a spreadsheet would take for a formula is text'
);
SELECT is(
    (SELECT array_agg(etl.cell(v) ORDER BY n) FROM unnest(ARRAY['-1', '+1', '@x', E'\tx', 'a=1', '', NULL]) WITH ORDINALITY AS u (v, n)),
    ARRAY['''-1', '''+1', '''@x', E'''\tx', 'a=1', '', NULL], 'and only that'
);

-- Event 1 comes again in another object, together with two records that cannot be loaded.
SELECT etl.start_run('{}') AS run \gset
SELECT etl.begin_chunk();
INSERT INTO etl.staged_objects (object_no, object_key, etag, last_modified, size_bytes, key_hour, status, records_read)
VALUES (1, 'k-odd', 'e2', '2021-02-02Z', 9, '2021-01-01Z', 'quarantined', 3);
INSERT INTO etl.staged_events (object_no, position, event_id, event_timestamp, event_name, client_id, session_id)
VALUES (1, 0, lpad('1', 32, '0')::uuid, '2021-01-04 03:00', 'product_view', 'c1', 's1');
INSERT INTO etl.staged_rejects (object_no, position, reason_code, sample)
VALUES (1, 1, 'no_event', convert_to('{"name": "Đ', 'UTF8')), (1, 2, 'not_json', '\x00ff');
SELECT etl.apply_chunk(:run);
SELECT etl.finish_run(:run, 'loaded', '{}', '[]');
SELECT results_eq(
    $$SELECT object_key, object_position, reason_code, sample FROM dashboard.rejects()$$,
    $$VALUES ('k-odd', 2, 'not_json', '\000\377'), ('k-odd', 1, 'no_event', '{"name": "Đ')$$,
    'what could not be loaded: where, why, and how it begins'
);
SELECT results_eq($$SELECT object_position FROM dashboard.rejects('no_event', 5)$$, $$VALUES (1)$$, 'of one reason');
SELECT is(etl.sample_text('\x61c4'::bytea), 'a', 'a character that was cut is left out');
SELECT results_eq(
    $$SELECT object_key, object_position, event_at, role FROM dashboard.event_source(lpad('1', 32, '0')::uuid)$$,
    $$VALUES ('k1', 1, '2021-01-04 03:00'::timestamptz, 'stored'), ('k-odd', 0, '2021-01-04 03:00', 'duplicate')$$,
    'from an event to its object, and to its copies'
);
SELECT is_empty($$SELECT FROM dashboard.event_source(lpad('f', 32, '0')::uuid)$$, 'an event that is not there came from nowhere');

SELECT * FROM finish();
ROLLBACK;
