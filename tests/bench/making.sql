-- A shop's events of a year and of some weeks after it, the same in every run: all that looks random is a hash of
-- numbers. :sessions in the year, visitors half as many, events about five times as many. Runs in the database
-- plain; what comes after the year goes to gen.later.
CREATE SCHEMA gen;
CREATE SCHEMA plain;

CREATE FUNCTION gen.draw(number bigint, salt bigint) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (hashint8extended(number, salt) & 4294967295)::float8 / 4294967296;

CREATE FUNCTION gen.uuid(kind text, number bigint) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN overlay(overlay(md5(kind || number) PLACING '4' FROM 13) PLACING '8' FROM 17)::uuid::text;

CREATE TABLE plain.events (
    event_id uuid NOT NULL,
    event_timestamp timestamptz NOT NULL,
    event_name text NOT NULL,
    user_id text,
    user_login_state text,
    identity_source text,
    client_id text,
    session_id text,
    is_first_visit boolean,
    context_product_id text,
    context_product_name text,
    context_product_category text,
    context_product_brand text,
    context_product_price numeric,
    context_product_discount_price numeric,
    context_product_url_path text
);
CREATE UNLOGGED TABLE gen.later (LIKE plain.events);

-- 20 categories of 150 products each, 60 brands, some in many categories.
CREATE UNLOGGED TABLE gen.products AS
SELECT
    p.number::integer AS product_no,
    'prod_' || p.number AS id,
    'Sản phẩm ' || c.category || ' ' || p.number AS name,
    c.category,
    'brand-' || lpad(floor(60 * gen.draw(p.number, 1) ^ 1.6)::text, 2, '0') AS brand,
    (round(50000 * exp(4.5 * gen.draw(p.number, 2))) / 1000)::integer * 1000::numeric AS price,
    CASE WHEN gen.draw(p.number, 3) < 0.1 THEN 10 ELSE 0 END::numeric AS discount
FROM generate_series(0, 2999) AS p (number)
CROSS JOIN LATERAL (SELECT 'category-' || lpad((p.number % 20)::text, 2, '0') AS category) AS c;

-- Sessions of each hour: most in the evening, few before dawn, more on weekends, more at the year's end.
CREATE UNLOGGED TABLE gen.hours AS
WITH weight AS (
    SELECT
        h.at,
        (ARRAY[5, 3, 2, 1, 1, 2, 4, 6, 8, 10, 11, 11, 10, 9, 9, 10, 10, 10, 11, 13, 15, 16, 13, 8])[
            extract(HOUR FROM l.at) + 1
        ]
        * CASE WHEN extract(ISODOW FROM l.at) > 5 THEN 1.25 ELSE 1 END
        * (1 + 0.3 * extract(EPOCH FROM h.at - :from_at) / (365 * 86400)) AS raw
    FROM generate_series(:from_at, :to_at + interval '89 days 23 hours', interval '1 hour') AS h (at)
    CROSS JOIN LATERAL (SELECT h.at AT TIME ZONE 'Asia/Ho_Chi_Minh' AS at) AS l
),

share AS (
    SELECT w.at, w.raw / sum(w.raw) FILTER (WHERE w.at < :to_at) OVER () AS share
    FROM weight AS w
)

SELECT
    s.at, floor(:sessions * (sum(s.share) OVER (ORDER BY s.at) - s.share))::bigint AS first_no,
    floor(:sessions * sum(s.share) OVER (ORDER BY s.at))::bigint AS next_no
FROM share AS s;

-- Half of the sessions bring a new visitor; the others are of one seen before, more likely lately.
CREATE UNLOGGED TABLE gen.starts AS
SELECT
    n.session_no,
    date_trunc('milliseconds', h.at + interval '1 hour' * (n.session_no - h.first_no + gen.draw(n.session_no, 11))
    / (h.next_no - h.first_no)) AS started_at,
    sum(CASE WHEN v.is_new THEN 1 ELSE 0 END) OVER (ORDER BY n.session_no) AS newest_no,
    v.is_new
FROM gen.hours AS h
CROSS JOIN LATERAL generate_series(h.first_no, h.next_no - 1) AS n (session_no)
CROSS JOIN LATERAL (SELECT n.session_no = 0 OR gen.draw(n.session_no, 12) < 0.5 AS is_new) AS v;

-- What happens in a session: its length, and the places of its funnel steps and of a login midway.
CREATE UNLOGGED TABLE gen.sessions AS
SELECT
    s.session_no, s.started_at, s.is_new, c.client_no, l.events,
    gen.uuid('s', s.session_no) AS session_id, gen.uuid('c', c.client_no) AS client_id,
    least(120, 3 - 22 * ln(1 - gen.draw(s.session_no, 13))) AS pace,
    CASE WHEN a.has_account THEN 'user-' || c.client_no END AS user_id,
    CASE
        WHEN a.has_account AND gen.draw(s.session_no, 14) < 0.5 THEN 0
        WHEN a.has_account AND l.events > 3 AND gen.draw(s.session_no, 15) < 0.4
            THEN 2 + floor((l.events - 2) * gen.draw(s.session_no, 16))
    END::integer AS login_at,
    CASE WHEN gen.draw(c.client_no, 17) < 0.12 THEN 'guest' ELSE 'anonymous' END AS base_state,
    CASE WHEN f.depth > 0 THEN 2 + floor((l.events - greatest(f.depth, 1)) * gen.draw(s.session_no, 18)) END::integer
    AS add_at,
    CASE f.depth WHEN 2 THEN l.events WHEN 3 THEN l.events - 1 END AS start_at,
    CASE f.depth WHEN 3 THEN l.events END AS complete_at,
    floor(20 * gen.draw(s.session_no, 19) ^ 1.7)::integer AS category_no
FROM gen.starts AS s
CROSS JOIN LATERAL (
    SELECT CASE
        WHEN s.is_new THEN s.newest_no
        ELSE greatest(1, s.newest_no + floor(ln(1 - gen.draw(s.session_no, 20)) * :sessions
        / CASE WHEN gen.draw(s.session_no, 21) < 0.6 THEN 104 ELSE 10 END))
    END::bigint AS client_no
) AS c
CROSS JOIN LATERAL (
    SELECT
        1 + least(29, floor(-4.48 * ln(1 - gen.draw(s.session_no, 22))))::integer AS events,
        gen.draw(s.session_no, 23) AS wish
) AS l
CROSS JOIN LATERAL (SELECT gen.draw(c.client_no, 24) < 0.3 AS has_account) AS a
CROSS JOIN LATERAL (
    SELECT CASE
        WHEN l.wish < 0.07 AND l.events > 4 THEN 3
        WHEN l.wish < 0.11 AND l.events > 3 THEN 2
        WHEN l.wish < 0.23 AND l.events > 2 THEN 1
        ELSE 0
    END AS depth
) AS f;
CREATE INDEX ON gen.sessions USING brin (started_at);

CREATE FUNCTION gen.name(at integer, draw float8, add_at integer, start_at integer, complete_at integer,
    login_at integer, events integer) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN at = complete_at THEN 'checkout_complete'
    WHEN at = start_at THEN 'checkout_start'
    WHEN at = add_at THEN 'add_to_cart_click'
    WHEN at = add_at - 1 THEN 'product_view'
    WHEN at = login_at THEN 'login_success'
    WHEN at = login_at - 1 THEN 'login_open'
    WHEN login_at IS NOT NULL AND at = events AND draw > 0.93 THEN 'logout'
    WHEN at > add_at AND draw > 0.95 THEN 'remove_from_cart_click'
    WHEN at = 1 AND draw < 0.35 THEN 'home_view'
    WHEN draw < 0.62 THEN 'product_view'
    WHEN draw < 0.76 THEN 'category_view'
    WHEN draw < 0.85 THEN 'click'
    WHEN draw < 0.92 THEN 'page_view'
    WHEN draw < 0.96 THEN 'wishlist_toggle'
    WHEN draw < 0.98 THEN 'share_click'
    WHEN draw < 0.985 THEN 'add_to_cart_click'
    WHEN draw < 0.9852 THEN 'checkout_complete'
    ELSE 'home_view'
END;

-- The events of the sessions that started in [from, to), in the order of time. An add is of the product viewed just
-- before; seven products in ten are of the session's category.
CREATE FUNCTION gen.events(from_at timestamptz, to_at timestamptz) RETURNS SETOF plain.events
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT
        overlay(overlay(md5('e' || e.event_no) PLACING '4' FROM 13) PLACING '8' FROM 17)::uuid,
        e.at, e.name, CASE WHEN e.is_logged_in THEN e.user_id END,
        CASE WHEN e.is_logged_in THEN 'logged_in' ELSE e.base_state END,
        NULL, e.client_id, e.session_id, e.is_first, coalesce(p.id, e.category),
        p.name, coalesce(p.category, e.category), p.brand, p.price, p.discount,
        '/product/' || p.id
    FROM (
        SELECT
            n.*, s.session_id, s.client_id, s.user_id, s.base_state, s.is_new AND n.i = 1 AS is_first,
            coalesce(n.i >= s.login_at, false) AS is_logged_in,
            s.started_at + interval '1 millisecond' * CASE
                WHEN n.i = 1 THEN 0
                WHEN n.i = s.complete_at
                    THEN floor(1000 * s.pace * (n.i - 2 + 0.9 * gen.draw(n.event_no - 1, 31))) + 1500
                ELSE floor(1000 * s.pace * (n.i - 1 + 0.9 * gen.draw(n.event_no, 31)))
            END AS at,
            CASE WHEN k.name = 'category_view' THEN 'category-' || lpad(s.category_no::text, 2, '0') END AS category,
            k.name,
            CASE
                WHEN k.name NOT IN (
                    'product_view', 'add_to_cart_click', 'remove_from_cart_click', 'wishlist_toggle', 'share_click'
                ) THEN NULL
                WHEN gen.draw(k.slot, 32) < 0.7 THEN floor(150 * gen.draw(k.slot, 33) ^ 3) * 20 + s.category_no
                ELSE floor(3000 * gen.draw(k.slot, 33) ^ 3)
            END::integer AS product_no
        FROM gen.sessions AS s
        CROSS JOIN LATERAL (
            SELECT i.i, s.session_no * 32 + i.i AS event_no FROM generate_series(1, s.events) AS i (i)
        ) AS n
        CROSS JOIN LATERAL (
            SELECT gen.name(
                n.i, gen.draw(n.event_no, 34), s.add_at, s.start_at, s.complete_at, s.login_at, s.events
            ) AS name
        ) AS m
        CROSS JOIN LATERAL (
            SELECT
                m.name,
                CASE
                    WHEN n.i = s.add_at OR m.name = 'remove_from_cart_click' THEN s.session_no * 32 + s.add_at - 1
                    ELSE n.event_no
                END AS slot
        ) AS k
        WHERE s.started_at >= events.from_at AND s.started_at < events.to_at
    ) AS e
    LEFT JOIN gen.products AS p ON p.product_no = e.product_no
    ORDER BY e.at, e.event_no;
END;

ANALYZE gen.products, gen.sessions;
