-- Deploy clickstream_dw:dashboard to pg
BEGIN;

SET LOCAL client_min_messages = warning;
SET LOCAL ROLE dwh_owner;

DROP FUNCTION dashboard.kpis(timestamptz, timestamptz, text, jsonb);
DROP FUNCTION dashboard.series(timestamptz, timestamptz, text, jsonb, text);
DROP FUNCTION dashboard.event_mix(timestamptz, timestamptz, text, jsonb);
DROP FUNCTION dashboard.login_states(timestamptz, timestamptz, text, jsonb);
DROP FUNCTION dashboard.funnel(timestamptz, timestamptz, text, jsonb, text[]);
DROP FUNCTION dashboard.top_products(timestamptz, timestamptz, text, jsonb, integer);
DROP FUNCTION dashboard.top_categories(timestamptz, timestamptz, text, jsonb, integer);
DROP FUNCTION dashboard.top_brands(timestamptz, timestamptz, text, jsonb, integer);
DROP FUNCTION dashboard.filter_values(text);
DROP FUNCTION etl.session_events(timestamptz, timestamptz, jsonb);
DROP FUNCTION etl.sessions_in(timestamptz, timestamptz, jsonb);
DROP FUNCTION etl.events_in(timestamptz, timestamptz, jsonb);
DROP FUNCTION etl.closed_steps(text[], timestamptz[], text[]);
DROP FUNCTION etl.passes(jsonb, text, text);
DROP FUNCTION etl.label(text);

CREATE OR REPLACE FUNCTION etl.lists_present(request jsonb, at timestamptz) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
RETURN NOT request ?| ARRAY['quarantine', 'erase']
AND coalesce((request ->> 'from')::timestamptz <= at AND (request ->> 'to')::timestamptz > at, true)
AND starts_with(to_char(at AT TIME ZONE 'UTC', '"events/"YYYY/MM/DD/'), coalesce(request ->> 'prefix', ''));
COMMENT ON FUNCTION etl.lists_present(jsonb, timestamptz)
IS 'Whether a request lists the hour it is made in: a backfill of old keys says nothing of what came since.';

CREATE OR REPLACE FUNCTION etl.data_until() RETURNS timestamptz
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN (
        SELECT max(r.started_at) FROM etl.runs AS r
        WHERE r.result = 'loaded' AND etl.lists_present(r.request, r.started_at)
    );
END
$$;
COMMENT ON FUNCTION etl.data_until()
IS 'Start of the newest run that listed up to its start and left nothing pending.';

-- A filter as the numbers of its values; NULL: a field lets all pass.
CREATE TYPE etl.numbers AS (logins smallint[], categories smallint[], brands smallint[], names smallint[]); -- noqa: LT01
COMMENT ON TYPE etl.numbers IS 'A filter by the numbers of its values (etl.terms); NULL: the field lets all pass.';

CREATE FUNCTION etl.term_numbers(filter jsonb, term_field text) RETURNS smallint[]
LANGUAGE plpgsql STABLE
AS $$
BEGIN
    IF coalesce(jsonb_typeof(filter -> term_field), 'null') = 'null' OR filter -> term_field = '[]'::jsonb THEN
        RETURN NULL;
    END IF;
    RETURN ARRAY(
        SELECT t.term_no FROM etl.terms AS t
        WHERE t.field = term_field AND filter -> term_field ? t.key
    );
END
$$;
COMMENT ON FUNCTION etl.term_numbers(jsonb, text) IS 'Numbers of a filter''s values of one field; NULL for a filter without it.';

CREATE FUNCTION etl.filter_numbers(filter jsonb) RETURNS etl.numbers
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    n etl.numbers;
BEGIN
    IF filter IS NOT NULL THEN
        n.logins := etl.term_numbers(filter, 'login_state');
        n.categories := etl.term_numbers(filter, 'category');
        n.brands := etl.term_numbers(filter, 'brand');
        n.names := etl.term_numbers(filter, 'event_name');
    END IF;
    RETURN n;
END
$$;
COMMENT ON FUNCTION etl.filter_numbers(jsonb) IS 'A filter by numbers.';

CREATE FUNCTION etl.segment_categories(n etl.numbers) RETURNS smallint[]
LANGUAGE sql IMMUTABLE
RETURN coalesce((n).categories, '{0}');
COMMENT ON FUNCTION etl.segment_categories(etl.numbers) IS 'Categories of the segments that answer a filter; 0: any.';

-- Of any login state there is a segment of any category alone.
CREATE FUNCTION etl.segment_logins(n etl.numbers) RETURNS smallint[]
LANGUAGE sql IMMUTABLE
RETURN coalesce((n).logins, CASE WHEN (n).categories IS NULL THEN '{0}'::smallint[] ELSE '{1,2,3,4,5}' END);
COMMENT ON FUNCTION etl.segment_logins(etl.numbers) IS 'Login states of the segments that answer a filter; 0: any.';

-- A session may hold several of the categories: their counts do not add up.
CREATE FUNCTION etl.session_counts_add_up(n etl.numbers) RETURNS boolean
LANGUAGE sql IMMUTABLE
RETURN (n).brands IS NULL AND (n).names IS NULL AND coalesce(cardinality((n).categories), 1) <= 1;
COMMENT ON FUNCTION etl.session_counts_add_up(etl.numbers) IS 'Whether segments answer a filter of sessions: login states and at most one category.';

-- These two have no settings of their own, so that the planner can put them into the query.
CREATE FUNCTION etl.events_in(from_at timestamptz, to_at timestamptz, n etl.numbers) RETURNS SETOF etl.event_facts
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT f.*
    FROM etl.event_facts AS f
    WHERE
        f.event_at >= events_in.from_at AND f.event_at < events_in.to_at
        AND ((events_in.n).logins IS NULL OR f.login_no = ANY((events_in.n).logins))
        AND ((events_in.n).categories IS NULL OR f.category_no = ANY((events_in.n).categories))
        AND ((events_in.n).brands IS NULL OR f.brand_no = ANY((events_in.n).brands))
        AND ((events_in.n).names IS NULL OR f.name_no = ANY((events_in.n).names));
END;
COMMENT ON FUNCTION etl.events_in(timestamptz, timestamptz, etl.numbers) IS 'Events in [from, to) that pass all of a filter.';

CREATE FUNCTION etl.sessions_in(
    from_at timestamptz, to_at timestamptz, n etl.numbers, ended_after timestamptz DEFAULT '-infinity'
) RETURNS SETOF etl.session_facts
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT s.*
    FROM etl.session_facts AS s
    WHERE
        (sessions_in.n).brands IS NULL AND (sessions_in.n).names IS NULL
        AND s.started_at >= sessions_in.from_at AND s.started_at < sessions_in.to_at
        AND s.ended_at > sessions_in.ended_after
        AND ((sessions_in.n).logins IS NULL OR s.login_no = ANY((sessions_in.n).logins))
        AND ((sessions_in.n).categories IS NULL OR s.categories && (sessions_in.n).categories)
    UNION ALL
    SELECT s.*
    FROM etl.session_facts AS s
    WHERE
        ((sessions_in.n).brands IS NOT NULL OR (sessions_in.n).names IS NOT NULL)
        AND s.started_at >= sessions_in.from_at AND s.started_at < sessions_in.to_at
        AND s.ended_at > sessions_in.ended_after
        AND ((sessions_in.n).logins IS NULL OR s.login_no = ANY((sessions_in.n).logins))
        AND s.session_no IN (
            SELECT f.session_no
            FROM etl.event_facts AS f
            WHERE
                f.event_at >= sessions_in.from_at AND f.event_at <= (
                    SELECT max(x.ended_at) FROM etl.session_facts AS x
                    WHERE x.started_at >= sessions_in.from_at AND x.started_at < sessions_in.to_at
                )
                AND ((sessions_in.n).categories IS NULL OR f.category_no = ANY((sessions_in.n).categories))
                AND ((sessions_in.n).brands IS NULL OR f.brand_no = ANY((sessions_in.n).brands))
                AND ((sessions_in.n).names IS NULL OR f.name_no = ANY((sessions_in.n).names))
        );
END;
COMMENT ON FUNCTION etl.sessions_in(timestamptz, timestamptz, etl.numbers, timestamptz)
IS 'Sessions that start in [from, to), and end after an instant: one event passes category, brand and name together, the session its login state.';

CREATE FUNCTION etl.open_after() RETURNS timestamptz
LANGUAGE plpgsql STABLE
AS $$
BEGIN
    RETURN coalesce(etl.data_until() - interval '30 minutes', 'infinity');
END
$$;
COMMENT ON FUNCTION etl.open_after() IS 'Sessions that end after this instant are still open.';

CREATE FUNCTION etl.spans(from_at timestamptz, to_at timestamptz, zone text, origin timestamptz)
RETURNS TABLE (level smallint, begins_at timestamptz, ends_at timestamptz)
LANGUAGE plpgsql STABLE ROWS 4
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    before timestamptz := from_at - interval '1 microsecond';
    slot_from timestamptz := date_bin('30 minutes', before, origin) + interval '30 minutes';
    slot_to timestamptz := date_bin('30 minutes', to_at, origin);
    day_from timestamptz := (date_trunc('day', before AT TIME ZONE zone) + interval '1 day') AT TIME ZONE zone;
    day_to timestamptz := date_trunc('day', to_at, zone);
    month_from timestamptz := (date_trunc('month', before AT TIME ZONE zone) + interval '1 month') AT TIME ZONE zone;
    month_to timestamptz := date_trunc('month', to_at, zone);
BEGIN
    IF slot_from >= slot_to THEN
        slot_from := to_at;
        slot_to := to_at;
    END IF;
    IF day_from >= day_to THEN
        day_from := slot_to;
        day_to := slot_to;
    END IF;
    IF month_from >= month_to THEN
        month_from := day_to;
        month_to := day_to;
    END IF;
    RETURN QUERY
    SELECT s.level, s.begins_at, s.ends_at
    FROM (VALUES
        (3::smallint, month_from, month_to), (2::smallint, day_from, month_from), (2::smallint, month_to, day_to),
        (1::smallint, slot_from, day_from), (1::smallint, day_to, slot_to), (0::smallint, from_at, slot_from),
        (0::smallint, slot_to, to_at)
    ) AS s (level, begins_at, ends_at)
    WHERE s.begins_at < s.ends_at;
END
$$;
COMMENT ON FUNCTION etl.spans(timestamptz, timestamptz, text, timestamptz)
IS 'Takes [from, to) apart into whole months, days and slots of the rollups, and what is left at the edges (level 0).';

CREATE FUNCTION etl.edge_spans(edges timestamptz[])
RETURNS TABLE (bucket integer, level smallint, begins_at timestamptz, ends_at timestamptz)
LANGUAGE plpgsql STABLE ROWS 10
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    zone text := etl.shop_zone();
    origin timestamptz := etl.grid_origin();
BEGIN
    RETURN QUERY
    SELECT b.i, s.level, s.begins_at, s.ends_at
    FROM generate_series(1, cardinality(edges) - 1) AS b (i)
    CROSS JOIN LATERAL etl.spans(edges[b.i], edges[b.i + 1], zone, origin) AS s;
END
$$;
COMMENT ON FUNCTION etl.edge_spans(timestamptz[]) IS 'The spans of every bucket between two of some edges.';

CREATE TYPE etl.event_sums AS (
    bucket integer, events bigint, discounts bigint, plausible_discounts bigint, visitors public.roaringbitmap
);
COMMENT ON TYPE etl.event_sums IS 'Events of a bucket, counted from 1, and the clients they are of.';

CREATE TYPE etl.session_sums AS (
    bucket integer, sessions bigint, robots bigint, converted bigint, engaged bigint, viewed bigint, added bigint,
    unviewed bigint, carts bigint, abandoned bigint, checkouts bigint, reached_2 bigint, reached_3 bigint,
    reached_4 bigint, views bigint, cart_value_missing bigint, cart_value numeric
);
COMMENT ON TYPE etl.session_sums IS 'Sessions that start in a bucket, counted from 1, as the columns of etl.segments.';

CREATE FUNCTION etl.read_events(edges timestamptz[], n etl.numbers) RETURNS SETOF etl.event_sums
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT
        width_bucket(f.event_at, read_events.edges), count(*), count(*) FILTER (WHERE f.discount_no > 0),
        count(*) FILTER (WHERE f.discount_no = 2), public.rb_build_agg(f.visitor_no)
    FROM etl.events_in(
        read_events.edges[1], read_events.edges[cardinality(read_events.edges)], read_events.n
    ) AS f
    GROUP BY 1;
END;
COMMENT ON FUNCTION etl.read_events(timestamptz[], etl.numbers) IS 'Sums of events between edges, from the events themselves.';

CREATE FUNCTION etl.read_sessions(edges timestamptz[], n etl.numbers) RETURNS SETOF etl.session_sums
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT
        width_bucket(s.started_at, read_sessions.edges),
        count(*) FILTER (WHERE NOT etl.is_robot(s.events)), count(*) FILTER (WHERE etl.is_robot(s.events)),
        count(*) FILTER (WHERE NOT etl.is_robot(s.events) AND s.is_completed),
        count(*) FILTER (WHERE NOT etl.is_robot(s.events) AND s.is_engaged),
        count(*) FILTER (WHERE NOT etl.is_robot(s.events) AND s.has_product_view),
        count(*) FILTER (WHERE NOT etl.is_robot(s.events) AND s.has_product_view AND s.has_add),
        count(*) FILTER (WHERE NOT etl.is_robot(s.events) AND s.has_add AND NOT s.has_product_view),
        count(*) FILTER (WHERE NOT etl.is_robot(s.events) AND s.has_add),
        count(*) FILTER (WHERE NOT etl.is_robot(s.events) AND s.is_abandoned),
        count(*) FILTER (WHERE NOT etl.is_robot(s.events) AND s.has_checkout_start),
        count(s.add_at) FILTER (WHERE NOT etl.is_robot(s.events)),
        count(s.start_at) FILTER (WHERE NOT etl.is_robot(s.events)),
        count(s.complete_at) FILTER (WHERE NOT etl.is_robot(s.events)),
        coalesce(sum(s.views) FILTER (WHERE NOT etl.is_robot(s.events)), 0),
        coalesce(sum(s.cart_value_missing) FILTER (WHERE NOT etl.is_robot(s.events)), 0),
        coalesce(sum(s.cart_value) FILTER (WHERE NOT etl.is_robot(s.events)), 0)
    FROM etl.sessions_in(
        read_sessions.edges[1], read_sessions.edges[cardinality(read_sessions.edges)], read_sessions.n
    ) AS s
    GROUP BY 1;
END;
COMMENT ON FUNCTION etl.read_sessions(timestamptz[], etl.numbers)
IS 'Sums of the sessions that start between edges, from the sessions themselves.';

-- A nested loop from a few spans into the rollups' keys is what these are for, whatever the planner thinks of it.
CREATE FUNCTION etl.rolled_events(edges timestamptz[], n etl.numbers) RETURNS SETOF etl.event_sums
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
    categories smallint[] := etl.segment_categories(n);
    logins smallint[] := etl.segment_logins(n);
BEGIN
    RETURN QUERY
    WITH span AS MATERIALIZED (
        SELECT p.bucket, p.level, p.begins_at, p.ends_at FROM etl.edge_spans(edges) AS p
    ),

    part AS (
        SELECT p.bucket, s.events::bigint, s.discounts::bigint, s.plausible_discounts::bigint, s.visitors
        FROM span AS p
        INNER JOIN etl.segments AS s
            ON s.level = p.level AND s.at >= p.begins_at AND s.at < p.ends_at
        WHERE p.level > 0 AND s.category_no = ANY (categories) AND s.login_no = ANY (logins)
        UNION ALL
        SELECT p.bucket, e.events, e.discounts, e.plausible_discounts, e.visitors
        FROM span AS p CROSS JOIN LATERAL etl.read_events(ARRAY[p.begins_at, p.ends_at], n) AS e
        WHERE p.level = 0
    )

    SELECT
        p.bucket, sum(p.events)::bigint, sum(p.discounts)::bigint, sum(p.plausible_discounts)::bigint,
        public.rb_or_agg(p.visitors)
    FROM part AS p
    GROUP BY p.bucket;
END
$$;
COMMENT ON FUNCTION etl.rolled_events(timestamptz[], etl.numbers)
IS 'Sums of events between edges, from the rollups: for filters of login states and categories.';

CREATE FUNCTION etl.rolled_sessions(edges timestamptz[], n etl.numbers) RETURNS SETOF etl.session_sums
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
    categories smallint[] := etl.segment_categories(n);
    logins smallint[] := etl.segment_logins(n);
BEGIN
    RETURN QUERY
    WITH span AS MATERIALIZED (
        SELECT p.bucket, p.level, p.begins_at, p.ends_at FROM etl.edge_spans(edges) AS p
    ),

    part AS (
        SELECT
            p.bucket, s.sessions, s.robots, s.converted, s.engaged, s.viewed, s.added, s.unviewed, s.carts,
            s.abandoned, s.checkouts, s.reached_2, s.reached_3, s.reached_4, s.views, s.cart_value_missing,
            s.cart_value
        FROM span AS p
        INNER JOIN etl.segments AS s
            ON s.level = p.level AND s.at >= p.begins_at AND s.at < p.ends_at
        WHERE p.level > 0 AND s.category_no = ANY (categories) AND s.login_no = ANY (logins)
        UNION ALL
        SELECT
            p.bucket, r.sessions, r.robots, r.converted, r.engaged, r.viewed, r.added, r.unviewed, r.carts,
            r.abandoned, r.checkouts, r.reached_2, r.reached_3, r.reached_4, r.views, r.cart_value_missing,
            r.cart_value
        FROM span AS p CROSS JOIN LATERAL etl.read_sessions(ARRAY[p.begins_at, p.ends_at], n) AS r
        WHERE p.level = 0
    )

    SELECT
        p.bucket, sum(p.sessions)::bigint, sum(p.robots)::bigint, sum(p.converted)::bigint, sum(p.engaged)::bigint,
        sum(p.viewed)::bigint, sum(p.added)::bigint, sum(p.unviewed)::bigint, sum(p.carts)::bigint,
        sum(p.abandoned)::bigint, sum(p.checkouts)::bigint, sum(p.reached_2)::bigint, sum(p.reached_3)::bigint,
        sum(p.reached_4)::bigint, sum(p.views)::bigint, sum(p.cart_value_missing)::bigint, sum(p.cart_value)
    FROM part AS p
    GROUP BY p.bucket;
END
$$;
COMMENT ON FUNCTION etl.rolled_sessions(timestamptz[], etl.numbers)
IS 'Sums of the sessions that start between edges, from the rollups: for filters of login states and at most one category.';

CREATE FUNCTION etl.event_totals(edges timestamptz[], n etl.numbers) RETURNS SETOF etl.event_sums
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF (n).brands IS NULL AND (n).names IS NULL THEN
        RETURN QUERY SELECT r.* FROM etl.rolled_events(edges, n) AS r;
    ELSE
        RETURN QUERY SELECT r.* FROM etl.read_events(edges, n) AS r;
    END IF;
END
$$;
COMMENT ON FUNCTION etl.event_totals(timestamptz[], etl.numbers)
IS 'Sums of events of each bucket between edges, by the shortest way; a bucket without any has no row.';

CREATE FUNCTION etl.session_totals(edges timestamptz[], n etl.numbers) RETURNS SETOF etl.session_sums
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF etl.session_counts_add_up(n) THEN
        RETURN QUERY SELECT r.* FROM etl.rolled_sessions(edges, n) AS r;
    ELSE
        RETURN QUERY SELECT r.* FROM etl.read_sessions(edges, n) AS r;
    END IF;
END
$$;
COMMENT ON FUNCTION etl.session_totals(timestamptz[], etl.numbers)
IS 'Sums of the sessions that start in each bucket between edges, by the shortest way; a bucket without any has no row.';

CREATE FUNCTION etl.bucket_edges(from_at timestamptz, to_at timestamptz, zone text, bucket text) RETURNS timestamptz[]
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    step interval := CASE bucket WHEN 'hour' THEN interval '1 hour' WHEN 'day' THEN interval '1 day'
        WHEN 'week' THEN interval '1 week' END;
BEGIN
    IF step IS NULL THEN
        RAISE EXCEPTION 'bucket is %: use hour, day or week', bucket USING ERRCODE = '22023';
    END IF;
    IF bucket = 'hour' THEN
        -- Hours are those of every quarter, for zones whose offset, or change of it, is no whole hour. The one that
        -- a change cuts begins where the change is.
        RETURN ARRAY(
            SELECT h.at
            FROM (
                SELECT g.at, lead(g.at) OVER (ORDER BY g.at) AS next_at
                FROM (
                    SELECT min(q.at) AS at
                    FROM generate_series(date_trunc('hour', from_at, zone), to_at, interval '15 minutes') AS q (at)
                    WHERE q.at < to_at
                    GROUP BY date_trunc('hour', q.at, zone)
                ) AS g
            ) AS h
            WHERE coalesce(h.next_at > from_at, true)
            ORDER BY h.at
        ) || to_at;
    END IF;
    -- Days and weeks step in local time: a day of 23 or 25 hours is one day.
    RETURN ARRAY(
        SELECT d.at AT TIME ZONE zone
        FROM generate_series(
            date_trunc(bucket, from_at AT TIME ZONE zone), to_at AT TIME ZONE zone, step
        ) AS d (at)
        WHERE d.at AT TIME ZONE zone < to_at
        ORDER BY 1
    ) || to_at;
END
$$;
COMMENT ON FUNCTION etl.bucket_edges(timestamptz, timestamptz, text, text)
IS 'Where the local hours, days or weeks that [from, to) touches begin; the last edge is to.';

CREATE FUNCTION etl.clip(edges timestamptz[], from_at timestamptz) RETURNS timestamptz[]
LANGUAGE sql IMMUTABLE
RETURN from_at || edges[2:];
COMMENT ON FUNCTION etl.clip(timestamptz[], timestamptz) IS 'Edges whose first bucket begins where the range does.';

CREATE TYPE etl.open_sums AS (
    carts bigint, abandoned bigint, at_view bigint, at_add bigint, at_checkout bigint
);
COMMENT ON TYPE etl.open_sums IS 'Sessions still open: with a cart, with one that would be abandoned, and by the last step of the closed funnel.';

CREATE FUNCTION etl.open_sessions(from_at timestamptz, to_at timestamptz, n etl.numbers) RETURNS etl.open_sums
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
AS $$
DECLARE
    open_after timestamptz := etl.open_after();
    sums etl.open_sums;
BEGIN
    SELECT
        count(*) FILTER (WHERE s.has_add), count(*) FILTER (WHERE s.is_abandoned),
        count(*) FILTER (WHERE s.has_product_view AND s.add_at IS NULL),
        count(*) FILTER (WHERE s.add_at IS NOT NULL AND s.start_at IS NULL),
        count(*) FILTER (WHERE s.start_at IS NOT NULL AND s.complete_at IS NULL)
    INTO sums
    FROM etl.sessions_in(from_at, to_at, n, open_after) AS s WHERE NOT etl.is_robot(s.events);
    RETURN sums;
END
$$;
COMMENT ON FUNCTION etl.open_sessions(timestamptz, timestamptz, etl.numbers) IS 'Counts the open sessions that start in [from, to).';

CREATE FUNCTION dashboard.kpis(from_at timestamptz, to_at timestamptz, zone text, filter jsonb DEFAULT NULL)
RETURNS TABLE (
    events bigint, visitors bigint, sessions bigint, converted_sessions bigint, engaged_sessions bigint,
    product_view_sessions bigint, add_sessions bigint, sessions_with_add bigint, abandoned_sessions bigint,
    robot_sessions bigint, conversion_rate float8, bounce_rate float8, add_to_cart_rate float8,
    abandonment_rate float8, cart_value numeric, cart_value_missing bigint,
    adds_without_view_sessions bigint, discount_rows bigint, implausible_discounts bigint
)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    n etl.numbers := etl.filter_numbers(filter);
    e etl.event_sums;
    s etl.session_sums;
    o etl.open_sums;
BEGIN
    IF from_at < to_at THEN
        SELECT t.* INTO e FROM etl.event_totals(ARRAY[from_at, to_at], n) AS t;
        SELECT t.* INTO s FROM etl.session_totals(ARRAY[from_at, to_at], n) AS t;
        o := etl.open_sessions(from_at, to_at, n);
    END IF;
    RETURN QUERY
    SELECT
        coalesce(e.events, 0), coalesce(public.rb_cardinality(e.visitors), 0)::bigint, c.sessions, c.converted,
        coalesce(s.engaged, 0), c.viewed, c.added, c.carts, c.abandoned, coalesce(s.robots, 0),
        c.converted::float8 / nullif(c.sessions, 0),
        1 - s.engaged::float8 / nullif(c.sessions, 0),
        c.added::float8 / nullif(c.viewed, 0),
        c.abandoned::float8 / nullif(c.carts, 0),
        coalesce(s.cart_value, 0), coalesce(s.cart_value_missing, 0), coalesce(s.unviewed, 0),
        coalesce(e.discounts, 0), coalesce(e.discounts - e.plausible_discounts, 0)
    FROM (
        SELECT
            coalesce(s.sessions, 0) AS sessions, coalesce(s.converted, 0) AS converted,
            coalesce(s.viewed, 0) AS viewed, coalesce(s.added, 0) AS added,
            coalesce(s.carts - o.carts, 0) AS carts, coalesce(s.abandoned - o.abandoned, 0) AS abandoned
    ) AS c;
END
$$;
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
    n etl.numbers := etl.filter_numbers(filter);
    edges timestamptz[] := etl.bucket_edges(from_at, to_at, zone, bucket);
    clipped timestamptz[] := etl.clip(edges, from_at);
    until timestamptz := etl.data_until();
BEGIN
    RETURN QUERY
    SELECT
        edges[b.i], coalesce(e.events, 0), coalesce(public.rb_cardinality(e.visitors), 0)::bigint,
        coalesce(s.sessions, 0), coalesce(s.converted, 0), coalesce(edges[b.i + 1] > until, true)
    FROM generate_series(1, cardinality(edges) - 1) AS b (i)
    LEFT JOIN etl.event_totals(clipped, n) AS e ON e.bucket = b.i
    LEFT JOIN etl.session_totals(clipped, n) AS s ON s.bucket = b.i
    ORDER BY b.i;
END
$$;
COMMENT ON FUNCTION dashboard.series(timestamptz, timestamptz, text, jsonb, text)
IS 'Headline counts by local hour, day or week (from Monday), every bucket of the range; provisional: it ends after *data until*.';

CREATE FUNCTION dashboard.event_mix(from_at timestamptz, to_at timestamptz, zone text, filter jsonb DEFAULT NULL)
RETURNS TABLE (event_name text, label text, events bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
AS $$
#variable_conflict use_column
DECLARE
    n etl.numbers := etl.filter_numbers(filter);
    is_rolled boolean := n.categories IS NULL AND n.brands IS NULL;
BEGIN
    RETURN QUERY
    SELECT t.key, coalesce(t.label, t.key), c.events
    FROM (
        SELECT m.name_no, sum(m.events)::bigint AS events
        FROM (
            SELECT o.name_no, o.events::bigint
            FROM etl.edge_spans(ARRAY[from_at, to_at]) AS p
            INNER JOIN etl.name_counts AS o ON o.level = p.level AND o.at >= p.begins_at AND o.at < p.ends_at
            WHERE
                is_rolled AND (n.logins IS NULL OR o.login_no = ANY (n.logins))
                AND (n.names IS NULL OR o.name_no = ANY (n.names))
            UNION ALL
            SELECT f.name_no, f.events
            FROM etl.edge_spans(ARRAY[from_at, to_at]) AS p
            CROSS JOIN LATERAL (
                SELECT e.name_no, count(*) AS events FROM etl.events_in(p.begins_at, p.ends_at, n) AS e GROUP BY 1
            ) AS f
            WHERE is_rolled AND p.level = 0
            UNION ALL
            SELECT e.name_no, count(*) FROM etl.events_in(from_at, to_at, n) AS e WHERE NOT is_rolled GROUP BY 1
        ) AS m
        GROUP BY m.name_no
    ) AS c
    INNER JOIN etl.terms AS t ON t.field = 'event_name' AND t.term_no = c.name_no
    WHERE c.events > 0
    ORDER BY c.events DESC, t.key;
END
$$;
COMMENT ON FUNCTION dashboard.event_mix(timestamptz, timestamptz, text, jsonb)
IS 'Events by name, the most frequent first; the label is the newest spelling.';

CREATE FUNCTION dashboard.login_states(from_at timestamptz, to_at timestamptz, zone text, filter jsonb DEFAULT NULL)
RETURNS TABLE (login_state text, sessions bigint, converted_sessions bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    n etl.numbers := etl.filter_numbers(filter);
BEGIN
    IF from_at >= to_at THEN
        RETURN;
    END IF;
    RETURN QUERY
    SELECT t.key, s.sessions, s.converted
    FROM etl.terms AS t
    CROSS JOIN LATERAL etl.session_totals(
        ARRAY[from_at, to_at], ROW(ARRAY[t.term_no], n.categories, n.brands, n.names)::etl.numbers
    ) AS s
    WHERE t.field = 'login_state' AND (n.logins IS NULL OR t.term_no = ANY (n.logins)) AND s.sessions > 0
    ORDER BY s.sessions DESC, t.key;
END
$$;
COMMENT ON FUNCTION dashboard.login_states(timestamptz, timestamptz, text, jsonb)
IS 'Sessions by login state: logged_in if any event is, else guest, anonymous, other, not set.';

CREATE FUNCTION etl.closed_steps(names smallint[], instants timestamptz[], steps smallint[]) RETURNS timestamptz[]
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    reached timestamptz[] := '{}';
    used integer[] := '{}';
    after timestamptz := '-infinity';
    step smallint;
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
COMMENT ON FUNCTION etl.closed_steps(smallint[], timestamptz[], smallint[])
IS 'When each step of a closed funnel was reached: the earliest other event not before the last step''s.';

CREATE FUNCTION etl.step_numbers(steps text[]) RETURNS smallint[]
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF coalesce(cardinality(steps), 0) NOT BETWEEN 2 AND 6 OR array_position(steps, NULL) IS NOT NULL THEN
        RAISE EXCEPTION 'a funnel has 2 to 6 event names, not %', steps USING ERRCODE = '22023';
    END IF;
    RETURN ARRAY(
        -- A name that no event ever had is reached by nobody.
        SELECT coalesce(t.term_no, -1)
        FROM unnest(steps) WITH ORDINALITY AS s (name, i)
        LEFT JOIN etl.terms AS t ON t.field = 'event_name' AND t.key = etl.value_key(s.name)
        ORDER BY s.i
    );
END
$$;
COMMENT ON FUNCTION etl.step_numbers(text[]) IS 'Numbers of the event names of a funnel''s steps.';

CREATE FUNCTION etl.is_default_funnel(steps smallint[]) RETURNS boolean
LANGUAGE sql IMMUTABLE
RETURN steps = ARRAY[
    etl.name_no('product_view'), etl.name_no('add_to_cart_click'), etl.name_no('checkout_start'),
    etl.name_no('checkout_complete')
];
COMMENT ON FUNCTION etl.is_default_funnel(smallint[]) IS 'Whether these are the steps that sessions and rollups hold.';

CREATE FUNCTION etl.session_steps(from_at timestamptz, to_at timestamptz, n etl.numbers, steps smallint[])
RETURNS TABLE (started_at timestamptz, ended_at timestamptz, reached timestamptz[], names smallint[])
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT
        s.started_at, s.ended_at,
        etl.closed_steps(
            array_agg(f.name_no ORDER BY f.event_at, f.event_id),
            array_agg(f.event_at ORDER BY f.event_at, f.event_id), session_steps.steps
        ),
        array_agg(DISTINCT f.name_no)
    FROM etl.sessions_in(session_steps.from_at, session_steps.to_at, session_steps.n) AS s
    INNER JOIN etl.event_facts AS f ON f.session_no = s.session_no
    WHERE NOT etl.is_robot(s.events) AND f.name_no = ANY(session_steps.steps)
    GROUP BY s.session_no, s.started_at, s.ended_at;
END;
COMMENT ON FUNCTION etl.session_steps(timestamptz, timestamptz, etl.numbers, smallint[])
IS 'Sessions with any of some steps: when each step of the closed funnel was reached, and which steps at all.';

CREATE FUNCTION dashboard.funnel_series(from_at timestamptz, to_at timestamptz, zone text, filter jsonb DEFAULT NULL,
    steps text[] DEFAULT ARRAY['product_view', 'add_to_cart_click', 'checkout_start', 'checkout_complete'],
    bucket text DEFAULT 'day')
RETURNS TABLE (bucket_at timestamptz, step integer, event_name text, closed_sessions bigint, open_sessions bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    n etl.numbers := etl.filter_numbers(filter);
    numbers smallint[] := etl.step_numbers(steps);
    edges timestamptz[] := etl.bucket_edges(from_at, to_at, zone, bucket);
BEGIN
    IF etl.is_default_funnel(numbers) THEN
        RETURN QUERY
        SELECT edges[b.i], k.step, steps[k.step], coalesce(k.closed, 0), coalesce(k.open, 0)
        FROM generate_series(1, cardinality(edges) - 1) AS b (i)
        LEFT JOIN etl.session_totals(etl.clip(edges, from_at), n) AS s ON s.bucket = b.i
        CROSS JOIN LATERAL (VALUES
            (1, s.viewed, s.viewed), (2, s.reached_2, s.carts), (3, s.reached_3, s.checkouts),
            (4, s.reached_4, s.converted)
        ) AS k (step, closed, open)
        ORDER BY b.i, k.step;
        RETURN;
    END IF;
    RETURN QUERY
    SELECT edges[b.i], k.step, steps[k.step], coalesce(c.closed, 0), coalesce(c.open, 0)
    FROM generate_series(1, cardinality(edges) - 1) AS b (i)
    CROSS JOIN generate_series(1, cardinality(numbers)) AS k (step)
    LEFT JOIN (
        SELECT
            width_bucket(s.started_at, etl.clip(edges, from_at)) AS i, g.step,
            count(*) FILTER (WHERE cardinality(s.reached) >= g.step) AS closed,
            count(*) FILTER (WHERE numbers[g.step] = ANY (s.names)) AS open
        FROM etl.session_steps(from_at, to_at, n, numbers) AS s
        CROSS JOIN generate_series(1, cardinality(numbers)) AS g (step)
        GROUP BY 1, 2
    ) AS c ON c.i = b.i AND c.step = k.step
    ORDER BY b.i, k.step;
END
$$;
COMMENT ON FUNCTION dashboard.funnel_series(timestamptz, timestamptz, text, jsonb, text[], text)
IS 'Sessions that start in each local hour, day or week and reach each step, in order (closed) and at all (open).';

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
    n etl.numbers := etl.filter_numbers(filter);
    numbers smallint[] := etl.step_numbers(steps);
    open_after timestamptz := etl.open_after();
    t etl.session_sums;
    o etl.open_sums;
    closed bigint[];
    opened bigint[];
    medians float8[];
    still_open bigint[];
BEGIN
    IF etl.is_default_funnel(numbers) THEN
        IF from_at < to_at THEN
            SELECT s.* INTO t FROM etl.session_totals(ARRAY[from_at, to_at], n) AS s;
        END IF;
        closed := ARRAY[t.viewed, t.reached_2, t.reached_3, t.reached_4];
        opened := ARRAY[t.viewed, t.carts, t.checkouts, t.converted];
        SELECT ARRAY[
            NULL,
            percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(EPOCH FROM s.add_at - s.view_at)::float8),
            percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(EPOCH FROM s.start_at - s.add_at)::float8),
            percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(EPOCH FROM s.complete_at - s.start_at)::float8)
        ] INTO medians
        FROM etl.sessions_in(from_at, to_at, n) AS s WHERE NOT etl.is_robot(s.events) AND s.add_at IS NOT NULL;
        o := etl.open_sessions(from_at, to_at, n);
        still_open := ARRAY[o.at_view, o.at_add, o.at_checkout];
    ELSE
        SELECT
            array_agg(c.closed ORDER BY c.step), array_agg(c.opened ORDER BY c.step),
            array_agg(c.median ORDER BY c.step), array_agg(c.still_open ORDER BY c.step)
        INTO closed, opened, medians, still_open
        FROM (
            SELECT
                g.step, count(*) FILTER (WHERE cardinality(s.reached) >= g.step) AS closed,
                count(*) FILTER (WHERE numbers[g.step] = ANY (s.names)) AS opened,
                percentile_cont(0.5) WITHIN GROUP (
                    ORDER BY extract(EPOCH FROM s.reached[g.step] - s.reached[g.step - 1])::float8
                ) AS median,
                count(*) FILTER (WHERE cardinality(s.reached) = g.step AND s.ended_at > open_after) AS still_open
            FROM etl.session_steps(from_at, to_at, n, numbers) AS s
            CROSS JOIN generate_series(1, cardinality(numbers)) AS g (step)
            GROUP BY g.step
        ) AS c;
    END IF;
    RETURN QUERY
    SELECT
        k.step, steps[k.step], coalesce(closed[k.step], 0), coalesce(opened[k.step], 0), medians[k.step],
        CASE WHEN k.step < cardinality(numbers) THEN
            coalesce(closed[k.step] - closed[k.step + 1] - still_open[k.step], 0)
        END,
        CASE WHEN k.step < cardinality(numbers) THEN coalesce(still_open[k.step], 0) END
    FROM generate_series(1, cardinality(numbers)) AS k (step)
    ORDER BY k.step;
END
$$;
COMMENT ON FUNCTION dashboard.funnel(timestamptz, timestamptz, text, jsonb, text[])
IS 'Sessions that reached each step in order (closed) and at all (open), with the median seconds from the step before; of the closed, those that left before the next step, and those that may still reach it.';

CREATE TYPE etl.item_sums AS (
    item_no integer, events bigint, views bigint, adds bigint, removals bigint, wishlisted bigint, view_sessions bigint,
    add_sessions bigint, bought_sessions bigint
);
COMMENT ON TYPE etl.item_sums IS 'What was done with a product, category or brand, as the columns of etl.item_days.';

CREATE FUNCTION etl.read_item_events(item_kind integer, from_at timestamptz, to_at timestamptz, n etl.numbers)
RETURNS SETOF etl.item_sums
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT
        k.item_no, count(*), count(*) FILTER (WHERE f.name_no = etl.name_no('product_view')),
        count(*) FILTER (WHERE f.name_no = etl.name_no('add_to_cart_click')),
        count(*) FILTER (WHERE f.name_no = etl.name_no('remove_from_cart_click')),
        count(*) FILTER (WHERE f.name_no = etl.name_no('wishlist_toggle')), 0, 0, 0
    FROM etl.events_in(read_item_events.from_at, read_item_events.to_at, read_item_events.n) AS f
    CROSS JOIN LATERAL (
        SELECT CASE read_item_events.item_kind WHEN 1 THEN f.product_no WHEN 2 THEN f.category_no ELSE f.brand_no END
    ) AS k (item_no)
    WHERE
        k.item_no IS NOT NULL AND (
            read_item_events.item_kind = 1
            OR f.name_no IN (etl.name_no('product_view'), etl.name_no('add_to_cart_click'))
        )
    GROUP BY k.item_no;
END;
COMMENT ON FUNCTION etl.read_item_events(integer, timestamptz, timestamptz, etl.numbers)
IS 'What the events of a range did with products (kind 1), categories (2) or brands (3).';

CREATE FUNCTION etl.read_item_sessions(item_kind integer, from_at timestamptz, to_at timestamptz, n etl.numbers)
RETURNS SETOF etl.item_sums
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT
        m.item_no, 0, 0, 0, 0, 0, count(*) FILTER (WHERE m.is_viewed),
        count(*) FILTER (WHERE m.is_viewed AND m.is_added), count(*) FILTER (WHERE m.is_bought)
    FROM etl.item_marks(ARRAY(
        SELECT s.session_no
        FROM etl.sessions_in(read_item_sessions.from_at, read_item_sessions.to_at, read_item_sessions.n) AS s
    )) AS m
    WHERE m.kind = read_item_sessions.item_kind
    GROUP BY m.item_no;
END;
COMMENT ON FUNCTION etl.read_item_sessions(integer, timestamptz, timestamptz, etl.numbers)
IS 'What the sessions that start in a range did with products (kind 1), categories (2) or brands (3).';

CREATE FUNCTION etl.rolled_items(item_kind integer, from_at timestamptz, to_at timestamptz, max_rows integer)
RETURNS SETOF etl.item_sums
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
    everything etl.numbers;
BEGIN
    RETURN QUERY
    WITH span AS MATERIALIZED (
        SELECT p.level, p.begins_at, p.ends_at FROM etl.edge_spans(ARRAY[from_at, to_at]) AS p
    )

    SELECT
        i.item_no, sum(i.events)::bigint, sum(i.views)::bigint, sum(i.adds)::bigint, sum(i.removals)::bigint,
        sum(i.wishlisted)::bigint, sum(i.view_sessions)::bigint, sum(i.add_sessions)::bigint,
        sum(i.bought_sessions)::bigint
    FROM (
        SELECT
            o.item_no, o.events, o.views, o.adds, o.removals, o.wishlisted, o.view_sessions, o.add_sessions,
            o.bought_sessions
        FROM span AS p
        INNER JOIN etl.item_days AS o
            ON o.kind = item_kind AND o.level = p.level AND o.at >= p.begins_at AND o.at < p.ends_at
        WHERE p.level >= 2
        UNION ALL
        SELECT e.* FROM span AS p
        CROSS JOIN LATERAL etl.read_item_events(item_kind, p.begins_at, p.ends_at, everything) AS e
        WHERE p.level < 2
        UNION ALL
        SELECT s.* FROM span AS p
        CROSS JOIN LATERAL etl.read_item_sessions(item_kind, p.begins_at, p.ends_at, everything) AS s
        WHERE p.level < 2
    ) AS i
    GROUP BY i.item_no
    HAVING sum(i.events) > 0
    ORDER BY sum(i.views) DESC, sum(i.adds) DESC
    FETCH FIRST max_rows ROWS WITH TIES;
END
$$;
COMMENT ON FUNCTION etl.rolled_items(integer, timestamptz, timestamptz, integer)
IS 'The products (kind 1), categories (2) or brands (3) most viewed in a range, and those that tie with the last: whole days from the rollups.';

CREATE FUNCTION etl.top_items(item_kind integer, from_at timestamptz, to_at timestamptz, filter jsonb, max_rows integer)
RETURNS SETOF etl.item_sums
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    n etl.numbers := etl.filter_numbers(filter);
BEGIN
    IF n.logins IS NULL AND n.categories IS NULL AND n.brands IS NULL AND n.names IS NULL THEN
        RETURN QUERY SELECT r.* FROM etl.rolled_items(item_kind, from_at, to_at, max_rows) AS r;
    ELSE
        RETURN QUERY
        SELECT
            e.item_no, e.events, e.views, e.adds, e.removals, e.wishlisted, coalesce(s.view_sessions, 0),
            coalesce(s.add_sessions, 0), coalesce(s.bought_sessions, 0)
        FROM etl.read_item_events(item_kind, from_at, to_at, n) AS e
        LEFT JOIN etl.read_item_sessions(item_kind, from_at, to_at, n) AS s ON s.item_no = e.item_no
        ORDER BY e.views DESC, e.adds DESC
        FETCH FIRST max_rows ROWS WITH TIES;
    END IF;
END
$$;
COMMENT ON FUNCTION etl.top_items(integer, timestamptz, timestamptz, jsonb, integer)
IS 'The products (kind 1), categories (2) or brands (3) most viewed in a range, of those that an event of it has, and what ties with the last.';

CREATE FUNCTION dashboard.top_products(from_at timestamptz, to_at timestamptz, zone text, filter jsonb DEFAULT NULL, max_rows integer DEFAULT 50)
RETURNS TABLE (
    product_id text, name text, category text, brand text, price_seen numeric, views bigint, adds bigint,
    removals bigint, wishlisted bigint, view_sessions bigint, add_sessions bigint, bought_sessions bigint,
    add_to_cart_rate float8
)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH top AS (
        SELECT p.product_no, p.product_id, t.*
        FROM etl.top_items(
            1, top_products.from_at, top_products.to_at, top_products.filter, top_products.max_rows
        ) AS t
        INNER JOIN etl.products AS p ON p.product_no = t.item_no
        ORDER BY t.views DESC, t.adds DESC, p.product_id
        LIMIT top_products.max_rows
    )

    SELECT
        t.product_id, (l.name).value AS name, (l.category).value AS category, (l.brand).value AS brand,
        (l.price).value::numeric AS price_seen, t.views, t.adds, t.removals, t.wishlisted,
        t.view_sessions, t.add_sessions, t.bought_sessions, t.add_sessions::float8 / nullif(t.view_sessions, 0)
    FROM top AS t
    LEFT JOIN etl.product_labels AS l ON l.product_no = t.product_no
    ORDER BY t.views DESC, t.adds DESC, t.product_id;
END;
COMMENT ON FUNCTION dashboard.top_products(timestamptz, timestamptz, text, jsonb, integer)
IS 'Products by views, category_view left out; name, labels and price seen are those of the newest event that has one; bought: added and completed later (upper estimate).';

CREATE FUNCTION etl.top_terms(
    item_kind integer, term_field text, from_at timestamptz, to_at timestamptz, filter jsonb, max_rows integer
)
RETURNS TABLE (
    value text, label text, views bigint, adds bigint, view_sessions bigint, bought_sessions bigint
)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT n.key, coalesce(n.label, n.key), t.views, t.adds, t.view_sessions, t.bought_sessions
    FROM etl.top_items(
        top_terms.item_kind, top_terms.from_at, top_terms.to_at, top_terms.filter, top_terms.max_rows
    ) AS t
    INNER JOIN etl.terms AS n ON n.field = top_terms.term_field AND n.term_no = t.item_no
    ORDER BY t.views DESC, t.adds DESC, n.key
    LIMIT top_terms.max_rows;
END;
COMMENT ON FUNCTION etl.top_terms(integer, text, timestamptz, timestamptz, jsonb, integer)
IS 'Product views and adds by category (kind 2) or brand (kind 3).';

CREATE FUNCTION dashboard.top_categories(from_at timestamptz, to_at timestamptz, zone text, filter jsonb DEFAULT NULL, max_rows integer DEFAULT 20)
RETURNS TABLE (
    value text, label text, views bigint, adds bigint, view_sessions bigint, bought_sessions bigint
)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT t.value, t.label, t.views, t.adds, t.view_sessions, t.bought_sessions
    FROM etl.top_terms(
        2, 'category', top_categories.from_at, top_categories.to_at, top_categories.filter, top_categories.max_rows
    ) AS t;
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
    SELECT t.value, t.label, t.views, t.adds, t.view_sessions, t.bought_sessions
    FROM etl.top_terms(
        3, 'brand', top_brands.from_at, top_brands.to_at, top_brands.filter, top_brands.max_rows
    ) AS t;
END;
COMMENT ON FUNCTION dashboard.top_brands(timestamptz, timestamptz, text, jsonb, integer)
IS 'Product views and adds by brand (the event''s own value; label = newest spelling).';

CREATE FUNCTION dashboard.heatmap(from_at timestamptz, to_at timestamptz, zone text, filter jsonb DEFAULT NULL)
RETURNS TABLE (weekday integer, hour integer, sessions bigint, occurrences bigint, sessions_per_hour float8)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
AS $$
#variable_conflict use_column
DECLARE
    n etl.numbers := etl.filter_numbers(filter);
    categories smallint[] := etl.segment_categories(n);
    logins smallint[] := etl.segment_logins(n);
    day_from timestamptz := (
        date_trunc('day', (from_at - interval '1 microsecond') AT TIME ZONE zone) + interval '1 day'
    ) AT TIME ZONE zone;
    day_to timestamptz := date_trunc('day', least(to_at, etl.data_until()), zone);
    days timestamp[] := ARRAY(
        SELECT g.at FROM generate_series(
            day_from AT TIME ZONE zone, day_to AT TIME ZONE zone - interval '1 day', interval '1 day'
        ) AS g (at)
    );
    -- Local hours begin on the grid of slots, unless the zone is a quarter of an hour off the shop's.
    is_rolled boolean := etl.session_counts_add_up(n)
        AND date_bin('30 minutes', day_from, etl.grid_origin()) = day_from;
BEGIN
    RETURN QUERY
    SELECT h.weekday, h.hour, coalesce(s.sessions, 0), h.occurrences, coalesce(s.sessions, 0)::float8 / h.occurrences
    FROM (
        SELECT a.weekday, a.hour, sum(a.occurrences)::bigint AS occurrences
        FROM (
            -- A day of 24 hours has each of them once; the hours of another are looked for.
            SELECT extract(ISODOW FROM d.at)::integer AS weekday, h.hour, count(*) AS occurrences
            FROM unnest(days) AS d (at) CROSS JOIN generate_series(0, 23) AS h (hour)
            WHERE (d.at + interval '1 day') AT TIME ZONE zone - d.at AT TIME ZONE zone = interval '24 hours'
            GROUP BY 1, 2
            UNION ALL
            SELECT
                extract(ISODOW FROM d.at)::integer, extract(HOUR FROM q.at AT TIME ZONE zone)::integer,
                count(DISTINCT date_trunc('hour', q.at, zone))
            FROM unnest(days) AS d (at)
            CROSS JOIN LATERAL generate_series(
                d.at AT TIME ZONE zone,
                (d.at + interval '1 day') AT TIME ZONE zone - interval '1 microsecond', interval '15 minutes'
            ) AS q (at)
            WHERE (d.at + interval '1 day') AT TIME ZONE zone - d.at AT TIME ZONE zone <> interval '24 hours'
            GROUP BY 1, 2
        ) AS a
        GROUP BY a.weekday, a.hour
    ) AS h
    LEFT JOIN (
        SELECT
            extract(ISODOW FROM c.local)::integer AS weekday, extract(HOUR FROM c.local)::integer AS hour,
            sum(c.sessions)::bigint AS sessions
        FROM (
            SELECT g.at AT TIME ZONE zone AS local, g.sessions
            FROM etl.segments AS g
            WHERE
                is_rolled AND g.level = 1 AND g.at >= day_from AND g.at < day_to
                AND g.category_no = ANY (categories) AND g.login_no = ANY (logins)
            UNION ALL
            SELECT r.started_at AT TIME ZONE zone, 1
            FROM etl.sessions_in(day_from, day_to, n) AS r WHERE NOT is_rolled AND NOT etl.is_robot(r.events)
        ) AS c
        GROUP BY 1, 2
    ) AS s ON s.weekday = h.weekday AND s.hour = h.hour
    ORDER BY h.weekday, h.hour;
END
$$;
COMMENT ON FUNCTION dashboard.heatmap(timestamptz, timestamptz, text, jsonb)
IS 'Sessions started by local weekday (1: Monday) and hour, on complete days only, and how often that hour occurred.';

CREATE FUNCTION etl.first_seen_in(edges timestamptz[]) RETURNS TABLE (bucket integer, visitors public.roaringbitmap)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_seqscan = off
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT c.bucket, public.rb_or_agg(c.visitors)
    FROM (
        SELECT p.bucket, f.visitors
        FROM etl.edge_spans(edges) AS p
        INNER JOIN etl.first_seen AS f ON f.level = p.level AND f.at >= p.begins_at AND f.at < p.ends_at
        UNION ALL
        SELECT p.bucket, v.visitors
        FROM etl.edge_spans(edges) AS p
        CROSS JOIN LATERAL (
            SELECT public.rb_build_agg(o.visitor_no) AS visitors FROM etl.visitors AS o
            WHERE o.first_seen_at >= p.begins_at AND o.first_seen_at < p.ends_at
        ) AS v
        WHERE p.level = 0
    ) AS c
    GROUP BY c.bucket;
END
$$;
COMMENT ON FUNCTION etl.first_seen_in(timestamptz[]) IS 'Clients first seen in each bucket between edges.';

CREATE FUNCTION dashboard.retention(from_at timestamptz, to_at timestamptz, zone text, filter jsonb DEFAULT NULL, bucket text DEFAULT 'week')
RETURNS TABLE (
    cohort_at timestamptz, number integer, cohort bigint, returned bigint, rate float8, provisional boolean
)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    n etl.numbers := etl.filter_numbers(filter);
    until timestamptz := coalesce(etl.data_until(), now());
    edges timestamptz[];
BEGIN
    IF bucket = 'hour' THEN
        RAISE EXCEPTION 'bucket is %: use day or week', bucket USING ERRCODE = '22023';
    END IF;
    -- A day or week that begins in the range is taken whole.
    edges := etl.bucket_edges(from_at, (
        date_trunc(bucket, (to_at - interval '1 microsecond') AT TIME ZONE zone) + ('1 ' || bucket)::interval
    ) AT TIME ZONE zone, zone, bucket);
    IF edges[1] < from_at THEN
        edges := edges[2:];
    END IF;
    RETURN QUERY
    WITH active AS MATERIALIZED (
        SELECT b.i, e.visitors
        FROM generate_series(1, cardinality(edges) - 1) AS b (i)
        LEFT JOIN etl.event_totals(edges, n) AS e ON e.bucket = b.i
        WHERE edges[b.i] < until
    ),

    cohort AS MATERIALIZED (
        SELECT a.i, public.rb_and(f.visitors, a.visitors) AS visitors
        FROM active AS a LEFT JOIN etl.first_seen_in(edges) AS f ON f.bucket = a.i
    ),

    cell AS (
        SELECT
            c.i, a.i - c.i AS number, coalesce(public.rb_cardinality(c.visitors), 0)::bigint AS cohort,
            coalesce(public.rb_and_cardinality(c.visitors, a.visitors), 0)::bigint AS returned, a.i AS at
        FROM cohort AS c INNER JOIN active AS a ON a.i >= c.i
    )

    SELECT
        edges[c.i], c.number, c.cohort, c.returned, c.returned::float8 / nullif(c.cohort, 0),
        edges[c.at + 1] > until
    FROM cell AS c
    ORDER BY c.i, c.number;
END
$$;
COMMENT ON FUNCTION dashboard.retention(timestamptz, timestamptz, text, jsonb, text)
IS 'Of the clients first seen in each local day or week of the range, with an event that passes the filter: how many have one in each that follows, up to the range''s end and *data until*.';

CREATE FUNCTION etl.new_sessions(from_at timestamptz, to_at timestamptz, n etl.numbers) RETURNS SETOF timestamptz
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT s.started_at
    FROM etl.sessions_in(new_sessions.from_at, new_sessions.to_at, new_sessions.n) AS s
    INNER JOIN etl.visitors AS v ON v.visitor_no = s.visitor_no AND v.first_seen_at = s.client_first_at
    WHERE
        NOT etl.is_robot(s.events) AND v.first_seen_at >= new_sessions.from_at
        -- Two sessions can have an event in a client's first instant. Of a frozen one no id is known.
        AND coalesce(s.client_first_id = v.first_event_id, true);
END;
COMMENT ON FUNCTION etl.new_sessions(timestamptz, timestamptz, etl.numbers)
IS 'Starts of the sessions in [from, to) that hold their client''s first event.';

CREATE FUNCTION dashboard.new_returning(from_at timestamptz, to_at timestamptz, zone text, filter jsonb DEFAULT NULL, bucket text DEFAULT 'day')
RETURNS TABLE (
    bucket_at timestamptz, new_visitors bigint, returning_visitors bigint, new_sessions bigint,
    returning_sessions bigint, unset_sessions bigint, provisional boolean, marked boolean
)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    n etl.numbers := etl.filter_numbers(filter);
    edges timestamptz[] := etl.bucket_edges(from_at, to_at, zone, bucket);
    clipped timestamptz[] := etl.clip(edges, from_at);
    until timestamptz := etl.data_until();
    known_from timestamptz := (SELECT min(f.at) FROM etl.name_counts AS f WHERE f.level = 1) + interval '30 days';
BEGIN
    RETURN QUERY
    SELECT
        edges[b.i], coalesce(v.fresh, 0), coalesce(v.seen - v.fresh, 0), coalesce(s.fresh, 0),
        coalesce(t.sessions - coalesce(s.fresh, 0) - coalesce(u.unset, 0), 0), coalesce(u.unset, 0),
        coalesce(edges[b.i + 1] > until, true), coalesce(edges[b.i] < known_from, true)
    FROM generate_series(1, cardinality(edges) - 1) AS b (i)
    LEFT JOIN (
        SELECT
            e.bucket, public.rb_cardinality(e.visitors)::bigint AS seen,
            coalesce(public.rb_and_cardinality(e.visitors, f.visitors), 0)::bigint AS fresh
        FROM etl.event_totals(clipped, n) AS e LEFT JOIN etl.first_seen_in(clipped) AS f ON f.bucket = e.bucket
    ) AS v ON v.bucket = b.i
    LEFT JOIN etl.session_totals(clipped, n) AS t ON t.bucket = b.i
    LEFT JOIN (
        SELECT width_bucket(x.at, clipped) AS i, count(*) AS fresh
        FROM etl.new_sessions(from_at, to_at, n) AS x (at) GROUP BY 1
    ) AS s ON s.i = b.i
    LEFT JOIN (
        SELECT width_bucket(x.started_at, clipped) AS i, count(*) AS unset
        FROM etl.sessions_in(from_at, to_at, n) AS x WHERE x.visitor_no IS NULL AND NOT etl.is_robot(x.events) GROUP BY 1
    ) AS u ON u.i = b.i
    ORDER BY b.i;
END
$$;
COMMENT ON FUNCTION dashboard.new_returning(timestamptz, timestamptz, text, jsonb, text)
IS 'Visitors first seen in each local hour, day or week, and others; sessions that hold their client''s first event, others, and those without a client; marked: within 30 days of the first data, where old visitors look new.';

CREATE FUNCTION dashboard.visitor_facts(from_at timestamptz, to_at timestamptz, zone text, filter jsonb DEFAULT NULL)
RETURNS TABLE (
    new_visitors bigint, returning_visitors bigint, sessions bigint, session_visitors bigint,
    sessions_per_visitor float8, median_seconds float8, views bigint, depth float8
)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    n etl.numbers := etl.filter_numbers(filter);
    seen public.roaringbitmap;
    fresh public.roaringbitmap;
BEGIN
    IF from_at < to_at THEN
        SELECT e.visitors INTO seen FROM etl.event_totals(ARRAY[from_at, to_at], n) AS e;
        SELECT f.visitors INTO fresh FROM etl.first_seen_in(ARRAY[from_at, to_at]) AS f;
    END IF;
    RETURN QUERY
    SELECT
        coalesce(public.rb_and_cardinality(seen, fresh), 0)::bigint,
        (coalesce(public.rb_cardinality(seen), 0) - coalesce(public.rb_and_cardinality(seen, fresh), 0))::bigint,
        s.sessions, s.visitors, s.sessions::float8 / nullif(s.visitors, 0), s.median, s.views,
        s.views::float8 / nullif(s.sessions, 0)
    FROM (
        SELECT
            count(*) AS sessions,
            coalesce(public.rb_cardinality(public.rb_build_agg(t.visitor_no)), 0)::bigint AS visitors,
            percentile_cont(0.5) WITHIN GROUP (
                ORDER BY extract(EPOCH FROM t.ended_at - t.started_at)::float8
            ) FILTER (WHERE t.events >= 2) AS median,
            coalesce(sum(t.views), 0)::bigint AS views
        FROM etl.sessions_in(from_at, to_at, n) AS t
        WHERE NOT etl.is_robot(t.events)
    ) AS s;
END
$$;
COMMENT ON FUNCTION dashboard.visitor_facts(timestamptz, timestamptz, text, jsonb)
IS 'New and returning visitors of a range; its sessions for each of their clients, their median length (of two events or more), and views for each.';

CREATE OR REPLACE FUNCTION dashboard.freshness()
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
        (
            SELECT max(f.event_at) FROM etl.event_facts AS f
            WHERE f.event_at >= (SELECT max(n.at) FROM etl.name_counts AS n WHERE n.level = 1)
        ),
        r.started_at, r.result,
        coalesce(r.result = 'running' AND r.started_at > now() - interval '15 minutes', false),
        o.loaded, o.quarantined, o.pending,
        (SELECT coalesce(sum(a.events_stored), 0) FROM etl.runs AS a)::bigint
    FROM (
        SELECT
            coalesce(sum(c.objects) FILTER (WHERE c.status = 'loaded'), 0)::bigint AS loaded,
            coalesce(sum(c.objects) FILTER (WHERE c.status = 'quarantined'), 0)::bigint AS quarantined,
            coalesce(sum(c.objects) FILTER (WHERE c.status = 'pending'), 0)::bigint AS pending
        FROM etl.object_counts AS c
    ) AS o
    LEFT JOIN LATERAL (
        SELECT a.started_at, a.result FROM etl.runs AS a
        WHERE a.result <> 'busy' AND NOT a.request ?| ARRAY['erase', 'replay_erasures']
        ORDER BY a.run_id DESC LIMIT 1
    ) AS r ON true;
END;
COMMENT ON FUNCTION dashboard.freshness()
IS 'How far the data goes: *data until*, the newest event, the last run of the loader, and keys loaded, in quarantine or pending.';

CREATE OR REPLACE FUNCTION dashboard.completeness(from_at timestamptz, to_at timestamptz)
RETURNS TABLE (
    hour_at timestamptz, keys bigint, loaded bigint, quarantined bigint, pending bigint, gone bigint,
    listed_at timestamptz, state text
)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH hourly AS (
        SELECT
            n.key_hour, sum(n.objects)::bigint AS keys,
            coalesce(sum(n.objects) FILTER (WHERE n.status = 'loaded'), 0)::bigint AS loaded,
            coalesce(sum(n.objects) FILTER (WHERE n.status = 'quarantined'), 0)::bigint AS quarantined,
            coalesce(sum(n.objects) FILTER (WHERE n.status = 'pending'), 0)::bigint AS pending,
            coalesce(sum(n.objects) FILTER (WHERE n.status = 'gone'), 0)::bigint AS gone,
            CASE WHEN bool_or(n.status = 'pending' AND n.objects > 0) THEN (
                SELECT min(o.listed_at) FROM etl.pending_objects AS o WHERE o.key_hour = n.key_hour
            ) END AS pending_since
        FROM etl.object_counts AS n
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

CREATE OR REPLACE FUNCTION dashboard.runs(max_rows integer DEFAULT 50)
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

CREATE OR REPLACE FUNCTION dashboard.quarantine_summary()
RETURNS TABLE (reason_code text, objects bigint, records bigint, newest_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT q.reason_code, count(DISTINCT q.object_id), count(*), max(q.quarantined_at)
    FROM etl.quarantine AS q
    INNER JOIN etl.object_versions AS o ON o.object_id = q.object_id AND NOT o.is_superseded
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
BEGIN
    IF field NOT IN ('login_state', 'category', 'brand', 'event_name') THEN
        RAISE EXCEPTION 'there is no filter on %: use login_state, category, brand or event_name', field
            USING ERRCODE = '22023';
    END IF;
    RETURN QUERY
    SELECT t.key, t.label FROM etl.terms AS t
    WHERE t.field = filter_values.field AND t.label IS NOT NULL
    ORDER BY t.label, t.key;
END
$$;
COMMENT ON FUNCTION dashboard.filter_values(text)
IS 'Every value of a field that a filter may name, with its newest spelling.';

CREATE OR REPLACE FUNCTION dashboard.load_marker()
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
dashboard.funnel_series(timestamptz, timestamptz, text, jsonb, text[], text),
dashboard.heatmap(timestamptz, timestamptz, text, jsonb),
dashboard.retention(timestamptz, timestamptz, text, jsonb, text),
dashboard.new_returning(timestamptz, timestamptz, text, jsonb, text),
dashboard.visitor_facts(timestamptz, timestamptz, text, jsonb),
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

-- The ledger of before: nothing reads it any more.
DROP TABLE etl.objects;

COMMIT;
