-- Erasure: a visitor's or an account's events go, with their lineage and sessions, and nothing brings them back.
BEGIN;
SELECT plan(55);

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
-- A warehouse that is restored does not know what it erased.
CREATE FUNCTION pg_temp.forget() RETURNS void
LANGUAGE sql AS $$
    TRUNCATE etl.erasures, etl.tombstones, etl.erased_events, etl.erased_copies, etl.quarantine
$$;
SET LOCAL timezone = 'UTC';
SELECT etl.start_run('{}') AS run \gset
SELECT is(pg_temp.load('a', ARRAY[
    '1|2021-01-01 01:00|c1|s1|', '2|2021-01-01 01:01|c2|s1|', '3|2021-01-01 02:00|c1||', '4|2021-01-01 01:00|c3|s3|u1', '5|2021-01-01 01:02|c3|s3|'
]), '6 5 0 1 0', 'before an erasure all is stored');
SELECT pg_temp.load('b', ARRAY['1|2021-01-01 01:00|c1|s1|']);
SELECT dashboard.load_marker() AS marker \gset
SELECT visitor_no AS c1_no FROM etl.visitors WHERE client_id = 'c1' \gset

SELECT etl.erase('c1') AS receipt \gset
SELECT is(:'receipt'::jsonb -> 'counts', '{
    "events": 2, "copies": 1, "quarantine_samples": 2, "sessions_removed": 1, "sessions_recounted": 1, "visitors": 1
}', 'a receipt counts what was erased of a visitor');
SELECT is(
    :'receipt'::jsonb -> 'event_ids',
    '["00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000003"]', 'and says which events'
);
SELECT is(:'receipt'::jsonb -> 'objects', '[{"key": "a", "etag": "e"}, {"key": "b", "etag": "e"}]', 'and the objects, that of the copy as well');
SELECT is(
    :'receipt'::jsonb -> 'rejects', '[{"key": "a", "etag": "e", "position": 99}, {"key": "b", "etag": "e", "position": 99}]',
    'and the rejects that name the visitor'
);
SELECT is(position('"c1"' IN :'receipt'), 0, 'but not who it was');
SELECT set_eq('SELECT right(event_id::text, 1) FROM public.clickstream_events', ARRAY['2', '4', '5'], 'the events are gone, no others');
SELECT set_eq('SELECT right(event_id::text, 1) FROM etl.event_ids', ARRAY['2', '4', '5'], 'with their ids');
SELECT set_eq('SELECT right(event_id::text, 1) FROM etl.event_facts', ARRAY['2', '4', '5'], 'and their facts');
SELECT is_empty('SELECT FROM etl.duplicates', 'and the lineage of their copies');
SELECT results_eq($$SELECT session_id, client_id, events FROM pg_temp.sessions ORDER BY 1$$,
    $$VALUES ('s1', 'c2', 1), ('s3', 'c3', 2)$$, 'their sessions are counted anew');
SELECT is_empty($$SELECT FROM etl.visitors WHERE client_id = 'c1'$$, 'the visitor is no more');
SELECT is_empty($$SELECT FROM etl.quarantine WHERE position('c1'::bytea IN sample) > 0$$, 'nor in a sample of the quarantine');
SELECT is((SELECT count(*)::int FROM etl.quarantine WHERE resolved_at IS NULL), 2, 'whose rejects stay open until their object is cleaned');
SELECT isnt(dashboard.load_marker(), :marker::bigint, 'and pages ask again');
SELECT is(etl.data_until(), NULL, 'but the data reach no further');
SELECT is_empty($$SELECT FROM etl.runs WHERE request::text LIKE '%c1%'$$, 'no book keeps whom it was');
SELECT results_eq('SELECT receipt, stored_at FROM etl.erasures', format($$VALUES (%L::jsonb, NULL::timestamptz)$$, :'receipt'),
    'the receipt waits to be put away');
SELECT is(
    (SELECT encode(hash, 'hex') FROM etl.tombstones WHERE field = 'client_id'), :'receipt'::jsonb #>> '{tombstones,0,hash}',
    'of the visitor stays a hash'
);
SELECT isnt((SELECT hash FROM etl.tombstones), sha256('client_id:c1'), 'that nobody makes without the key');
SELECT results_eq(
    'SELECT object_key, event_ids, sample_hashes FROM etl.list_uncleaned()',
    $$VALUES
    ('a', '{00000000-0000-0000-0000-000000000001, 00000000-0000-0000-0000-000000000003}'::uuid[],
        ARRAY[encode(sha256('{"clientId":"c1"'), 'hex')]),
    ('b', '{00000000-0000-0000-0000-000000000001}', ARRAY[encode(sha256('{"clientId":"c1"'), 'hex')])$$, 'raw objects that hold the events wait to be cleaned'
);
INSERT INTO etl.erased_copies (object_id, event_id) SELECT object_id, gen_random_uuid() FROM etl.object_versions WHERE object_key = 'a';
SELECT etl.note_cleaned(
    ARRAY(SELECT object_id FROM etl.object_versions), ARRAY(SELECT object_id FROM etl.object_versions WHERE object_key = 'b')
);
SELECT is((SELECT count(*)::int FROM etl.erased_copies), 1, 'until they are, but for what was noted since the list');
SELECT pg_temp.load('others', ARRAY['22|2021-01-01 05:00|c2|s9|']);
UPDATE etl.quarantine AS q SET sample = 'of another' FROM etl.object_versions AS o
WHERE o.object_id = q.object_id AND o.object_key = 'others';
SELECT etl.list_uncleaned(), etl.note_cleaned(ARRAY(SELECT object_id FROM etl.object_versions));
SELECT is_empty('SELECT FROM etl.erased_copies', 'or all of it');
SELECT results_eq('SELECT object_key, status FROM etl.object_versions ORDER BY object_id',
    $$VALUES ('a', 'loaded'), ('b', 'gone'), ('others', 'quarantined')$$,
    'an object whose rejects were all erased is in quarantine no longer, one that was deleted is gone');
SELECT set_eq(
    $$SELECT number || ' ' || is_held FROM etl.unknown_objects(ARRAY['a', 'b', 'others'], ARRAY['e', 'e', 'e'])$$,
    ARRAY['1 false', '2 false', '3 false'], 'and what comes back under its key is read again, the same bytes as well'
);
SELECT results_eq(
    'SELECT o.object_key FROM etl.quarantine AS q INNER JOIN etl.object_versions AS o ON o.object_id = q.object_id WHERE q.resolved_at IS NULL',
    ARRAY['others'], 'rejects of others stay open');

SELECT etl.start_run('{}') AS second \gset
SELECT is(pg_temp.load('a', ARRAY[
    '1|2021-01-01 01:00|c1|s1|', '2|2021-01-01 01:01|c2|s1|', '3|2021-01-01 02:00|c1||', '6|2021-01-01 02:00|c6||'
]), '5 1 1 1 2', 'a reload does not bring them back, and counts them as erased');
SELECT is((SELECT events_erased FROM dashboard.runs(1)), 2::bigint, 'in its run as well');
SELECT is_empty($$SELECT FROM etl.quarantine WHERE position('c1'::bytea IN sample) > 0$$, 'nor a sample');
SELECT is_empty($$SELECT FROM etl.unknown_objects(ARRAY['a'], ARRAY['e'])$$, 'once');
SELECT is(pg_temp.load('late', ARRAY['7|2021-01-01 03:00|c1|s7|', '8|2021-01-01 03:00|c6||']), '3 1 0 1 1',
    'nor does an event of theirs come in that was not there yet');
SELECT is(
    (SELECT event_ids FROM etl.list_uncleaned() WHERE object_key = 'late'),
    ARRAY['00000000-0000-0000-0000-000000000007'::uuid], 'its object waits to be cleaned as well'
);
SELECT is(pg_temp.load('other', ARRAY['1|2021-01-01 01:00|c9|s9|']), '2 0 0 1 1', 'nor does a copy that names another');
SELECT is(pg_temp.load('back', ARRAY['9|2041-01-01 01:00|c1|s8|']), '2 1 0 1 0', 'who comes back later is counted');
SELECT isnt((SELECT visitor_no FROM etl.visitors WHERE client_id = 'c1'), :c1_no, 'under a number that nobody had');

SELECT is(etl.erase(user_id => 'u1') #> '{counts,events}', '1', 'of an account its own events are erased');
SELECT is((SELECT first_seen_at FROM etl.visitors WHERE client_id = 'c3'), '2021-01-01 01:02'::timestamptz, 'first seen is counted anew');
SELECT is(pg_temp.load('d', ARRAY[
    '10|2021-01-02 01:00|c4|s4|u2', '11|2021-01-02 01:01|c4|s4|', '12|2021-01-02 01:00|c5|s5|u2', '13|2021-01-02 01:00|c5|s6|u3', '14|2021-01-02 01:00|c6|s6|'
]), '6 5 0 1 0', 'an account of two browsers');
SELECT etl.erase(user_id => 'u2', with_clients => true) AS account \gset
SELECT is(:'account'::jsonb #> '{counts,events}', '4', 'with_clients erases all events of its browsers');
SELECT is(jsonb_array_length(:'account'::jsonb -> 'tombstones'), 3, 'and leaves a hash of each, and of the account');
SELECT is(pg_temp.load('e', ARRAY['15|2021-01-02 02:00|c7|s7|u2', '16|2021-01-02 02:00|c5|s7|']), '3 0 0 1 2', 'neither comes back');
SELECT is(etl.erase('nobody') #> '{counts,events}', '0', 'somebody who never came is erased all the same');
SELECT is(pg_temp.load('f', ARRAY['17|2021-01-03 02:00|nobody|s9|']), '2 0 0 1 1', 'for events that were on their way');

SELECT set_eq(
    $$SELECT s.sample FROM unnest(ARRAY[
        '{"clientId":"c12"', '{"clientId":"xc1"', '{"clientId":"c1-2"', 'c12 c1', '{"clientId":"c1', 'c1"', '"c1"'
    ]) AS s (sample) WHERE etl.is_named_in('c1', s.sample::bytea)$$,
    ARRAY['c12 c1', '{"clientId":"c1', 'c1"', '"c1"'], 'an id is found by itself, not in a longer one'
);
SELECT ok(etl.is_named_in('hà "x"', convert_to('{"a":"h\u00e0 \"x\""', 'UTF8')), 'also as JSON escapes it');
SELECT throws_ok($$SELECT etl.erase(' ', NULL)$$, 'whom to erase is not clear', 'nobody is nobody');
SELECT throws_ok($$SELECT etl.erase('c', 'u')$$, 'whom to erase is not clear', 'nor are two one');
SELECT throws_ok($$SELECT etl.erase('c', with_clients => true)$$, 'with_clients goes with a user_id', 'a browser has no browsers');

-- After a restore.
SELECT array_agg(receipt) AS receipts FROM etl.erasures \gset
SELECT pg_temp.forget();
SELECT is(pg_temp.load('a', ARRAY['1|2021-01-01 01:00|c1|s1|', '18|2021-01-04 01:00|c1|s1|', '19|2021-01-04 01:00|c8|s9|u2', '20|2021-01-04 01:00|c8|s9|']),
    '5 4 0 1 0', 'a restore revives who was erased');
SELECT is(etl.replay_erasures(:'receipts') -> 'counts', '{
    "events": 3, "copies": 0, "quarantine_samples": 1, "sessions_removed": 0, "sessions_recounted": 2, "visitors": 0
}', 'the receipts erase them again, events that they do not list as well');
SELECT set_eq('SELECT ltrim(right(event_id::text, 2), ''0'') FROM public.clickstream_events',
    ARRAY['2', '5', '6', '8', '9', '14', '20', '22'], 'and nobody else, nor who came back later');
SELECT is(etl.replay_erasures(:'receipts') #> '{counts,events}', '0', 'a second replay finds nothing');
SELECT is(pg_temp.load('a', ARRAY['1|2021-01-01 01:00|c1|s1|', '21|2021-01-04 01:00|c1|s1|']), '3 0 0 1 2', 'and they stay out');
UPDATE etl.erasure_keys SET inner_key = sha512('another');
SELECT pg_temp.forget();
SELECT is(etl.replay_erasures(:'receipts') ->> 'receipts', '4', 'receipts of another warehouse''s key keep out the events that they list');
SELECT throws_ok($$SELECT etl.replay_erasures(ARRAY['{"version": 2, "receipt_id": "r"}'::jsonb])$$, 'receipt r is not one of version 1',
    'a receipt of another version is not guessed at');

SELECT * FROM finish();
ROLLBACK;
