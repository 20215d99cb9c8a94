-- What the dashboard's functions answer for literal events: one day of 2031 for each rule.
BEGIN;
SELECT plan(61);

CREATE TEMPORARY VIEW sessions AS
SELECT s.*, v.client_id FROM etl.session_facts AS s LEFT JOIN etl.visitors AS v ON v.visitor_no = s.visitor_no;

CREATE TEMPORARY SEQUENCE object_number;
-- Loads one object; a row is time|name|client|session|login|product|category|brand|price|discount|title.
CREATE FUNCTION pg_temp.load(rows text[]) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    number int := nextval('object_number');
BEGIN
    PERFORM etl.begin_chunk();
    INSERT INTO etl.staged_objects (object_no, object_key, etag, last_modified, size_bytes, key_hour, status, records_read)
    VALUES (1, 'k' || number, 'e', '2032-01-01T00:00Z', 1, '2031-01-01T00:00Z', 'loaded', cardinality(rows));
    INSERT INTO etl.staged_events (
        object_no, position, event_id, event_timestamp, event_name, client_id, session_id, user_login_state, context_product_id,
        context_product_category, context_product_brand, context_product_price, context_product_discount_price, context_product_name
    )
    SELECT 1, r.n - 1, lpad(to_hex(number * 10000 + r.n), 32, '0')::uuid, (v ->> 0)::timestamptz, v ->> 1, nullif(v ->> 2, ''),
        nullif(v ->> 3, ''), v ->> 4, nullif(v ->> 5, ''), v ->> 6, v ->> 7, nullif(v ->> 8, '')::numeric, nullif(v ->> 9, '')::numeric, v ->> 10
    FROM unnest(rows) WITH ORDINALITY AS r (text, n)
    CROSS JOIN LATERAL (SELECT to_jsonb(string_to_array(r.text, '|')) AS v) AS s;
    PERFORM etl.apply_chunk((SELECT max(run_id) FROM etl.runs));
END
$$;
CREATE FUNCTION pg_temp.kpi(day date, name text, filter jsonb DEFAULT NULL) RETURNS text
LANGUAGE sql
RETURN (SELECT to_jsonb(k) ->> name FROM dashboard.kpis(day::timestamptz, day + 1, 'UTC', filter) AS k);
SET LOCAL timezone = 'UTC';
SELECT etl.start_run('{}');

-- Keys
SELECT is(etl.value_key(E'\t B\u00c0N\u3000'), U&'b\00E0n', 'a key is without white space of any kind, in lower case');
SELECT is(etl.value_key(U&'ba\0300n'), U&'b\00E0n', 'and in NFC');
SELECT is(etl.value_key(E' \n\u00a0'), 'not set', 'and what is blank is not set');
SELECT pg_temp.load(ARRAY[
    '2031-01-01 01:00|Product_View|c1|s1|', '2031-01-01 01:01|Add_To_Cart_Click|c1|s1|', '2031-01-01 01:02|CHECKOUT_START|c1|s1|',
    E'2031-01-01 01:03| checkout_complete\t|c1|s1|', '2031-01-01 01:04|product_view|c2|s2|'
]);
SELECT results_eq(
    $$SELECT event_name, label, events FROM dashboard.event_mix('2031-01-01', '2031-01-02', 'UTC') WHERE event_name = 'product_view'$$,
    $$VALUES ('product_view', 'product_view', 2::bigint)$$, 'event names are grouped by key, and the newest spelling is shown'
);
SELECT is(pg_temp.kpi('2031-01-01', 'converted_sessions'), '1', 'a session converts by the key of the name');
SELECT is(pg_temp.kpi('2031-01-01', 'product_view_sessions'), '2', 'and has its views by it');
SELECT results_eq(
    $$SELECT closed_sessions, open_sessions FROM dashboard.funnel('2031-01-01', '2031-01-02', 'UTC')$$,
    $$VALUES (2::bigint, 2::bigint), (1, 1), (1, 1), (1, 1)$$, 'and a funnel takes its steps by it'
);

-- Login state
SELECT pg_temp.load(ARRAY[
    '2031-01-02 01:00|page_view|c1|l1|VIP', '2031-01-02 01:00|page_view|c2|l2|anonymous', '2031-01-02 01:01|page_view|c2|l2|Logged_In',
    '2031-01-02 01:00|page_view|c3|l3|'
]);
SELECT results_eq(
    $$SELECT login_state, sessions FROM dashboard.login_states('2031-01-02', '2031-01-03', 'UTC')$$,
    $$VALUES ('logged_in', 1::bigint), ('not set', 1), ('other', 1)$$, 'a session is logged in if any event is, else what its events say'
);
SELECT is(pg_temp.kpi('2031-01-02', 'events', '{"login_state": ["other"]}'), '1', 'a state without a class of its own is other, of events');
SELECT is(pg_temp.kpi('2031-01-02', 'sessions', '{"login_state": ["other"]}'), '1', 'and of sessions');
SELECT results_eq(
    $$SELECT value, label FROM dashboard.filter_values('login_state') ORDER BY 1$$,
    $$VALUES ('anonymous', 'anonymous'), ('logged_in', 'Logged_In'), ('not set', 'not set'), ('other', 'other')$$,
    'and the values to filter by are those classes'
);

-- Filter
SELECT pg_temp.load(ARRAY[
    '2031-01-03 01:00|product_view|c1|f1||p1|Mouse|AULA', '2031-01-03 01:01|checkout_complete|c1|f1',
    '2031-01-03 01:00|product_view|c2|f2||p1|Mouse|Other', '2031-01-03 01:01|product_view|c2|f2||p2|Desk|AULA'
]);
SELECT is(pg_temp.kpi('2031-01-03', 'sessions', '{"category": ["mouse"], "brand": ["aula"]}'), '1',
    'one event has to pass category and brand together');
SELECT is(pg_temp.kpi('2031-01-03', 'sessions', '{"category": ["mouse", "desk"]}'), '2', 'values of one field are alternatives');
SELECT is(pg_temp.kpi('2031-01-03', 'converted_sessions', '{"category": ["mouse"]}'), '1', 'a checkout need not pass');
SELECT is(pg_temp.kpi('2031-01-03', 'events', '{"category": ["mouse"]}'), '2', 'an event passes by itself');
SELECT is(pg_temp.kpi('2031-01-03', 'visitors', '{"brand": ["not set"]}'), '1', 'what has no value is not set');

-- Engaged, bounce
SELECT pg_temp.load(ARRAY[
    '2031-01-04 01:00:00|click|c1|e1', '2031-01-04 01:00:10|click|c1|e1', '2031-01-04 01:00:00|click|c2|e2',
    '2031-01-04 01:00:10.001|click|c2|e2', '2031-01-04 01:00:00|page_view|c3|e3', '2031-01-04 01:00:05|home_view|c3|e3',
    '2031-01-04 01:00:00|page_view|c4|e4', '2031-01-04 01:00:05.001|home_view|c4|e4', '2031-01-04 01:00:00|add_to_cart_click|c5|e5'
]);
SELECT results_eq(
    $$SELECT session_id FROM pg_temp.sessions WHERE session_id LIKE 'e_' AND is_engaged ORDER BY 1$$,
    $$VALUES ('e2'), ('e4'), ('e5')$$, 'engaged: longer than 10 s, or views over 5 s apart, or an add'
);
SELECT is(pg_temp.kpi('2031-01-04', 'bounce_rate'), '0.4', 'the others bounce');

-- Adds, abandonment, robots
SELECT pg_temp.load(ARRAY[
    '2031-01-05 01:00|add_to_cart_click|c1|a1', '2031-01-05 01:00|checkout_complete|c2|a2', '2031-01-05 01:01|add_to_cart_click|c2|a2',
    '2031-01-05 01:02|product_view|c2|a2', '2031-01-05 01:00|add_to_cart_click|c3|a3', '2031-01-05 01:00|checkout_complete|c3|a3'
]);
SELECT is(pg_temp.kpi('2031-01-05', 'abandoned_sessions'), '2', 'abandoned: no checkout completed at or after the first add');
SELECT is(pg_temp.kpi('2031-01-05', 'sessions_with_add'), '3', 'of the sessions with an add');
SELECT is(pg_temp.kpi('2031-01-05', 'add_sessions'), '1', 'the add-to-cart rate takes views and adds in any order');
SELECT is(pg_temp.kpi('2031-01-05', 'adds_without_view_sessions'), '2', 'and adds without a view are counted apart');
SELECT pg_temp.load(ARRAY(SELECT '2031-01-06 01:00|click|c1|r1' FROM generate_series(1, 5001)));
SELECT pg_temp.load(ARRAY(SELECT '2031-01-06 01:00|click|c2|r2' FROM generate_series(1, 5000)));
SELECT is(pg_temp.kpi('2031-01-06', 'sessions') || ' ' || pg_temp.kpi('2031-01-06', 'robot_sessions'), '1 1',
    'a session of over 5,000 events is a robot');

-- Funnel
SELECT pg_temp.load(ARRAY[
    '2031-01-07 01:00|product_view|c1|u1', '2031-01-07 01:00|add_to_cart_click|c1|u1', '2031-01-07 01:00|product_view|c2|u2',
    '2031-01-07 01:02|product_view|c2|u2', '2031-01-07 00:59|add_to_cart_click|c2|u2'
]);
SELECT results_eq(
    $$SELECT closed_sessions, open_sessions, median_seconds FROM dashboard.funnel('2031-01-07', '2031-01-08', 'UTC', NULL, ARRAY['product_view', 'add_to_cart_click'])$$,
    $$VALUES (2::bigint, 2::bigint, NULL::float8), (1, 2, 0)$$, 'the same instant is in order, an earlier one is not'
);
SELECT results_eq(
    $$SELECT closed_sessions, median_seconds FROM dashboard.funnel('2031-01-07', '2031-01-08', 'UTC', NULL, ARRAY['product_view', 'product_view'])$$,
    $$VALUES (2::bigint, NULL::float8), (1, 120)$$, 'a step named twice needs another event'
);

-- Sessions and visitors
SELECT pg_temp.load(ARRAY[
    '2031-01-10 23:59|click||d1', '2031-01-11 00:01|click|c9|d1', '2031-01-11 00:02|click|c8|d1', '2031-01-11 00:01|click||',
    '2031-01-11 01:00|click|c7|', '2031-01-11 01:30|click|c7|', '2031-01-11 02:00:00.001|click|c7|', '2031-01-11 01:10|click|c7|d2'
]);
SELECT is((SELECT client_id FROM pg_temp.sessions WHERE session_id = 'd1'), 'c9', 'a session is of the client of its first event that has one');
SELECT is(pg_temp.kpi('2031-01-10', 'sessions') || ' ' || pg_temp.kpi('2031-01-11', 'sessions'), '1 3',
    'it belongs to the instant of its first event and is not split at midnight');
SELECT is(pg_temp.kpi('2031-01-11', 'events') || ' ' || pg_temp.kpi('2031-01-11', 'visitors'), '7 3', 'an event without a client has no visitor');
SELECT results_eq(
    $$SELECT started_at, events FROM pg_temp.sessions WHERE client_id = 'c7' AND session_id IS NULL ORDER BY 1$$,
    $$VALUES ('2031-01-11 01:00'::timestamptz, 2), ('2031-01-11 02:00:00.001', 1)$$, 'without an id a gap of more than 30 minutes starts a session'
);

-- Products, categories, prices
SELECT pg_temp.load(ARRAY[
    '2031-01-08 01:00|product_view|c1|p1||m1|Mouse|AULA|100|7|Old', '2031-01-08 01:01|product_view|c1|p1||m1| |||101|  ',
    '2031-01-08 01:02|category_view|c1|p1||m1|Wrong|Wrong|5|0|Wrong', '2031-01-08 01:03|product_view|c1|p1||m2|mouse |Logi|900|101|New',
    '2031-01-08 01:04|product_view|c1|p1||m3||'
]);
SELECT results_eq(
    $$SELECT name, category, brand, price_seen, views FROM dashboard.top_products('2031-01-08', '2031-01-09', 'UTC') WHERE product_id = 'm1'$$,
    $$VALUES ('Old', 'Mouse', 'AULA', 100::numeric, 2::bigint)$$, 'name and labels are of the newest event that has one, category_view left out'
);
SELECT results_eq(
    $$SELECT value, label, views FROM dashboard.top_categories('2031-01-08', '2031-01-09', 'UTC')$$,
    $$VALUES ('mouse', 'mouse', 2::bigint), ('not set', 'not set', 2)$$, 'a category is shown in its newest spelling, what is blank as not set'
);
SELECT results_eq(
    $$SELECT label FROM dashboard.top_brands('2031-01-08', '2031-01-09', 'UTC') ORDER BY 1$$,
    $$VALUES ('AULA'), ('Logi'), ('not set')$$, 'and brands alike'
);
SELECT is(pg_temp.kpi('2031-01-08', 'discount_rows') || ' ' || pg_temp.kpi('2031-01-08', 'implausible_discounts'), '4 3',
    'a discount price is one above 100 and below the price; the others are counted');
SELECT pg_temp.load(ARRAY[
    '2031-01-09 01:00|add_to_cart_click|c1|v1||m1|||5|1', '2031-01-09 01:01|add_to_cart_click|c1|v1||m1|||7|1',
    '2031-01-09 01:02|add_to_cart_click|c1|v1||m1|||8|1', '2031-01-09 01:03|remove_from_cart_click|c1|v1||m1',
    '2031-01-09 01:04|add_to_cart_click|c1|v1||m2', '2031-01-09 01:05|checkout_complete|c1|v1',
    '2031-01-09 01:06|remove_from_cart_click|c1|v1||m1', '2031-01-09 01:00|add_to_cart_click|c2|v2||m1|||1000'
]);
SELECT is(pg_temp.kpi('2031-01-09', 'cart_value') || ' ' || pg_temp.kpi('2031-01-09', 'cart_value_missing'), '16 1',
    'cart value: what stayed in converting carts at the last price seen; without a price it is counted');
SELECT results_eq(
    $$SELECT product_id, adds, removals, add_sessions, bought_sessions FROM dashboard.top_products('2031-01-09', '2031-01-10', 'UTC') ORDER BY 1$$,
    $$VALUES ('m1', 4::bigint, 2::bigint, 0::bigint, 1::bigint), ('m2', 1, 0, 0, 1)$$, 'bought: added and completed later'
);

-- Time zones
SELECT pg_temp.load(ARRAY[
    '2031-04-05 13:50|click|c1|z1', '2031-04-05 14:50|click|c1|z1', '2031-04-05 15:10|click|c1|z1', '2031-04-05 16:10|click|c1|z2'
]);
SELECT is(
    (SELECT sum(s.events) FROM dashboard.series('2031-04-05 12:00', '2031-04-05 18:00', 'Australia/Lord_Howe', NULL, 'hour') AS s), 4::numeric,
    'hours add up where the clock goes back by half an hour'
);
SELECT results_eq(
    $$SELECT bucket_at, events FROM dashboard.series('2031-04-05 13:20', '2031-04-05 15:14', 'Asia/Kathmandu', NULL, 'hour')$$,
    $$VALUES ('2031-04-05 13:15Z'::timestamptz, 1::bigint), ('2031-04-05 14:15Z', 2)$$, 'hours are those of a zone of 5:45'
);
SELECT results_eq(
    $$SELECT bucket_at, sessions FROM dashboard.series('2031-03-31 17:00Z', '2031-04-07 17:00Z', 'Asia/Ho_Chi_Minh', NULL, 'week')$$,
    $$VALUES ('2031-03-30 17:00Z'::timestamptz, 2::bigint), ('2031-04-06 17:00Z', 0)$$, 'weeks begin on Monday'
);

-- The funnel by a field
SELECT pg_temp.load(ARRAY[
    '2031-05-07 01:00|page_view|g1|w0|guest||',
    '2031-05-08 01:00|product_view|g1|w1|logged_in|x1|Laptop|Dell', '2031-05-08 01:01|add_to_cart_click|g1|w1|logged_in|x2|Mouse|Dell',
    '2031-05-08 02:00|product_view|g2|w2|guest|x2|Mouse|Akko', '2031-05-08 03:00|page_view|g2|w3|guest||'
]);
SELECT results_eq(
    $$SELECT * FROM dashboard.funnel_split('2031-05-08', '2031-05-09', 'UTC')$$,
    $$VALUES ('guest', 'guest', 1::bigint, 0::bigint, 0::bigint, 0::bigint), ('logged_in', 'logged_in', 1, 1, 0, 0)$$,
    'a funnel by login state counts each session once, and no state without a view'
);
SELECT results_eq(
    $$SELECT value, label, view_sessions, add_sessions FROM dashboard.funnel_split('2031-05-08', '2031-05-09', 'UTC', NULL, 'category')$$,
    $$VALUES ('mouse', 'Mouse', 2::bigint, 1::bigint), ('laptop', 'Laptop', 1, 1)$$,
    'by category a session counts whole for each of its own'
);
SELECT results_eq(
    $$SELECT value, view_sessions, add_sessions FROM dashboard.funnel_split('2031-05-08', '2031-05-09', 'UTC', '{"category": ["mouse"]}', 'brand')$$,
    $$VALUES ('akko', 1::bigint, 0::bigint), ('dell', 1, 1)$$, 'by brand one event passes the filter and has the value'
);
SELECT results_eq(
    $$SELECT value, view_sessions, add_sessions FROM dashboard.funnel_split('2031-05-08', '2031-05-09', 'UTC', NULL, 'new_returning')$$,
    $$VALUES ('new', 1::bigint, 0::bigint), ('returning', 1, 1)$$, 'and a session is new that holds its client''s first event'
);

-- Products in pages, and one of them
SELECT pg_temp.load(ARRAY[
    '2031-06-02 01:00|product_view|q1|o1||a1|Phone|Sam|300|7|Điện Thoại Á', '2031-06-02 01:01|add_to_cart_click|q1|o1||a1|Phone|Sam|280|250|',
    '2031-06-02 01:02|checkout_complete|q1|o1', '2031-06-02 02:30|product_view|q2|o2||a1|Phone|Sam||50|',
    '2031-06-02 02:31|wishlist_toggle|q2|o2||B2|Cap||90||bàn phím', '2031-06-02 02:32|category_view|q2|o2||c3|Cap||10||Cap',
    '2031-06-02 02:33|product_view|q2|o2||d_4|||||', '2031-06-02 02:34|remove_from_cart_click|q2|o2||a1||||| '
]);
CREATE FUNCTION pg_temp.listed(search text, sort text, up boolean, skipped int DEFAULT 0, rows int DEFAULT 25) RETURNS text
LANGUAGE sql
RETURN (
    SELECT string_agg(l.product_id, ' ' ORDER BY l.n) || ' of ' || min(l.products)
    FROM dashboard.product_list('2031-06-02', '2031-06-03', 'UTC', NULL, search, sort, up, skipped, rows)
        WITH ORDINALITY AS l (
            product_id, name, category, brand, price_seen, views, adds, removals, wishlisted, view_sessions, add_sessions,
            bought_sessions, add_to_cart_rate, products, n
        )
);
SELECT is(pg_temp.listed(NULL, 'views', false), 'a1 d_4 B2 of 3', 'products are listed by views, category_view left out');
SELECT is(pg_temp.listed('', 'name', true), 'B2 d_4 a1 of 3', 'by name, marks and case aside; by id where there is none');
SELECT is(pg_temp.listed('', 'price', true), 'B2 a1 d_4 of 3', 'what has no price comes last from the lowest');
SELECT is(pg_temp.listed('', 'price', false), 'a1 B2 d_4 of 3', 'and from the highest');
SELECT is(pg_temp.listed(' DIEN thoai', 'views', false), 'a1 of 1', 'a search needs no marks and no capitals');
SELECT is(pg_temp.listed('b2', 'views', false), 'B2 of 1', 'and looks at ids as well');
SELECT is(pg_temp.listed('_', 'views', false), 'd_4 of 1', 'nothing in it is a pattern');
SELECT is(pg_temp.listed('', 'views', false, 1, 1), 'd_4 of 3', 'a page says of how many it is');
SELECT throws_ok($$SELECT * FROM dashboard.product_list('2031-06-02', '2031-06-03', 'UTC', NULL, '', 'name; DROP')$$, '22023', NULL,
    'there is no other column to sort by');
SELECT results_eq(
    $$SELECT * FROM dashboard.product_totals('2031-06-02', '2031-06-03', 'UTC', NULL, 'a1')$$,
    $$VALUES (2::bigint, 1::bigint, 1::bigint, 0::bigint, 2::bigint, 1::bigint, 1::bigint, 0.5::float8)$$,
    'one product''s numbers are those of its row'
);
SELECT results_eq(
    $$SELECT views, adds, removals, bought_sessions FROM dashboard.product_series('2031-06-02 01:00', '2031-06-02 03:00', 'UTC', NULL, 'hour', 'a1')$$,
    $$VALUES (1::bigint, 1::bigint, 0::bigint, 1::bigint), (1, 0, 1, 0)$$, 'its course is by the hour, bought where the session starts'
);
SELECT results_eq(
    $$SELECT * FROM dashboard.product_prices('2031-06-02', '2031-06-03', 'UTC', NULL, 'a1')$$,
    $$VALUES (280::numeric, 300::numeric, 2::bigint, 3::bigint, 2::bigint)$$, 'its prices are those seen, and discounts that are none are counted'
);
SELECT is_empty(
    $$SELECT l.product_id FROM dashboard.product_labels('c3') AS l UNION ALL SELECT t.views::text FROM dashboard.product_totals('2031-06-02', '2031-06-03', 'UTC', NULL, 'c3') AS t$$,
    'an id of a category_view alone is no product'
);

-- Data until
SELECT is(etl.data_until(), NULL, 'without a run that left nothing pending there is no data until');
UPDATE etl.runs SET result = 'loaded', started_at = '2031-01-05 01:20';
INSERT INTO etl.runs (request, result, started_at) VALUES
    ('{"prefix": "events/2030/01/01/"}', 'loaded', '2031-01-05 02:00'), ('{"from": "2030-01-01T00:00:00+00:00", "to": "2030-01-02T00:00:00+00:00"}', 'loaded', '2031-01-05 02:00'),
    ('{"reload": true, "quarantine": true}', 'loaded', '2031-01-05 02:00'), ('{}', 'partial', '2031-01-05 02:00'),
    ('{"prefix": "events/2031/"}', 'loaded', '2031-01-05 01:25'), ('{"from": "2030-01-01T00:00:00+00:00", "to": "2031-01-05T02:00:00+00:00"}', 'loaded', '2031-01-05 01:30');
SELECT is(etl.data_until(), '2031-01-05 01:30'::timestamptz, 'a run that did not list its own hour moves no data until');
SELECT is(pg_temp.kpi('2031-01-05', 'abandoned_sessions') || ' of ' || pg_temp.kpi('2031-01-05', 'sessions_with_add'), '1 of 2',
    'a session whose last event is under 30 minutes before data until is left out of abandonment');
SELECT results_eq(
    $$SELECT closed_sessions, left_sessions, still_open_sessions FROM dashboard.funnel('2031-01-05', '2031-01-06', 'UTC', NULL, ARRAY['add_to_cart_click', 'checkout_complete'])$$,
    $$VALUES (3::bigint, 1::bigint, 1::bigint), (1, NULL, NULL)$$, 'and of those that left a funnel'
);
SELECT results_eq(
    $$SELECT provisional FROM dashboard.series('2031-01-05', '2031-01-05 03:00', 'UTC', NULL, 'hour')$$,
    $$VALUES (false), (true), (true)$$, 'a bucket that ends after data until is provisional'
);
SELECT throws_ok($$SELECT dashboard.funnel('2031-01-05', '2031-01-06', 'UTC', NULL, ARRAY['page_view'])$$, '22023', NULL,
    'a funnel has two steps at least');

SELECT * FROM finish();
ROLLBACK;
