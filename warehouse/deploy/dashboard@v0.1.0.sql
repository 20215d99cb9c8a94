-- Deploy clickstream_dw:dashboard to pg
BEGIN;

SET LOCAL client_min_messages = warning;
SET LOCAL ROLE dwh_owner;

CREATE FUNCTION etl.lists_present(request jsonb, at timestamptz) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
RETURN NOT request ?| ARRAY['quarantine', 'erase']
AND coalesce((request ->> 'from')::timestamptz <= at AND (request ->> 'to')::timestamptz > at, true)
AND starts_with(to_char(at AT TIME ZONE 'UTC', '"events/"YYYY/MM/DD/'), coalesce(request ->> 'prefix', ''));
COMMENT ON FUNCTION etl.lists_present(jsonb, timestamptz)
IS 'Whether a request lists the hour it is made in: a backfill of old keys says nothing of what came since.';

CREATE FUNCTION etl.data_until() RETURNS timestamptz
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
RETURN (
    SELECT max(r.started_at) FROM etl.runs AS r
    WHERE r.result = 'loaded' AND etl.lists_present(r.request, r.started_at)
);
COMMENT ON FUNCTION etl.data_until()
IS 'Start of the newest run that listed up to its start and left nothing pending.';

CREATE FUNCTION etl.passes(filter jsonb, field text, value text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN coalesce(jsonb_typeof(filter -> field), 'null') = 'null'
OR filter -> field = '[]'::jsonb
OR filter -> field ? etl.value_key(value);
COMMENT ON FUNCTION etl.passes(jsonb, text, text)
IS 'Whether a value is among a filter''s values of one field; a filter without the field lets all pass.';

CREATE FUNCTION etl.label(value text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN coalesce(nullif(etl.trim_value(value), ''), 'not set');
COMMENT ON FUNCTION etl.label(text)
IS 'How a value is shown: its spelling without white space at the ends; empty is "not set".';

CREATE FUNCTION etl.events_in(from_at timestamptz, to_at timestamptz, filter jsonb)
RETURNS SETOF public.clickstream_events
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT e.*
    FROM public.clickstream_events AS e
    WHERE
        e.event_timestamp >= events_in.from_at AND e.event_timestamp < events_in.to_at
        AND (
            events_in.filter IS NULL
            OR etl.passes(events_in.filter, 'login_state', etl.login_state(e.user_login_state))
            AND etl.passes(events_in.filter, 'category', e.context_product_category)
            AND etl.passes(events_in.filter, 'brand', e.context_product_brand)
            AND etl.passes(events_in.filter, 'event_name', e.event_name)
        );
END;
COMMENT ON FUNCTION etl.events_in(timestamptz, timestamptz, jsonb)
IS 'Events in [from, to) that pass all of a filter.';

CREATE FUNCTION etl.sessions_in(from_at timestamptz, to_at timestamptz, filter jsonb)
RETURNS SETOF etl.sessions
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT s.*
    FROM etl.sessions AS s
    WHERE
        s.started_at >= sessions_in.from_at AND s.started_at < sessions_in.to_at
        AND etl.passes(sessions_in.filter, 'login_state', s.login_state)
        AND (
            NOT coalesce(sessions_in.filter ?| ARRAY['category', 'brand', 'event_name'], false)
            OR EXISTS (
                SELECT FROM public.clickstream_events AS e
                WHERE
                    e.session_id = s.session_id
                    AND e.event_timestamp BETWEEN s.started_at AND s.ended_at
                    AND etl.passes(sessions_in.filter, 'category', e.context_product_category)
                    AND etl.passes(sessions_in.filter, 'brand', e.context_product_brand)
                    AND etl.passes(sessions_in.filter, 'event_name', e.event_name)
            )
            OR s.session_id IS NULL AND EXISTS (
                SELECT FROM public.clickstream_events AS e
                WHERE
                    e.session_id IS NULL AND e.client_id = s.client_id
                    AND e.event_timestamp BETWEEN s.started_at AND s.ended_at
                    AND etl.passes(sessions_in.filter, 'category', e.context_product_category)
                    AND etl.passes(sessions_in.filter, 'brand', e.context_product_brand)
                    AND etl.passes(sessions_in.filter, 'event_name', e.event_name)
            )
        );
END;
COMMENT ON FUNCTION etl.sessions_in(timestamptz, timestamptz, jsonb)
IS 'Sessions that start in [from, to): one event passes category, brand and event together, the session its login state.';

CREATE FUNCTION etl.session_events(from_at timestamptz, to_at timestamptz, filter jsonb)
RETURNS TABLE (
    session_no bigint, event_id uuid, event_timestamp timestamptz, event_name text, product_id text,
    category text, brand text
)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT
        s.session_no, e.event_id, e.event_timestamp, etl.value_key(e.event_name), e.context_product_id,
        e.context_product_category, e.context_product_brand
    FROM etl.sessions_in(
        session_events.from_at, session_events.to_at, session_events.filter
    ) AS s
    INNER JOIN public.clickstream_events AS e ON e.session_id = s.session_id
    WHERE s.events <= 5000
    UNION ALL
    SELECT
        s.session_no, e.event_id, e.event_timestamp, etl.value_key(e.event_name), e.context_product_id,
        e.context_product_category, e.context_product_brand
    FROM etl.sessions_in(
        session_events.from_at, session_events.to_at, session_events.filter
    ) AS s
    INNER JOIN public.clickstream_events AS e
        ON
            e.client_id = s.client_id
            AND e.event_timestamp BETWEEN s.started_at AND s.ended_at
    WHERE s.session_id IS NULL AND e.session_id IS NULL AND s.events <= 5000;
END;
COMMENT ON FUNCTION etl.session_events(timestamptz, timestamptz, jsonb)
IS 'The events of the sessions that start in [from, to) and pass a filter, by the key of their name; robots left out.';

CREATE FUNCTION dashboard.kpis(from_at timestamptz, to_at timestamptz, zone text, filter jsonb DEFAULT NULL)
RETURNS TABLE (
    events bigint, visitors bigint, sessions bigint, converted_sessions bigint, engaged_sessions bigint,
    product_view_sessions bigint, add_sessions bigint, sessions_with_add bigint, abandoned_sessions bigint,
    robot_sessions bigint, conversion_rate float8, bounce_rate float8, add_to_cart_rate float8,
    abandonment_rate float8, cart_value numeric, cart_value_missing bigint,
    adds_without_view_sessions bigint, discount_rows bigint, implausible_discounts bigint
)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH event AS (
        SELECT
            count(*) AS events, count(DISTINCT e.client_id) AS visitors,
            count(e.context_product_discount_price) AS discounts,
            count(*) FILTER (
                WHERE e.context_product_discount_price > 100
                AND e.context_product_discount_price < e.context_product_price
            ) AS plausible
        FROM etl.events_in(kpis.from_at, kpis.to_at, kpis.filter) AS e
    ),

    session AS (
        SELECT
            count(*) FILTER (WHERE NOT r.is_robot) AS sessions,
            count(*) FILTER (WHERE s.is_completed AND NOT r.is_robot) AS converted,
            count(*) FILTER (WHERE s.is_engaged AND NOT r.is_robot) AS engaged,
            count(*) FILTER (WHERE s.has_product_view AND NOT r.is_robot) AS viewed,
            count(*) FILTER (WHERE s.has_product_view AND s.has_add AND NOT r.is_robot) AS added,
            count(*) FILTER (WHERE s.has_add AND NOT s.has_product_view AND NOT r.is_robot) AS unviewed,
            count(*) FILTER (WHERE s.has_add AND NOT r.is_robot AND NOT r.is_open) AS carts,
            count(*) FILTER (WHERE s.is_abandoned AND NOT r.is_robot AND NOT r.is_open) AS abandoned,
            count(*) FILTER (WHERE r.is_robot) AS robots,
            coalesce(sum(s.cart_value) FILTER (WHERE NOT r.is_robot), 0) AS cart_value,
            coalesce(sum(s.cart_value_missing) FILTER (WHERE NOT r.is_robot), 0) AS missing
        FROM etl.sessions_in(kpis.from_at, kpis.to_at, kpis.filter) AS s
        CROSS JOIN LATERAL (
            SELECT
                s.events > 5000 AS is_robot,
                coalesce(s.ended_at > u.data_until - interval '30 minutes', false) AS is_open
            FROM (SELECT (SELECT etl.data_until()) AS data_until) AS u  -- asked once, not for each row
        ) AS r
    )

    SELECT
        e.events, e.visitors, s.sessions, s.converted, s.engaged, s.viewed, s.added, s.carts, s.abandoned,
        s.robots,
        s.converted::float8 / nullif(s.sessions, 0),
        1 - s.engaged::float8 / nullif(s.sessions, 0),
        s.added::float8 / nullif(s.viewed, 0),
        s.abandoned::float8 / nullif(s.carts, 0),
        s.cart_value, s.missing, s.unviewed, e.discounts, e.discounts - e.plausible
    FROM event AS e CROSS JOIN session AS s;
END;
COMMENT ON FUNCTION dashboard.kpis(timestamptz, timestamptz, text, jsonb)
IS 'Headline numbers of a range: counts with their numerators, rates (NULL when nothing divides), the cart value estimate of converting sessions, adds without a view, and how many discount prices are none (not above 100 and below the price).';

CREATE FUNCTION dashboard.series(from_at timestamptz, to_at timestamptz, zone text, filter jsonb DEFAULT NULL, bucket text DEFAULT 'day')
RETURNS TABLE (
    bucket_at timestamptz, events bigint, visitors bigint, sessions bigint, converted_sessions bigint,
    provisional boolean
)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    step interval := CASE bucket WHEN 'hour' THEN interval '1 hour' WHEN 'day' THEN interval '1 day'
        WHEN 'week' THEN interval '1 week' END;
BEGIN
    IF step IS NULL THEN
        RAISE EXCEPTION 'bucket is %: use hour, day or week', bucket USING ERRCODE = '22023';
    END IF;
    RETURN QUERY
    WITH edge AS (
        -- Days and weeks step in local time: a day of 23 or 25 hours is one day. Hours are those of every
        -- quarter, for zones whose offset, or change of it, is no whole hour.
        SELECT b.at, b.next_at
        FROM (
            SELECT h.at, lead(h.at, 1, h.at + step) OVER (ORDER BY h.at) AS next_at
            FROM (
                SELECT DISTINCT date_trunc('hour', q.at, zone)
                FROM generate_series(date_trunc('hour', from_at, zone), to_at, interval '15 minutes') AS q (at)
                WHERE bucket = 'hour' AND q.at < to_at
            ) AS h (at)
            UNION ALL
            SELECT d.at AT TIME ZONE zone, (d.at + step) AT TIME ZONE zone
            FROM generate_series(
                date_trunc(bucket, from_at AT TIME ZONE zone), to_at AT TIME ZONE zone, step
            ) AS d (at)
            WHERE bucket <> 'hour'
        ) AS b
        WHERE b.at < to_at
    ),

    event AS (
        SELECT
            date_trunc(bucket, e.event_timestamp, zone) AS at, count(*) AS events,
            count(DISTINCT e.client_id) AS visitors
        FROM etl.events_in(from_at, to_at, filter) AS e
        GROUP BY 1
    ),

    session AS (
        SELECT
            date_trunc(bucket, s.started_at, zone) AS at, count(*) AS sessions,
            count(*) FILTER (WHERE s.is_completed) AS converted
        FROM etl.sessions_in(from_at, to_at, filter) AS s
        WHERE s.events <= 5000
        GROUP BY 1
    )

    SELECT
        b.at, coalesce(e.events, 0), coalesce(e.visitors, 0), coalesce(s.sessions, 0),
        coalesce(s.converted, 0), coalesce(least(b.next_at, to_at) > etl.data_until(), true)
    FROM edge AS b
    LEFT JOIN event AS e ON e.at = b.at
    LEFT JOIN session AS s ON s.at = b.at
    ORDER BY b.at;
END
$$;
COMMENT ON FUNCTION dashboard.series(timestamptz, timestamptz, text, jsonb, text)
IS 'Headline counts by local hour, day or week (from Monday), every bucket of the range; provisional: it ends after *data until*.';

CREATE FUNCTION dashboard.event_mix(from_at timestamptz, to_at timestamptz, zone text, filter jsonb DEFAULT NULL)
RETURNS TABLE (event_name text, label text, events bigint)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT
        etl.value_key(e.event_name),
        etl.label((array_agg(e.event_name ORDER BY e.event_timestamp DESC, e.event_id DESC))[1]), count(*)
    FROM etl.events_in(event_mix.from_at, event_mix.to_at, event_mix.filter) AS e
    GROUP BY etl.value_key(e.event_name)
    ORDER BY 3 DESC, 1;
END;
COMMENT ON FUNCTION dashboard.event_mix(timestamptz, timestamptz, text, jsonb)
IS 'Events by name, the most frequent first; the label is the newest spelling.';

CREATE FUNCTION dashboard.login_states(from_at timestamptz, to_at timestamptz, zone text, filter jsonb DEFAULT NULL)
RETURNS TABLE (login_state text, sessions bigint, converted_sessions bigint)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT s.login_state, count(*), count(*) FILTER (WHERE s.is_completed)
    FROM etl.sessions_in(login_states.from_at, login_states.to_at, login_states.filter) AS s
    WHERE s.events <= 5000
    GROUP BY s.login_state
    ORDER BY 2 DESC, 1;
END;
COMMENT ON FUNCTION dashboard.login_states(timestamptz, timestamptz, text, jsonb)
IS 'Sessions by login state: logged_in if any event is, else guest, anonymous, other, not set.';

CREATE FUNCTION etl.closed_steps(names text[], instants timestamptz[], steps text[]) RETURNS timestamptz[]
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    reached timestamptz[] := '{}';
    used integer[] := '{}';
    after timestamptz := '-infinity';
    step text;
    hit integer;
BEGIN
    FOREACH step IN ARRAY steps LOOP
        SELECT i INTO hit FROM generate_subscripts(names, 1) AS g (i)
        WHERE names[i] = step AND instants[i] >= after AND i <> ALL (used)
        ORDER BY instants[i], i LIMIT 1;
        EXIT WHEN hit IS NULL;
        used := used || hit;
        after := instants[hit];
        reached := reached || after;
    END LOOP;
    RETURN reached;
END
$$;
COMMENT ON FUNCTION etl.closed_steps(text[], timestamptz[], text[])
IS 'When each step of a closed funnel was reached: the earliest other event not before the last step''s.';

CREATE FUNCTION dashboard.funnel(from_at timestamptz, to_at timestamptz, zone text, filter jsonb DEFAULT NULL,
    steps text[] DEFAULT ARRAY['product_view', 'add_to_cart_click', 'checkout_start', 'checkout_complete'])
RETURNS TABLE (
    step integer, event_name text, closed_sessions bigint, open_sessions bigint, median_seconds float8,
    left_sessions bigint, still_open_sessions bigint
)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    keys text[] := ARRAY(
        SELECT etl.value_key(k.name) FROM unnest(steps) WITH ORDINALITY AS k (name, number) ORDER BY k.number
    );
BEGIN
    IF cardinality(keys) NOT BETWEEN 2 AND 6 OR array_position(steps, NULL) IS NOT NULL THEN
        RAISE EXCEPTION 'a funnel has 2 to 6 event names, not %', steps USING ERRCODE = '22023';
    END IF;
    RETURN QUERY
    WITH session AS (
        SELECT
            array_agg(e.event_name) AS names,
            etl.closed_steps(
                array_agg(e.event_name ORDER BY e.event_timestamp, e.event_id),
                array_agg(e.event_timestamp ORDER BY e.event_timestamp, e.event_id), keys
            ) AS reached,
            coalesce(min(s.ended_at) > (SELECT etl.data_until()) - interval '30 minutes', false) AS is_open
        FROM etl.session_events(from_at, to_at, filter) AS e
        INNER JOIN etl.sessions AS s ON s.session_no = e.session_no
        WHERE e.event_name = ANY (keys)
        GROUP BY e.session_no
    )

    SELECT
        n.step::integer, n.event_name,
        count(*) FILTER (WHERE cardinality(s.reached) >= n.step),
        count(*) FILTER (WHERE keys[n.step] = ANY (s.names)),
        percentile_cont(0.5) WITHIN GROUP (
            ORDER BY extract(EPOCH FROM s.reached[n.step] - s.reached[n.step - 1])::float8
        ) FILTER (WHERE n.step > 1 AND cardinality(s.reached) >= n.step),
        CASE WHEN n.step < cardinality(keys) THEN
            count(*) FILTER (WHERE cardinality(s.reached) = n.step AND NOT s.is_open)
        END,
        CASE WHEN n.step < cardinality(keys) THEN
            count(*) FILTER (WHERE cardinality(s.reached) = n.step AND s.is_open)
        END
    FROM unnest(steps) WITH ORDINALITY AS n (event_name, step)
    LEFT JOIN session AS s ON true
    GROUP BY n.step, n.event_name
    ORDER BY n.step;
END
$$;
COMMENT ON FUNCTION dashboard.funnel(timestamptz, timestamptz, text, jsonb, text[])
IS 'Sessions that reached each step in order (closed) and at all (open), with the median seconds from the step before; of the closed, those that left before the next step, and those that may still reach it.';

CREATE FUNCTION dashboard.top_products(from_at timestamptz, to_at timestamptz, zone text, filter jsonb DEFAULT NULL, max_rows integer DEFAULT 50)
RETURNS TABLE (
    product_id text, name text, category text, brand text, price_seen numeric, views bigint, adds bigint,
    removals bigint, wishlisted bigint, view_sessions bigint, add_sessions bigint, bought_sessions bigint,
    add_to_cart_rate float8
)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH event AS (
        SELECT e.*, etl.value_key(e.event_name) AS act
        FROM etl.events_in(top_products.from_at, top_products.to_at, top_products.filter) AS e
        WHERE e.context_product_id IS NOT NULL AND etl.value_key(e.event_name) <> 'category_view'
    ),

    product AS (
        SELECT
            e.context_product_id AS id,
            (array_agg(e.context_product_name ORDER BY e.event_timestamp DESC, e.event_id DESC)
                FILTER (WHERE etl.trim_value(e.context_product_name) <> ''))[1] AS name,
            (array_agg(e.context_product_category ORDER BY e.event_timestamp DESC, e.event_id DESC)
                FILTER (WHERE etl.trim_value(e.context_product_category) <> ''))[1] AS category,
            (array_agg(e.context_product_brand ORDER BY e.event_timestamp DESC, e.event_id DESC)
                FILTER (WHERE etl.trim_value(e.context_product_brand) <> ''))[1] AS brand,
            (array_agg(e.context_product_price ORDER BY e.event_timestamp DESC, e.event_id DESC)
                FILTER (WHERE e.context_product_price IS NOT NULL))[1] AS price,
            count(*) FILTER (WHERE e.act = 'product_view') AS views,
            count(*) FILTER (WHERE e.act = 'add_to_cart_click') AS adds,
            count(*) FILTER (WHERE e.act = 'remove_from_cart_click') AS removals,
            count(*) FILTER (WHERE e.act = 'wishlist_toggle') AS wishlisted
        FROM event AS e
        GROUP BY e.context_product_id
    ),

    session AS (
        SELECT
            p.product_id AS id,
            count(*) FILTER (WHERE p.has_view) AS viewed,
            count(*) FILTER (WHERE p.has_view AND p.first_add_at IS NOT NULL) AS added,
            count(*) FILTER (WHERE p.first_add_at <= p.last_complete_at) AS bought
        FROM (
            SELECT
                e.session_no, e.product_id,
                bool_or(e.event_name = 'product_view') AS has_view,
                min(e.event_timestamp) FILTER (WHERE e.event_name = 'add_to_cart_click') AS first_add_at,
                min(c.last_complete_at) AS last_complete_at
            FROM etl.session_events(top_products.from_at, top_products.to_at, top_products.filter) AS e
            LEFT JOIN (
                SELECT a.session_no, max(a.event_timestamp) AS last_complete_at
                FROM etl.session_events(
                    top_products.from_at, top_products.to_at, top_products.filter
                ) AS a
                WHERE a.event_name = 'checkout_complete'
                GROUP BY a.session_no
            ) AS c ON c.session_no = e.session_no
            WHERE e.product_id IS NOT NULL AND e.event_name <> 'category_view'
            GROUP BY e.session_no, e.product_id
        ) AS p
        GROUP BY p.product_id
    )

    SELECT
        p.id, p.name, p.category, p.brand, p.price, p.views, p.adds, p.removals, p.wishlisted,
        coalesce(s.viewed, 0), coalesce(s.added, 0), coalesce(s.bought, 0),
        s.added::float8 / nullif(s.viewed, 0)
    FROM product AS p LEFT JOIN session AS s ON s.id = p.id
    ORDER BY p.views DESC, p.adds DESC, p.id
    LIMIT top_products.max_rows;
END;
COMMENT ON FUNCTION dashboard.top_products(timestamptz, timestamptz, text, jsonb, integer)
IS 'Products by views, category_view left out; name, labels and price seen are those of the newest event that has one; bought: added and completed later (upper estimate).';

CREATE FUNCTION dashboard.top_categories(from_at timestamptz, to_at timestamptz, zone text, filter jsonb DEFAULT NULL, max_rows integer DEFAULT 20)
RETURNS TABLE (
    value text, label text, views bigint, adds bigint, view_sessions bigint, bought_sessions bigint
)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH event AS (
        SELECT
            etl.value_key(e.context_product_category) AS value,
            (array_agg(e.context_product_category ORDER BY e.event_timestamp DESC, e.event_id DESC))[1] AS label,
            count(*) FILTER (WHERE etl.value_key(e.event_name) = 'product_view') AS views,
            count(*) FILTER (WHERE etl.value_key(e.event_name) = 'add_to_cart_click') AS adds
        FROM etl.events_in(top_categories.from_at, top_categories.to_at, top_categories.filter) AS e
        WHERE etl.value_key(e.event_name) IN ('product_view', 'add_to_cart_click')
        GROUP BY 1
    ),

    session AS (
        SELECT
            p.value, count(*) FILTER (WHERE p.has_view) AS viewed,
            count(*) FILTER (WHERE p.first_add_at <= p.last_complete_at) AS bought
        FROM (
            SELECT
                e.session_no, etl.value_key(e.category) AS value,
                bool_or(e.event_name = 'product_view') AS has_view,
                min(e.event_timestamp) FILTER (WHERE e.event_name = 'add_to_cart_click') AS first_add_at,
                min(c.last_complete_at) AS last_complete_at
            FROM etl.session_events(top_categories.from_at, top_categories.to_at, top_categories.filter) AS e
            LEFT JOIN (
                SELECT a.session_no, max(a.event_timestamp) AS last_complete_at
                FROM etl.session_events(top_categories.from_at, top_categories.to_at, top_categories.filter) AS a
                WHERE a.event_name = 'checkout_complete'
                GROUP BY a.session_no
            ) AS c ON c.session_no = e.session_no
            WHERE e.event_name IN ('product_view', 'add_to_cart_click')
            GROUP BY e.session_no, etl.value_key(e.category)
        ) AS p
        GROUP BY p.value
    )

    SELECT
        e.value, etl.label(e.label), e.views, e.adds, coalesce(s.viewed, 0),
        coalesce(s.bought, 0)
    FROM event AS e LEFT JOIN session AS s ON s.value = e.value
    ORDER BY e.views DESC, e.adds DESC, e.value
    LIMIT top_categories.max_rows;
END;
COMMENT ON FUNCTION dashboard.top_categories(timestamptz, timestamptz, text, jsonb, integer)
IS 'Product views and adds by category (the event''s own value; label = newest spelling).';

CREATE FUNCTION dashboard.top_brands(from_at timestamptz, to_at timestamptz, zone text, filter jsonb DEFAULT NULL, max_rows integer DEFAULT 20)
RETURNS TABLE (
    value text, label text, views bigint, adds bigint, view_sessions bigint, bought_sessions bigint
)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH event AS (
        SELECT
            etl.value_key(e.context_product_brand) AS value,
            (array_agg(e.context_product_brand ORDER BY e.event_timestamp DESC, e.event_id DESC))[1] AS label,
            count(*) FILTER (WHERE etl.value_key(e.event_name) = 'product_view') AS views,
            count(*) FILTER (WHERE etl.value_key(e.event_name) = 'add_to_cart_click') AS adds
        FROM etl.events_in(top_brands.from_at, top_brands.to_at, top_brands.filter) AS e
        WHERE etl.value_key(e.event_name) IN ('product_view', 'add_to_cart_click')
        GROUP BY 1
    ),

    session AS (
        SELECT
            p.value, count(*) FILTER (WHERE p.has_view) AS viewed,
            count(*) FILTER (WHERE p.first_add_at <= p.last_complete_at) AS bought
        FROM (
            SELECT
                e.session_no, etl.value_key(e.brand) AS value,
                bool_or(e.event_name = 'product_view') AS has_view,
                min(e.event_timestamp) FILTER (WHERE e.event_name = 'add_to_cart_click') AS first_add_at,
                min(c.last_complete_at) AS last_complete_at
            FROM etl.session_events(top_brands.from_at, top_brands.to_at, top_brands.filter) AS e
            LEFT JOIN (
                SELECT a.session_no, max(a.event_timestamp) AS last_complete_at
                FROM etl.session_events(top_brands.from_at, top_brands.to_at, top_brands.filter) AS a
                WHERE a.event_name = 'checkout_complete'
                GROUP BY a.session_no
            ) AS c ON c.session_no = e.session_no
            WHERE e.event_name IN ('product_view', 'add_to_cart_click')
            GROUP BY e.session_no, etl.value_key(e.brand)
        ) AS p
        GROUP BY p.value
    )

    SELECT
        e.value, etl.label(e.label), e.views, e.adds, coalesce(s.viewed, 0),
        coalesce(s.bought, 0)
    FROM event AS e LEFT JOIN session AS s ON s.value = e.value
    ORDER BY e.views DESC, e.adds DESC, e.value
    LIMIT top_brands.max_rows;
END;
COMMENT ON FUNCTION dashboard.top_brands(timestamptz, timestamptz, text, jsonb, integer)
IS 'Product views and adds by brand (the event''s own value; label = newest spelling).';

CREATE FUNCTION dashboard.freshness()
RETURNS TABLE (
    data_until timestamptz, newest_event_at timestamptz, last_run_at timestamptz, last_run_result text,
    running boolean, objects_loaded bigint, objects_quarantined bigint, objects_pending bigint,
    events_stored bigint
)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT
        etl.data_until(),
        (SELECT max(i.event_timestamp) FROM etl.event_ids AS i),
        r.started_at, r.result,
        coalesce(r.result = 'running' AND r.started_at > now() - interval '15 minutes', false),
        (SELECT count(*) FROM etl.objects AS b WHERE b.status = 'loaded'),
        o.quarantined, o.pending,
        (SELECT coalesce(sum(a.events_stored), 0) FROM etl.runs AS a)::bigint
    FROM (
        SELECT
            count(*) FILTER (WHERE b.status = 'quarantined') AS quarantined,
            count(*) FILTER (WHERE b.status = 'pending') AS pending
        FROM etl.newest_objects AS b
        WHERE b.status IN ('quarantined', 'pending')
    ) AS o
    LEFT JOIN LATERAL (
        SELECT a.started_at, a.result FROM etl.runs AS a WHERE a.result <> 'busy'
        ORDER BY a.run_id DESC LIMIT 1
    ) AS r ON true;
END;
COMMENT ON FUNCTION dashboard.freshness()
IS 'How far the data goes: *data until*, the newest event, the last run, versions loaded, and keys in quarantine or pending.';

CREATE FUNCTION dashboard.completeness(from_at timestamptz, to_at timestamptz)
RETURNS TABLE (
    hour_at timestamptz, keys bigint, loaded bigint, quarantined bigint, pending bigint, gone bigint,
    listed_at timestamptz, state text
)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH hourly AS (
        SELECT
            n.key_hour, count(*) AS keys,
            count(*) FILTER (WHERE n.status = 'loaded') AS loaded,
            count(*) FILTER (WHERE n.status = 'quarantined') AS quarantined,
            count(*) FILTER (WHERE n.status = 'pending') AS pending,
            count(*) FILTER (WHERE n.status = 'gone') AS gone,
            min(n.listed_at) FILTER (WHERE n.status = 'pending') AS pending_since
        FROM etl.newest_objects AS n
        WHERE
            n.key_hour >= date_trunc('hour', completeness.from_at, 'UTC')
            AND n.key_hour < completeness.to_at
        GROUP BY n.key_hour
    )

    SELECT
        h.at, coalesce(n.keys, 0), coalesce(n.loaded, 0), coalesce(n.quarantined, 0),
        coalesce(n.pending, 0), coalesce(n.gone, 0), l.listed_at,
        CASE
            WHEN
                h.at + interval '1 hour' < now() - interval '2 hours'
                AND (l.listed_at IS NULL OR l.listed_at < h.at + interval '1 hour')
                OR n.pending_since < now() - interval '2 hours' THEN 'gap'
            WHEN h.at + interval '1 hour' > now() OR n.pending > 0 OR l.listed_at IS NULL
                OR l.listed_at < h.at + interval '1 hour' THEN 'open'
            WHEN n.quarantined > 0 THEN 'quarantined'
            ELSE 'complete'
        END
    FROM generate_series(
        date_trunc('hour', completeness.from_at, 'UTC'), completeness.to_at, interval '1 hour'
    ) AS h (at)
    LEFT JOIN hourly AS n ON n.key_hour = h.at
    LEFT JOIN etl.listed_hours AS l ON l.hour_at = h.at
    WHERE h.at < completeness.to_at
    ORDER BY h.at;
END;
COMMENT ON FUNCTION dashboard.completeness(timestamptz, timestamptz)
IS 'For each UTC hour of keys: what became of every key ever listed; gap: ended over 2 hours ago and not listed since, or pending over 2 hours.';

CREATE FUNCTION dashboard.runs(max_rows integer DEFAULT 50)
RETURNS TABLE (
    run_id bigint, started_at timestamptz, ended_at timestamptz, result text, objects_loaded bigint,
    objects_quarantined bigint, events_read bigint, events_stored bigint, events_duplicate bigint,
    error text, records_quarantined bigint, events_expired bigint, events_conflict bigint,
    events_erased bigint
)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT
        r.run_id, r.started_at, r.ended_at, r.result, r.objects_loaded, r.objects_quarantined,
        r.events_read, r.events_stored, r.events_duplicate, r.error, r.records_quarantined,
        r.events_expired, r.events_conflict, r.events_erased
    FROM etl.runs AS r
    ORDER BY r.run_id DESC
    LIMIT runs.max_rows;
END;
COMMENT ON FUNCTION dashboard.runs(integer)
IS 'The last runs, the newest first; records read = stored + duplicate + quarantined + erased + expired.';

CREATE FUNCTION dashboard.quarantine_summary()
RETURNS TABLE (reason_code text, objects bigint, records bigint, newest_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT q.reason_code, count(DISTINCT q.object_id), count(*), max(q.quarantined_at)
    FROM etl.quarantine AS q
    INNER JOIN etl.newest_objects AS o ON o.object_id = q.object_id
    WHERE q.resolved_at IS NULL
    GROUP BY q.reason_code
    ORDER BY 3 DESC, 1;
END;
COMMENT ON FUNCTION dashboard.quarantine_summary()
IS 'Open rejects of the newest version of each key, by reason.';

CREATE FUNCTION dashboard.filter_values(field text)
RETURNS TABLE (value text, label text)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    IF field NOT IN ('login_state', 'category', 'brand', 'event_name') THEN
        RAISE EXCEPTION 'there is no filter on %: use login_state, category, brand or event_name', field
            USING ERRCODE = '22023';
    END IF;
    RETURN QUERY
    SELECT
        etl.value_key(v.value),
        etl.label((array_agg(v.value ORDER BY v.newest_at DESC, v.value DESC))[1])
    FROM (
        SELECT
            CASE field
                WHEN 'login_state' THEN
                    CASE WHEN etl.login_state(e.user_login_state) = 'other' THEN 'other' ELSE e.user_login_state END
                WHEN 'category' THEN e.context_product_category
                WHEN 'brand' THEN e.context_product_brand
                ELSE e.event_name
            END AS value,
            max(e.event_timestamp) AS newest_at
        FROM public.clickstream_events AS e
        GROUP BY 1
    ) AS v
    GROUP BY 1
    ORDER BY 2;
END
$$;
COMMENT ON FUNCTION dashboard.filter_values(text)
IS 'Every value of a field that a filter may name, with its newest spelling.';

CREATE FUNCTION dashboard.load_marker()
RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT coalesce(sum(r.chunks), 0)::bigint + count(*) FILTER (WHERE r.result = 'loaded') FROM etl.runs AS r;
END;
COMMENT ON FUNCTION dashboard.load_marker()
IS 'A number that changes whenever a load commits: cheap to ask for, nothing else.';

GRANT EXECUTE ON FUNCTION
dashboard.kpis(timestamptz, timestamptz, text, jsonb),
dashboard.series(timestamptz, timestamptz, text, jsonb, text),
dashboard.event_mix(timestamptz, timestamptz, text, jsonb),
dashboard.login_states(timestamptz, timestamptz, text, jsonb),
dashboard.funnel(timestamptz, timestamptz, text, jsonb, text[]),
dashboard.top_products(timestamptz, timestamptz, text, jsonb, integer),
dashboard.top_categories(timestamptz, timestamptz, text, jsonb, integer),
dashboard.top_brands(timestamptz, timestamptz, text, jsonb, integer),
dashboard.freshness(),
dashboard.completeness(timestamptz, timestamptz),
dashboard.runs(integer),
dashboard.quarantine_summary(),
dashboard.filter_values(text),
dashboard.load_marker()
TO dashboard_reader;

COMMIT;
