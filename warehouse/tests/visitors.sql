-- Heatmap, cohorts, new against returning, and the funnel by day, for literal events.
BEGIN;
SELECT plan(13);

-- A row is id|time|name|client|session|category.
CREATE FUNCTION pg_temp.load(rows text[]) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM etl.begin_chunk();
    INSERT INTO etl.staged_objects (object_no, object_key, etag, last_modified, size_bytes, key_hour, status, records_read)
    VALUES (1, 'k' || split_part(rows[1], '|', 1), 'e', '2021-02-01Z', 1, '2021-01-01Z', 'loaded', cardinality(rows));
    INSERT INTO etl.staged_events (
        object_no, position, event_id, event_timestamp, event_name, client_id, session_id, context_product_category
    )
    SELECT 1, r.n, lpad(v[1], 32, '0')::uuid, v[2]::timestamptz, v[3], nullif(v[4], ''), nullif(v[5], ''), v[6]
    FROM unnest(rows) WITH ORDINALITY AS r (text, n)
    CROSS JOIN LATERAL (SELECT string_to_array(r.text, '|') AS v) AS s;
    PERFORM etl.apply_chunk((SELECT max(run_id) FROM etl.runs));
END
$$;
SET LOCAL timezone = 'UTC';
SELECT etl.start_run('{}') AS run \gset
-- c1 comes back on two days, c2 on none; c3 was there before; the last session has no client.
SELECT pg_temp.load(ARRAY[
    '1|2021-01-04 03:00|product_view|c1|s1|Mouse', '2|2021-01-04 03:01|add_to_cart_click|c1|s1|Mouse',
    '3|2021-01-05 03:00|home_view|c1|s2|', '4|2021-01-11 03:30|home_view|c1|s3|', '5|2021-01-04 03:10|page_view|c2|s4|',
    '6|2020-12-31 03:00|home_view|c3|s5|', '7|2021-01-04 04:00|home_view|c3|s6|', '8|2021-01-05 05:00|click||s7|'
]);
SELECT etl.finish_run(:run, 'loaded', '{}', '[]');

-- 2021-01-04 is a Monday.
SELECT results_eq(
    $$SELECT weekday, hour, sessions, occurrences, sessions_per_hour FROM dashboard.heatmap('2021-01-04', '2021-01-18', 'UTC') WHERE sessions > 0$$,
    $$VALUES (1, 3, 3::bigint, 2::bigint, 1.5::float8), (1, 4, 1, 2, 0.5), (2, 3, 1, 2, 0.5), (2, 5, 1, 2, 0.5)$$,
    'sessions by weekday and hour, and how often each was'
);
SELECT is((SELECT count(*) FROM dashboard.heatmap('2021-01-04', '2021-01-18', 'UTC')), 168::bigint, 'an hour without a session is there too');
SELECT is_empty($$SELECT FROM dashboard.heatmap('2021-01-04 01:00', '2021-01-05 23:00', 'UTC')$$, 'and days that the range cuts are not');
SELECT results_eq(
    $$SELECT hour, occurrences FROM dashboard.heatmap('2021-11-07 04:00', '2021-11-08 05:00', 'America/New_York') WHERE hour < 3$$,
    $$VALUES (0, 1::bigint), (1, 2), (2, 1)$$, 'the hour that summer time repeats occurs twice'
);
SELECT is_empty(
    $$SELECT FROM dashboard.heatmap('2021-03-14 05:00', '2021-03-15 04:00', 'America/New_York') WHERE hour = 2$$,
    'and the one that it skips does not occur'
);

SELECT results_eq(
    $$SELECT cohort_at, number, cohort, returned, rate, provisional FROM dashboard.retention('2021-01-04', '2021-01-25', 'UTC')$$,
    $$VALUES ('2021-01-04'::timestamptz, 0, 2::bigint, 2::bigint, 1::float8, false), ('2021-01-04', 1, 2, 1, 0.5, false),
        ('2021-01-04', 2, 2, 0, 0, false), ('2021-01-11', 0, 0, 0, NULL, false), ('2021-01-11', 1, 0, 0, NULL, false),
        ('2021-01-18', 0, 0, 0, NULL, false)$$,
    'clients first seen in a week, and how many came back in each that follows'
);
SELECT results_eq(
    $$SELECT number, returned FROM dashboard.retention('2021-01-04', '2021-01-06', 'UTC', '{"category": ["not set"]}', 'day')
        WHERE cohort_at = '2021-01-04'$$,
    $$VALUES (0, 1::bigint), (1, 0)$$, 'a cohort are those with an event in it that passes'
);
SELECT is_empty(
    format($$SELECT FROM dashboard.retention(%L, %L, 'UTC') WHERE cohort_at > now()$$, now() - interval '7 days', now() + interval '30 days'),
    'there is no cell of what is to come'
);
SELECT throws_ok($$SELECT dashboard.retention('2021-01-04', '2021-01-05', 'UTC', NULL, 'hour')$$, '22023', NULL, 'cohorts are days or weeks');

SELECT results_eq(
    $$SELECT bucket_at::date, new_visitors, returning_visitors, new_sessions, returning_sessions, unset_sessions, marked
        FROM dashboard.new_returning('2021-01-04', '2021-01-06', 'UTC')$$,
    $$VALUES ('2021-01-04'::date, 2::bigint, 1::bigint, 2::bigint, 1::bigint, 0::bigint, true), ('2021-01-05', 0, 1, 0, 1, 1, true)$$,
    'new is who was first seen then; a session is new if it holds that event'
);
SELECT results_eq(
    $$SELECT new_visitors, returning_visitors, sessions, session_visitors, median_seconds, views FROM dashboard.visitor_facts('2021-01-04', '2021-01-12', 'UTC')$$,
    $$VALUES (2::bigint, 1::bigint, 6::bigint, 3::bigint, 60::float8, 5::bigint)$$, 'sessions for each client, and the median of those of two events or more'
);
SELECT results_eq(
    $$SELECT bucket_at::date, step, closed_sessions, open_sessions FROM dashboard.funnel_series('2021-01-04', '2021-01-06', 'UTC') WHERE step < 3$$,
    $$VALUES ('2021-01-04'::date, 1, 1::bigint, 1::bigint), ('2021-01-04', 2, 1, 1), ('2021-01-05', 1, 0, 0), ('2021-01-05', 2, 0, 0)$$,
    'the funnel of every day'
);
-- A late event before all others: c1 was first seen the day before, and its session then is the new one.
SELECT pg_temp.load(ARRAY['9|2021-01-03 20:00|click|c1|s8|']);
SELECT results_eq(
    $$SELECT new_visitors, new_sessions FROM dashboard.new_returning('2021-01-03', '2021-01-05', 'UTC')$$,
    $$VALUES (1::bigint, 1::bigint), (1, 1)$$, 'first seen falls with a late event'
);

SELECT * FROM finish();
ROLLBACK;
