-- Deploy clickstream_dw:products to pg
BEGIN;

SET LOCAL client_min_messages = warning;
SET LOCAL ROLE dwh_owner;

-- As the dashboard's menus search: "dien thoai" finds what is spelled with all its marks, in either of Unicode's forms.
CREATE FUNCTION etl.fold(value text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    -- ASCII has no marks: normalize() costs several times the rest.
    WHEN octet_length(value) = length(value) THEN lower(value)
    ELSE translate(regexp_replace(normalize(lower(value), NFD), E'[\u0300-\u036f]', '', 'g'), 'đ', 'd') -- noqa: CP02
END;
COMMENT ON FUNCTION etl.fold(text) IS 'Text without case and marks, for a search.';

CREATE FUNCTION dashboard.product_list(
    from_at timestamptz, to_at timestamptz, zone text, filter jsonb DEFAULT NULL, search text DEFAULT NULL,
    sort text DEFAULT 'views', is_ascending boolean DEFAULT false, rows_before integer DEFAULT 0,
    max_rows integer DEFAULT 25
) RETURNS TABLE (
    product_id text, name text, category text, brand text, price_seen numeric, views bigint, adds bigint,
    removals bigint, wishlisted bigint, view_sessions bigint, add_sessions bigint, bought_sessions bigint,
    add_to_cart_rate float8, products bigint
)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_custom_plan
AS $$
#variable_conflict use_column
DECLARE
    wanted text := etl.fold(btrim(coalesce(search, '')));
BEGIN
    IF sort NOT IN ('name', 'views', 'adds', 'removals', 'wishlisted', 'rate', 'bought', 'price') THEN
        RAISE EXCEPTION 'products cannot be sorted by %', sort USING ERRCODE = '22023';
    END IF;
    RETURN QUERY
    SELECT
        r.product_id, r.name, r.category, r.brand, r.price, r.views, r.adds, r.removals, r.wishlisted,
        r.view_sessions, r.add_sessions, r.bought_sessions, r.rate, r.products
    FROM (
        SELECT
            f.*, count(*) OVER () AS products,
            CASE WHEN sort = 'name' THEN etl.fold(coalesce(f.name, f.product_id)) END AS text_key,
            CASE sort
                WHEN 'views' THEN f.views WHEN 'adds' THEN f.adds WHEN 'removals' THEN f.removals
                WHEN 'wishlisted' THEN f.wishlisted WHEN 'rate' THEN f.rate WHEN 'bought' THEN f.bought_sessions
                WHEN 'price' THEN f.price
            END AS number_key
        FROM (
            SELECT
                p.product_id, (l.name).value AS name, (l.category).value AS category, (l.brand).value AS brand,
                (l.price).value::numeric AS price, t.views, t.adds, t.removals, t.wishlisted, t.view_sessions,
                t.add_sessions, t.bought_sessions, t.add_sessions::float8 / nullif(t.view_sessions, 0) AS rate
            FROM etl.top_items(1, from_at, to_at, filter, 2147483647) AS t
            INNER JOIN etl.products AS p ON p.product_no = t.item_no
            LEFT JOIN etl.product_labels AS l ON l.product_no = t.item_no
        ) AS f
        WHERE
            wanted = '' OR strpos(etl.fold(f.product_id), wanted) > 0
            OR strpos(etl.fold(coalesce(f.name, '')), wanted) > 0
    ) AS r
    ORDER BY
        CASE WHEN is_ascending THEN r.text_key END, CASE WHEN NOT is_ascending THEN r.text_key END DESC NULLS LAST,
        CASE WHEN is_ascending THEN r.number_key END NULLS LAST,
        CASE WHEN NOT is_ascending THEN r.number_key END DESC NULLS LAST,
        r.views DESC, r.adds DESC, r.product_id
    OFFSET greatest(rows_before, 0)
    LIMIT least(max_rows, 1000);
END
$$;
COMMENT ON FUNCTION dashboard.product_list(
    timestamptz, timestamptz, text, jsonb, text, text, boolean, integer, integer
)
IS 'Products with an event in the range that passes the filter, whose id or name holds a text (etl.fold), by any column; what has no such number comes last; products: how many there are. At most 1,000.';

CREATE FUNCTION dashboard.product_labels(product_id text)
RETURNS TABLE (product_id text, name text, category text, brand text, price_seen numeric)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT p.product_id, (l.name).value, (l.category).value, (l.brand).value, (l.price).value::numeric
    FROM etl.products AS p
    LEFT JOIN etl.product_labels AS l ON l.product_no = p.product_no
    WHERE p.product_id = product_labels.product_id;
END;
COMMENT ON FUNCTION dashboard.product_labels(text)
IS 'What a product is called, and its price seen: each of its newest event that has one; no row for an id that no event has.';

CREATE TYPE etl.product_sums AS (
    bucket integer, views bigint, adds bigint, removals bigint, wishlisted bigint, view_sessions bigint,
    add_sessions bigint, bought_sessions bigint
);
COMMENT ON TYPE etl.product_sums IS 'What was done with one product in a bucket, counted from 1, as the columns of etl.item_days.';

CREATE FUNCTION etl.read_product(edges timestamptz[], n etl.numbers, product integer) RETURNS SETOF etl.product_sums
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT
        width_bucket(f.event_at, read_product.edges), count(*) FILTER (WHERE f.name_no = etl.name_no('product_view')),
        count(*) FILTER (WHERE f.name_no = etl.name_no('add_to_cart_click')),
        count(*) FILTER (WHERE f.name_no = etl.name_no('remove_from_cart_click')),
        count(*) FILTER (WHERE f.name_no = etl.name_no('wishlist_toggle')), 0, 0, 0
    FROM etl.events_in(
        read_product.edges[1], read_product.edges[cardinality(read_product.edges)], read_product.n
    ) AS f
    WHERE f.product_no = read_product.product
    GROUP BY 1
    UNION ALL
    SELECT
        width_bucket(s.started_at, read_product.edges), 0, 0, 0, 0, count(*) FILTER (WHERE m.is_viewed),
        count(*) FILTER (WHERE m.is_viewed AND m.first_add_at IS NOT NULL),
        count(*) FILTER (
            WHERE s.is_completed AND EXISTS (
                SELECT FROM etl.event_facts AS c
                WHERE
                    c.session_no = s.session_no AND c.name_no = etl.name_no('checkout_complete')
                    AND c.event_at >= m.first_add_at
            )
        )
    FROM (
        SELECT
            f.session_no, bool_or(f.name_no = etl.name_no('product_view')) AS is_viewed,
            min(f.event_at) FILTER (WHERE f.name_no = etl.name_no('add_to_cart_click')) AS first_add_at
        FROM etl.event_facts AS f
        WHERE
            f.product_no = read_product.product
            AND f.name_no IN (etl.name_no('product_view'), etl.name_no('add_to_cart_click'))
            AND f.event_at >= read_product.edges[1] AND f.event_at <= (
                SELECT max(x.ended_at) FROM etl.session_facts AS x
                WHERE
                    x.started_at >= read_product.edges[1]
                    AND x.started_at < read_product.edges[cardinality(read_product.edges)]
            )
        GROUP BY f.session_no
    ) AS m
    INNER JOIN etl.sessions_in(
        read_product.edges[1], read_product.edges[cardinality(read_product.edges)], read_product.n
    ) AS s ON s.session_no = m.session_no
    WHERE NOT etl.is_robot(s.events)
    GROUP BY 1;
END;
COMMENT ON FUNCTION etl.read_product(timestamptz[], etl.numbers, integer)
IS 'Sums of one product between edges from the events themselves: a row of its events, and one of the sessions that start there.';

-- Each day or month is looked for by itself: the key has the time before the product.
CREATE FUNCTION etl.rolled_product(edges timestamptz[], product integer) RETURNS SETOF etl.product_sums
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_seqscan = off
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    zone text := etl.shop_zone();
    everything etl.numbers;
BEGIN
    RETURN QUERY
    WITH span AS MATERIALIZED (
        SELECT p.bucket, p.level, p.begins_at, p.ends_at FROM etl.edge_spans(edges) AS p
    )

    SELECT
        p.bucket, o.views::bigint, o.adds::bigint, o.removals::bigint, o.wishlisted::bigint,
        o.view_sessions::bigint, o.add_sessions::bigint, o.bought_sessions::bigint
    FROM span AS p
    CROSS JOIN LATERAL generate_series(
        p.begins_at AT TIME ZONE zone, p.ends_at AT TIME ZONE zone - interval '1 microsecond',
        CASE p.level WHEN 3 THEN interval '1 month' ELSE interval '1 day' END
    ) AS d (at)
    INNER JOIN etl.item_days AS o
        ON
            o.kind = 1 AND o.level = p.level AND o.item_no = product
            AND o.at = date_trunc(CASE p.level WHEN 3 THEN 'month' ELSE 'day' END, d.at) AT TIME ZONE zone
    WHERE p.level >= 2
    UNION ALL
    SELECT
        p.bucket, e.views, e.adds, e.removals, e.wishlisted, e.view_sessions, e.add_sessions, e.bought_sessions
    FROM span AS p
    CROSS JOIN LATERAL etl.read_product(ARRAY[p.begins_at, p.ends_at], everything, product) AS e
    WHERE p.level < 2;
END
$$;
COMMENT ON FUNCTION etl.rolled_product(timestamptz[], integer)
IS 'Sums of one product between edges from days and months, what is left at the edges from the events: rows to be added up.';

CREATE FUNCTION etl.product_sums_between(edges timestamptz[], filter jsonb, product integer)
RETURNS SETOF etl.product_sums
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_custom_plan
AS $$
#variable_conflict use_column
DECLARE
    n etl.numbers := etl.filter_numbers(filter);
    -- Hours, and days of another zone than the shop's, leave something at every edge: one pass is cheaper then.
    rolled boolean := (n).logins IS NULL AND (n).categories IS NULL AND (n).brands IS NULL AND (n).names IS NULL
        AND (SELECT count(*) <= 4 FROM etl.edge_spans(edges) AS p WHERE p.level < 2);
BEGIN
    RETURN QUERY
    SELECT
        r.bucket, sum(r.views)::bigint, sum(r.adds)::bigint, sum(r.removals)::bigint, sum(r.wishlisted)::bigint,
        sum(r.view_sessions)::bigint, sum(r.add_sessions)::bigint, sum(r.bought_sessions)::bigint
    FROM (
        SELECT p.* FROM etl.rolled_product(edges, product) AS p WHERE rolled
        UNION ALL
        SELECT p.* FROM etl.read_product(edges, n, product) AS p WHERE NOT rolled
    ) AS r
    GROUP BY r.bucket;
END
$$;
COMMENT ON FUNCTION etl.product_sums_between(timestamptz[], jsonb, integer)
IS 'Sums of one product between edges, from the rollups where they answer.';

CREATE FUNCTION dashboard.product_totals(
    from_at timestamptz, to_at timestamptz, zone text, filter jsonb, product_id text
) RETURNS TABLE (
    views bigint, adds bigint, removals bigint, wishlisted bigint, view_sessions bigint, add_sessions bigint,
    bought_sessions bigint, add_to_cart_rate float8
)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT
        coalesce(s.views, 0), coalesce(s.adds, 0), coalesce(s.removals, 0), coalesce(s.wishlisted, 0),
        coalesce(s.view_sessions, 0), coalesce(s.add_sessions, 0), coalesce(s.bought_sessions, 0),
        s.add_sessions::float8 / nullif(s.view_sessions, 0)
    FROM etl.products AS p
    LEFT JOIN LATERAL (
        SELECT r.*
        FROM etl.product_sums_between(
            ARRAY[product_totals.from_at, product_totals.to_at], product_totals.filter, p.product_no
        ) AS r
        WHERE product_totals.from_at < product_totals.to_at
    ) AS s ON true
    WHERE p.product_id = product_totals.product_id;
END;
COMMENT ON FUNCTION dashboard.product_totals(timestamptz, timestamptz, text, jsonb, text)
IS 'What was done with one product in the range: as its row of product_list, zeros without an event; no row for an id that no event has.';

CREATE FUNCTION dashboard.product_series(
    from_at timestamptz, to_at timestamptz, zone text, filter jsonb, bucket text, product_id text
) RETURNS TABLE (
    bucket_at timestamptz, views bigint, adds bigint, removals bigint, bought_sessions bigint, provisional boolean
)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    edges timestamptz[] := etl.bucket_edges(from_at, to_at, zone, bucket);
    until timestamptz := etl.data_until();
    product integer := (SELECT p.product_no FROM etl.products AS p WHERE p.product_id = product_series.product_id);
BEGIN
    IF product IS NULL OR from_at >= to_at THEN
        RETURN;
    END IF;
    RETURN QUERY
    SELECT
        edges[b.i], coalesce(s.views, 0), coalesce(s.adds, 0), coalesce(s.removals, 0),
        coalesce(s.bought_sessions, 0), coalesce(edges[b.i + 1] > until, true)
    FROM generate_series(1, cardinality(edges) - 1) AS b (i)
    LEFT JOIN etl.product_sums_between(etl.clip(edges, from_at), filter, product) AS s ON s.bucket = b.i
    ORDER BY b.i;
END
$$;
COMMENT ON FUNCTION dashboard.product_series(timestamptz, timestamptz, text, jsonb, text, text)
IS 'One product by local hours, days or weeks; provisional: ends after *data until*; no row for an id that no event has.';

CREATE FUNCTION dashboard.product_prices(
    from_at timestamptz, to_at timestamptz, zone text, filter jsonb, product_id text
) RETURNS TABLE (lowest numeric, highest numeric, priced bigint, discounts bigint, implausible_discounts bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_custom_plan
AS $$
#variable_conflict use_column
DECLARE
    n etl.numbers := etl.filter_numbers(filter);
    product integer := (SELECT p.product_no FROM etl.products AS p WHERE p.product_id = product_prices.product_id);
BEGIN
    RETURN QUERY
    SELECT
        min(c.context_product_price), max(c.context_product_price), count(c.context_product_price),
        count(*) FILTER (WHERE f.discount_no > 0), count(*) FILTER (WHERE f.discount_no = 1)
    FROM etl.events_in(from_at, to_at, n) AS f
    INNER JOIN public.clickstream_events AS c
        ON
            c.event_timestamp = f.event_at AND c.event_id = f.event_id
            AND c.event_timestamp >= from_at AND c.event_timestamp < to_at
            AND c.context_product_id = product_prices.product_id
    WHERE f.product_no = product;
END
$$;
COMMENT ON FUNCTION dashboard.product_prices(timestamptz, timestamptz, text, jsonb, text)
IS 'The lowest and highest price seen of one product in the range, how many of its events have one, and how many have a discount price, and one that cannot be a price: read from the events, ask for a month at most.';

GRANT EXECUTE ON FUNCTION
dashboard.product_list(timestamptz, timestamptz, text, jsonb, text, text, boolean, integer, integer),
dashboard.product_labels(text),
dashboard.product_totals(timestamptz, timestamptz, text, jsonb, text),
dashboard.product_series(timestamptz, timestamptz, text, jsonb, text, text),
dashboard.product_prices(timestamptz, timestamptz, text, jsonb, text)
TO dashboard_reader;

COMMIT;
