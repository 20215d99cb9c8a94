-- The ledger: what becomes of each key, its hour, and what the next run has to look at.
BEGIN;
SELECT plan(32);

CREATE FUNCTION pg_temp.put(key text, tag text, modified timestamptz, hour_at timestamptz, state text DEFAULT 'loaded') RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM etl.begin_chunk();
    INSERT INTO etl.staged_objects (object_no, object_key, etag, last_modified, size_bytes, key_hour, status, records_read)
    VALUES (1, key, tag, modified, 1, hour_at, state, CASE state WHEN 'quarantined' THEN 1 ELSE 0 END);
    IF state = 'quarantined' THEN
        INSERT INTO etl.staged_rejects (object_no, position, reason_code, sample) VALUES (1, 0, 'not_json', 'x');
    END IF;
    PERFORM etl.apply_chunk((SELECT max(run_id) FROM etl.runs));
END
$$;
CREATE FUNCTION pg_temp.list(key text, tag text, modified timestamptz, hour_at timestamptz) RETURNS void
LANGUAGE sql AS $$
    SELECT etl.record_listing((SELECT max(run_id) FROM etl.runs), '{}', ARRAY[key], ARRAY[tag], ARRAY[modified], ARRAY[1], ARRAY[hour_at])
$$;
CREATE FUNCTION pg_temp.hours(from_at timestamptz, to_at timestamptz) RETURNS SETOF text
LANGUAGE sql AS $$
    SELECT format('%s %s=%s+%s+%s+%s', to_char(c.hour_at, 'HH24'), c.keys, c.loaded, c.quarantined, c.pending, c.gone)
    FROM dashboard.completeness(from_at, to_at) AS c WHERE c.keys > 0
$$;
SET LOCAL timezone = 'UTC';
SELECT etl.start_run('{}');

-- One key, one hour, whatever its versions.
SELECT pg_temp.put('day', 'e1', '2030-01-01 05:30', '2030-01-01 05:00');
SELECT pg_temp.put('day', 'e2', '2030-01-01 09:30', '2030-01-01 09:00', 'quarantined');
SELECT set_eq($$SELECT pg_temp.hours('2030-01-01', '2030-01-02')$$, ARRAY['05 1=0+1+0+0'],
    'a key is counted once, in the hour of its first listing, and its newest ETag decides');
SELECT set_eq($$SELECT pg_temp.hours('2030-01-01', '2030-01-01 06:00')$$, ARRAY['05 1=0+1+0+0'], 'whatever range is asked for');
SELECT set_eq($$SELECT pg_temp.hours('2030-01-01 05:40', '2030-01-01 06:00')$$, ARRAY['05 1=0+1+0+0'], 'an hour is counted whole');
SELECT pg_temp.list('day', 'e3', '2030-01-01 11:30', '2030-01-01 11:00');
SELECT set_eq($$SELECT pg_temp.hours('2030-01-01', '2030-01-02')$$, ARRAY['05 1=0+0+1+0'], 'a new version that was listed is pending');
SELECT pg_temp.put('day', 'e3', '2030-01-01 11:30', '2030-01-01 11:00');
SELECT set_eq($$SELECT pg_temp.hours('2030-01-01', '2030-01-02')$$, ARRAY['05 1=1+0+0+0'], 'until it is loaded');

-- An old version that comes back.
SELECT set_eq($$SELECT number || ' ' || is_held FROM etl.unknown_objects(ARRAY['day', 'day', 'new'], ARRAY['e3', 'e2', 'e1'])$$,
    ARRAY['2 true', '3 false'], 'a version that is held but not the newest is told');
SELECT pg_temp.list('day', 'e2', '2030-01-01 12:30', '2030-01-01 12:00');
SELECT set_eq($$SELECT pg_temp.hours('2030-01-01', '2030-01-02')$$, ARRAY['05 1=0+1+0+0'], 'and decides again without being read');
SELECT is_empty($$SELECT etl.unknown_objects(ARRAY['day'], ARRAY['e2'])$$, 'and is told no more');

-- Quarantine follows the newest version.
SELECT results_eq($$SELECT reason_code, records FROM dashboard.quarantine_summary()$$, $$VALUES ('not_json', 1::bigint)$$,
    'the rejects of the newest version are shown');
SELECT results_eq($$SELECT object_key, etag, key_hour FROM etl.quarantined_objects()$$,
    $$VALUES ('day', 'e2', '2030-01-01 05:00'::timestamptz)$$, 'and it can be loaded again');
SELECT pg_temp.put('day', 'e2', '2030-01-01 12:30', '2030-01-01 12:00', 'gone');
SELECT is_empty($$SELECT FROM etl.object_versions WHERE status = 'gone'$$, 'what was read before is not gone when it is deleted');
SELECT results_eq($$SELECT reason_code, records FROM dashboard.quarantine_summary()$$, $$VALUES ('not_json', 1::bigint)$$,
    'and its rejects stay open');
SELECT is((SELECT records_read FROM etl.object_versions WHERE etag = 'e2'), 1, 'and its records stay counted');
SELECT pg_temp.put('day', 'e4', '2030-01-01 13:30', '2030-01-01 13:00');
SELECT is_empty($$SELECT * FROM dashboard.quarantine_summary()$$, 'the rejects of a replaced version are no more shown');
SELECT is_empty($$SELECT * FROM etl.quarantined_objects()$$, 'nor loaded again');
SELECT is((SELECT objects_quarantined FROM dashboard.freshness()), 0::bigint, 'nor counted');

-- Pending objects that no listing shows any more.
SELECT pg_temp.list('left', 'e1', '2030-01-02 01:30', '2030-01-02 01:00');
SELECT pg_temp.list('seen', 'e1', '2030-01-02 01:30', '2030-01-02 01:00');
SELECT pg_temp.list('again', 'e1', '2030-01-02 01:30', '2030-01-02 01:00');
SELECT etl.start_run('{}') AS run \gset
SELECT pg_temp.list('seen', 'e1', '2030-01-02 01:30', '2030-01-02 01:00');
SELECT pg_temp.list('again', 'e2', '2030-01-02 02:30', '2030-01-02 02:00');
SELECT results_eq(format($$SELECT object_key, etag, last_modified, size_bytes, key_hour FROM etl.unseen_objects(%s, ARRAY['2030-01-02 01:00'::timestamptz])$$, :run),
    $$VALUES ('left', 'e1', '2030-01-02 01:30'::timestamptz, 1::bigint, '2030-01-02 01:00'::timestamptz)$$,
    'a pending object that a whole listing did not show is looked for');
SELECT is_empty(format($$SELECT etl.unseen_objects(%s, ARRAY['2030-01-02 02:00'::timestamptz])$$, :run), 'but only in the hours that were listed');
SELECT pg_temp.put('left', 'e1', '2030-01-02 01:30', '2030-01-02 01:00', 'gone');
SELECT set_eq($$SELECT pg_temp.hours('2030-01-02', '2030-01-03')$$, ARRAY['01 3=0+0+2+1'], 'and is gone if it was deleted before it was loaded');
SELECT pg_temp.list('left', 'e1', '2030-01-02 01:30', '2030-01-02 01:00');
SELECT set_eq($$SELECT status, listed_at > now() - interval '1 hour' FROM etl.newest_objects WHERE object_key = 'left'$$, $$VALUES ('pending', true)$$,
    'a gone object that is listed again is pending from then on');

-- What state an hour is in.
SELECT date_trunc('hour', now()) - interval '4 hours' AS ended, date_trunc('hour', now()) AS runs \gset
CREATE FUNCTION pg_temp.state(hour_at timestamptz) RETURNS text
LANGUAGE sql AS $$ SELECT c.state FROM dashboard.completeness(hour_at, hour_at + interval '1 minute') AS c $$;
SELECT is(pg_temp.state(:'ended'), 'gap', 'an hour that ended over 2 hours ago and was not listed since is a gap');
INSERT INTO etl.listed_hours VALUES (:'ended', :'ended'::timestamptz + interval '59 minutes', 1), (:'runs', now(), 1);
SELECT is(pg_temp.state(:'ended'), 'gap', 'also if it was listed before it ended');
UPDATE etl.listed_hours SET listed_at = :'ended'::timestamptz + interval '1 hour' WHERE hour_at = :'ended';
SELECT is(pg_temp.state(:'ended'), 'complete', 'listed after its end it is complete');
SELECT is(pg_temp.state(:'runs'), 'open', 'the hour that runs is open');
SELECT pg_temp.list('late', 'e1', :'ended', :'ended');
SELECT is(pg_temp.state(:'ended'), 'open', 'a pending object leaves its hour open');
UPDATE etl.pending_objects SET listed_at = now() - interval '121 minutes' WHERE object_key = 'late';
SELECT is(pg_temp.state(:'ended'), 'gap', 'pending over 2 hours it is a gap');

-- Where the default window begins.
SELECT is(etl.window_start('2030-06-03 12:30'), '2030-06-01 12:00'::timestamptz, 'what was never listed is listed, at latest 48 hours back');
INSERT INTO etl.listed_hours (hour_at, listed_at, run_id)
SELECT h, h + interval '3 hours', 1 FROM generate_series('2030-06-01 00:00'::timestamptz, '2030-06-03 12:00', interval '1 hour') AS h;
UPDATE etl.listed_hours SET listed_at = '2030-06-03 12:29' WHERE listed_at > '2030-06-03 12:29';
SELECT is(etl.window_start('2030-06-03 12:30'), '2030-06-03 10:00'::timestamptz, 'an hour is proven complete when it was listed two hours after its end');
SELECT pg_temp.list('waits', 'e1', '2030-06-02 07:30', '2030-06-02 07:00');
SELECT is(etl.window_start('2030-06-03 12:30'), '2030-06-02 07:00'::timestamptz, 'and nothing in it is pending');
SELECT pg_temp.put('waits', 'e2', '2030-06-02 07:40', '2030-06-02 07:00');
SELECT is(etl.window_start('2030-06-03 12:30'), '2030-06-03 10:00'::timestamptz, 'any more');

-- All of that has left the counts right: they are kept by what changes, here they are counted.
SELECT set_eq(
    'SELECT key_hour, status, objects FROM etl.object_counts WHERE objects <> 0',
    $$SELECT o.key_hour, o.status, count(*) FROM etl.object_versions AS o
    WHERE
        NOT EXISTS (
            SELECT FROM etl.object_versions AS n
            WHERE n.object_key = o.object_key AND (n.last_modified, n.object_id) > (o.last_modified, o.object_id)
        )
        AND NOT EXISTS (SELECT FROM etl.pending_objects AS p WHERE p.object_key = o.object_key)
    GROUP BY 1, 2
    UNION ALL
    SELECT p.key_hour, 'pending', count(*) FROM etl.pending_objects AS p GROUP BY 1$$, 'keys by hour and status are those of the newest versions'
);
SELECT cmp_ok((SELECT count(DISTINCT status)::int FROM etl.object_counts WHERE objects > 0), '>=', 2, 'of more than one kind');

SELECT * FROM finish();
ROLLBACK;
