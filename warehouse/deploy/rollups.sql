-- Deploy clickstream_dw:rollups to pg
BEGIN;

SET LOCAL client_min_messages = warning;
SET LOCAL ROLE dwh_owner;

CREATE FUNCTION etl.is_robot(events integer) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN events > 5000;
COMMENT ON FUNCTION etl.is_robot(integer) IS 'Whether a session of so many events is a robot, left out of session metrics.';

CREATE TABLE etl.segments (
    category_no smallint NOT NULL,
    login_no smallint NOT NULL,
    level smallint NOT NULL,
    at timestamptz NOT NULL,
    events integer NOT NULL,
    discounts integer NOT NULL,
    plausible_discounts integer NOT NULL,
    sessions integer NOT NULL,
    robots integer NOT NULL,
    converted integer NOT NULL,
    engaged integer NOT NULL,
    viewed integer NOT NULL,
    added integer NOT NULL,
    unviewed integer NOT NULL,
    carts integer NOT NULL,
    abandoned integer NOT NULL,
    checkouts integer NOT NULL,
    reached_2 integer NOT NULL,
    reached_3 integer NOT NULL,
    reached_4 integer NOT NULL,
    views integer NOT NULL,
    cart_value_missing integer NOT NULL,
    cart_value numeric NOT NULL,
    visitors public.roaringbitmap NOT NULL,
    CONSTRAINT segments_pkey PRIMARY KEY (category_no, login_no, level, at),
    CONSTRAINT segments_level_check CHECK (level IN (1, 2, 3))
) WITH (fillfactor = 80);
COMMENT ON TABLE etl.segments IS 'Events, their visitors, and the sessions that start, by half-hour slot, day and month of the shop''s zone, category and login state.';
COMMENT ON COLUMN etl.segments.category_no IS 'Category (etl.terms); 0: any.';
COMMENT ON COLUMN etl.segments.login_no IS 'Login state (etl.terms), of the event or of the session; 0: any, of any category alone.';
COMMENT ON COLUMN etl.segments.level IS '1: slot of half an hour; 2: day; 3: month.';
COMMENT ON COLUMN etl.segments.at IS 'Where the slot, day or month begins.';
COMMENT ON COLUMN etl.segments.events IS 'Events.';
COMMENT ON COLUMN etl.segments.discounts IS 'Events with a discount price.';
COMMENT ON COLUMN etl.segments.plausible_discounts IS 'Those whose discount price can be one.';
COMMENT ON COLUMN etl.segments.sessions IS 'Sessions that start here, robots left out, as in all that follows.';
COMMENT ON COLUMN etl.segments.robots IS 'Sessions of more than 5,000 events.';
COMMENT ON COLUMN etl.segments.converted IS 'With a checkout_complete.';
COMMENT ON COLUMN etl.segments.engaged IS 'Engaged sessions.';
COMMENT ON COLUMN etl.segments.viewed IS 'With a product_view: step 1 of the funnel.';
COMMENT ON COLUMN etl.segments.added IS 'With a product_view and an add.';
COMMENT ON COLUMN etl.segments.unviewed IS 'With an add and no product_view.';
COMMENT ON COLUMN etl.segments.carts IS 'With an add.';
COMMENT ON COLUMN etl.segments.abandoned IS 'Of these, without a checkout_complete at or after the first add.';
COMMENT ON COLUMN etl.segments.checkouts IS 'With a checkout_start.';
COMMENT ON COLUMN etl.segments.reached_2 IS 'Reached step 2 of the closed funnel.';
COMMENT ON COLUMN etl.segments.reached_3 IS 'Reached step 3.';
COMMENT ON COLUMN etl.segments.reached_4 IS 'Reached step 4.';
COMMENT ON COLUMN etl.segments.views IS 'Views in these sessions.';
COMMENT ON COLUMN etl.segments.cart_value_missing IS 'Products without a price in carts of converting sessions.';
COMMENT ON COLUMN etl.segments.cart_value IS 'Estimated value of the carts of converting sessions.';
COMMENT ON COLUMN etl.segments.visitors IS 'Numbers of the clients of the events.';

CREATE TABLE etl.name_counts (
    level smallint NOT NULL,
    at timestamptz NOT NULL,
    login_no smallint NOT NULL,
    name_no smallint NOT NULL,
    events integer NOT NULL,
    CONSTRAINT name_counts_pkey PRIMARY KEY (level, at, login_no, name_no)
) WITH (fillfactor = 80);
COMMENT ON TABLE etl.name_counts IS 'Events by slot, day and month, login state and event name.';
COMMENT ON COLUMN etl.name_counts.level IS '1: slot of half an hour; 2: day; 3: month.';
COMMENT ON COLUMN etl.name_counts.at IS 'Where the slot, day or month begins.';
COMMENT ON COLUMN etl.name_counts.login_no IS 'Login state (etl.terms).';
COMMENT ON COLUMN etl.name_counts.name_no IS 'Event name (etl.terms).';
COMMENT ON COLUMN etl.name_counts.events IS 'Events.';

CREATE TABLE etl.item_days (
    kind smallint NOT NULL,
    level smallint NOT NULL,
    at timestamptz NOT NULL,
    item_no integer NOT NULL,
    events integer NOT NULL,
    views integer NOT NULL,
    adds integer NOT NULL,
    removals integer NOT NULL,
    wishlisted integer NOT NULL,
    view_sessions integer NOT NULL,
    add_sessions integer NOT NULL,
    unviewed_sessions integer NOT NULL,
    bought_sessions integer NOT NULL,
    CONSTRAINT item_days_pkey PRIMARY KEY (kind, level, at, item_no),
    CONSTRAINT item_days_kind_check CHECK (kind IN (1, 2, 3)),
    CONSTRAINT item_days_level_check CHECK (level IN (2, 3))
) WITH (fillfactor = 80);
COMMENT ON TABLE etl.item_days IS 'What was done with each product, category and brand, by day and month of the shop''s zone.';
COMMENT ON COLUMN etl.item_days.kind IS '1: product; 2: category; 3: brand.';
COMMENT ON COLUMN etl.item_days.level IS '2: day; 3: month.';
COMMENT ON COLUMN etl.item_days.at IS 'Where the day or month begins.';
COMMENT ON COLUMN etl.item_days.item_no IS 'The product (etl.products), category or brand (etl.terms).';
COMMENT ON COLUMN etl.item_days.events IS 'All events of a product; views and adds of a category or brand.';
COMMENT ON COLUMN etl.item_days.views IS 'product_view events.';
COMMENT ON COLUMN etl.item_days.adds IS 'add_to_cart_click events.';
COMMENT ON COLUMN etl.item_days.removals IS 'remove_from_cart_click events.';
COMMENT ON COLUMN etl.item_days.wishlisted IS 'wishlist_toggle events.';
COMMENT ON COLUMN etl.item_days.view_sessions IS 'Sessions that start here and view it.';
COMMENT ON COLUMN etl.item_days.add_sessions IS 'Those that view and add it.';
COMMENT ON COLUMN etl.item_days.unviewed_sessions IS 'Sessions that add it and do not view it.';
COMMENT ON COLUMN etl.item_days.bought_sessions IS 'Sessions that add it and complete a checkout later.';

CREATE TABLE etl.first_seen (
    level smallint NOT NULL,
    at timestamptz NOT NULL,
    visitors public.roaringbitmap NOT NULL,
    CONSTRAINT first_seen_pkey PRIMARY KEY (level, at)
) WITH (fillfactor = 80);
COMMENT ON TABLE etl.first_seen IS 'Clients by the slot, day and month they were first seen in.';
COMMENT ON COLUMN etl.first_seen.level IS '1: slot of half an hour; 2: day; 3: month.';
COMMENT ON COLUMN etl.first_seen.at IS 'Where the slot, day or month begins.';
COMMENT ON COLUMN etl.first_seen.visitors IS 'Their numbers (etl.visitors).';

CREATE UNLOGGED TABLE etl.staged_segments (LIKE etl.segments);
ALTER TABLE etl.staged_segments DROP COLUMN level;
COMMENT ON TABLE etl.staged_segments IS 'What a load, or a recount, adds to the slots.';
CREATE UNLOGGED TABLE etl.staged_items (LIKE etl.item_days);
ALTER TABLE etl.staged_items DROP COLUMN level;
COMMENT ON TABLE etl.staged_items IS 'What a load, or a recount, adds to the days of products, categories and brands.';

CREATE UNLOGGED TABLE etl.staged_names (LIKE etl.name_counts);
ALTER TABLE etl.staged_names DROP COLUMN level;
COMMENT ON TABLE etl.staged_names IS 'What a load, or a recount, adds to the counts by name.';

CREATE FUNCTION etl.begin_rollups() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    TRUNCATE etl.staged_segments, etl.staged_items, etl.staged_names;
END
$$;
COMMENT ON FUNCTION etl.begin_rollups() IS 'Empties what the last load staged for the rollups.';

CREATE FUNCTION etl.stage_event_segments(facts regclass, from_at timestamptz, to_at timestamptz) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    EXECUTE format($query$
        INSERT INTO etl.staged_segments (
            category_no, login_no, at, events, discounts, plausible_discounts, sessions, robots, converted, engaged,
            viewed, added, unviewed, carts, abandoned, checkouts, reached_2, reached_3, reached_4, views,
            cart_value_missing, cart_value, visitors
        )
        SELECT
            coalesce(f.category_no, 0), coalesce(f.login_no, 0), f.at, count(*),
            count(*) FILTER (WHERE f.discount_no > 0), count(*) FILTER (WHERE f.discount_no = 2),
            0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
            coalesce(public.rb_build_agg(f.visitor_no), public.rb_build('{}'))
        FROM (
            SELECT
                date_bin('30 minutes', e.event_at, $1) AS at, e.category_no, e.login_no, e.discount_no, e.visitor_no
            FROM %s AS e
            WHERE e.event_at >= $2 AND e.event_at < $3
        ) AS f
        GROUP BY GROUPING SETS ((f.at, f.login_no, f.category_no), (f.at, f.login_no), (f.at))
    $query$, facts) USING etl.grid_origin(), from_at, to_at;
END
$$;
COMMENT ON FUNCTION etl.stage_event_segments(regclass, timestamptz, timestamptz)
IS 'Stages the segments of the facts of a table in [from, to).';

-- Returned, not inserted: the planner gives no other process to a query that inserts what it finds.
CREATE FUNCTION etl.session_segments(sessions regclass, sign integer, from_at timestamptz, to_at timestamptz)
RETURNS SETOF etl.staged_segments
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY EXECUTE format($query$
        SELECT
            k.category_no, k.login_no, date_bin('30 minutes', f.started_at, $1), 0, 0, 0,
            ($2 * count(s.session_no))::integer, ($2 * (count(*) - count(s.session_no)))::integer,
            ($2 * count(*) FILTER (WHERE s.is_completed))::integer, ($2 * count(*) FILTER (WHERE s.is_engaged))::integer,
            ($2 * count(*) FILTER (WHERE s.has_product_view))::integer,
            ($2 * count(*) FILTER (WHERE s.has_product_view AND s.has_add))::integer,
            ($2 * count(*) FILTER (WHERE s.has_add AND NOT s.has_product_view))::integer,
            ($2 * count(*) FILTER (WHERE s.has_add))::integer, ($2 * count(*) FILTER (WHERE s.is_abandoned))::integer,
            ($2 * count(*) FILTER (WHERE s.has_checkout_start))::integer,
            ($2 * count(s.add_at))::integer, ($2 * count(s.start_at))::integer, ($2 * count(s.complete_at))::integer,
            ($2 * coalesce(sum(s.views), 0))::integer, ($2 * coalesce(sum(s.cart_value_missing), 0))::integer,
            $2 * coalesce(sum(s.cart_value), 0),
            public.rb_build('{}')
        FROM %s AS f
        -- Of a robot nothing but its being one is counted.
        LEFT JOIN LATERAL (SELECT f.* WHERE NOT etl.is_robot(f.events)) AS s ON true
        CROSS JOIN LATERAL (
            SELECT c.no AS category_no, f.login_no FROM unnest(f.categories) AS c (no)
            UNION ALL VALUES (0::smallint, f.login_no), (0::smallint, 0::smallint)
        ) AS k
        WHERE f.started_at >= $3 AND f.started_at < $4
        GROUP BY 1, 2, 3
    $query$, sessions) USING etl.grid_origin(), sign, from_at, to_at;
END
$$;
COMMENT ON FUNCTION etl.session_segments(regclass, integer, timestamptz, timestamptz)
IS 'Segments of the sessions of a table that start in [from, to), or what takes them away (sign -1).';

CREATE FUNCTION etl.stage_session_segments(sessions regclass, sign integer, from_at timestamptz, to_at timestamptz) RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    INSERT INTO etl.staged_segments (
        category_no, login_no, at, events, discounts, plausible_discounts, sessions, robots, converted, engaged,
        viewed, added, unviewed, carts, abandoned, checkouts, reached_2, reached_3, reached_4, views,
        cart_value_missing, cart_value, visitors
    )
    SELECT
        s.category_no, s.login_no, s.at, s.events, s.discounts, s.plausible_discounts, s.sessions, s.robots,
        s.converted, s.engaged, s.viewed, s.added, s.unviewed, s.carts, s.abandoned, s.checkouts, s.reached_2,
        s.reached_3, s.reached_4, s.views, s.cart_value_missing, s.cart_value, s.visitors
    FROM etl.session_segments(sessions, sign, from_at, to_at) AS s;
END;
COMMENT ON FUNCTION etl.stage_session_segments(regclass, integer, timestamptz, timestamptz)
IS 'Stages the segments of the sessions of a table that start in [from, to), or takes them away (sign -1).';

CREATE FUNCTION etl.merge_segments(merged_level smallint, unit text) RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    INSERT INTO etl.segments AS o (
        category_no, login_no, level, at, events, discounts, plausible_discounts, sessions, robots, converted,
        engaged, viewed, added, unviewed, carts, abandoned, checkouts, reached_2, reached_3, reached_4, views,
        cart_value_missing, cart_value, visitors
    )
    SELECT
        s.category_no, s.login_no, merge_segments.merged_level,
        CASE
            WHEN merge_segments.unit = 'slot' THEN s.at
            ELSE date_trunc(merge_segments.unit, s.at, (SELECT etl.shop_zone()))
        END,
        sum(s.events), sum(s.discounts), sum(s.plausible_discounts), sum(s.sessions), sum(s.robots),
        sum(s.converted), sum(s.engaged), sum(s.viewed), sum(s.added), sum(s.unviewed), sum(s.carts),
        sum(s.abandoned), sum(s.checkouts), sum(s.reached_2), sum(s.reached_3), sum(s.reached_4), sum(s.views),
        sum(s.cart_value_missing), sum(s.cart_value), public.rb_or_agg(s.visitors)
    FROM etl.staged_segments AS s
    GROUP BY 1, 2, 4
    ON CONFLICT (category_no, login_no, level, at) DO UPDATE
    SET
        events = o.events + excluded.events, discounts = o.discounts + excluded.discounts,
        plausible_discounts = o.plausible_discounts + excluded.plausible_discounts,
        sessions = o.sessions + excluded.sessions, robots = o.robots + excluded.robots,
        converted = o.converted + excluded.converted, engaged = o.engaged + excluded.engaged,
        viewed = o.viewed + excluded.viewed, added = o.added + excluded.added,
        unviewed = o.unviewed + excluded.unviewed, carts = o.carts + excluded.carts,
        abandoned = o.abandoned + excluded.abandoned, checkouts = o.checkouts + excluded.checkouts,
        reached_2 = o.reached_2 + excluded.reached_2, reached_3 = o.reached_3 + excluded.reached_3,
        reached_4 = o.reached_4 + excluded.reached_4, views = o.views + excluded.views,
        cart_value_missing = o.cart_value_missing + excluded.cart_value_missing,
        cart_value = o.cart_value + excluded.cart_value,
        visitors = public.rb_or(o.visitors, excluded.visitors);
END;
COMMENT ON FUNCTION etl.merge_segments(smallint, text) IS 'Adds the staged segments to those of one level: slot, day or month.';

CREATE FUNCTION etl.stage_names(facts regclass, from_at timestamptz, to_at timestamptz) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    EXECUTE format($query$
        INSERT INTO etl.staged_names (at, login_no, name_no, events)
        SELECT date_bin('30 minutes', e.event_at, $1), e.login_no, e.name_no, count(*)
        FROM %s AS e
        WHERE e.event_at >= $2 AND e.event_at < $3
        GROUP BY 1, 2, 3
    $query$, facts) USING etl.grid_origin(), from_at, to_at;
END
$$;
COMMENT ON FUNCTION etl.stage_names(regclass, timestamptz, timestamptz)
IS 'Stages the counts by name of the facts of a table in [from, to).';

CREATE FUNCTION etl.merge_names(merged_level smallint, unit text) RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    INSERT INTO etl.name_counts AS o (level, at, login_no, name_no, events)
    SELECT
        merge_names.merged_level,
        CASE
            WHEN merge_names.unit = 'slot' THEN s.at
            ELSE date_trunc(merge_names.unit, s.at, (SELECT etl.shop_zone()))
        END,
        s.login_no, s.name_no, sum(s.events)
    FROM etl.staged_names AS s
    GROUP BY 2, 3, 4
    ON CONFLICT (level, at, login_no, name_no) DO UPDATE SET events = o.events + excluded.events;
END;
COMMENT ON FUNCTION etl.merge_names(smallint, text) IS 'Adds the staged counts by name to those of one level.';

-- Of the sets (product), (category), (brand), what GROUPING(product, category, brand) says is its own.
CREATE FUNCTION etl.item_kind(sets integer) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE sets WHEN 3 THEN 1 WHEN 5 THEN 2 WHEN 6 THEN 3 END;
COMMENT ON FUNCTION etl.item_kind(integer)
IS 'Kind of an item, 1: product, 2: category, 3: brand, by GROUPING(product, category, brand).';

CREATE FUNCTION etl.stage_item_events(facts regclass, from_at timestamptz, to_at timestamptz) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    EXECUTE format($query$
        INSERT INTO etl.staged_items (
            kind, at, item_no, events, views, adds, removals, wishlisted, view_sessions, add_sessions,
            unviewed_sessions, bought_sessions
        )
        SELECT i.kind, i.at, i.item_no, i.events, i.views, i.adds, i.removals, i.wishlisted, 0, 0, 0, 0
        FROM (
            SELECT
                etl.item_kind(grouping(f.product_no, f.category_no, f.brand_no)) AS kind, f.at,
                coalesce(f.product_no, f.category_no, f.brand_no) AS item_no,
                -- Of a category or brand, views and adds alone.
                CASE grouping(f.product_no) WHEN 0 THEN count(*) ELSE count(*) FILTER (WHERE f.is_act) END AS events,
                count(*) FILTER (WHERE f.name_no = etl.name_no('product_view')) AS views,
                count(*) FILTER (WHERE f.name_no = etl.name_no('add_to_cart_click')) AS adds,
                CASE grouping(f.product_no) WHEN 0 THEN
                    count(*) FILTER (WHERE f.name_no = etl.name_no('remove_from_cart_click')) ELSE 0 END AS removals,
                CASE grouping(f.product_no) WHEN 0 THEN
                    count(*) FILTER (WHERE f.name_no = etl.name_no('wishlist_toggle')) ELSE 0 END AS wishlisted
            FROM (
                SELECT
                    date_trunc('day', e.event_at, $1) AS at, e.name_no, e.product_no, e.category_no, e.brand_no,
                    e.name_no IN (etl.name_no('product_view'), etl.name_no('add_to_cart_click')) AS is_act
                FROM %s AS e
                WHERE
                    e.event_at >= $2 AND e.event_at < $3 AND (
                        e.product_no IS NOT NULL
                        OR e.name_no IN (etl.name_no('product_view'), etl.name_no('add_to_cart_click'))
                    )
            ) AS f
            GROUP BY GROUPING SETS ((f.at, f.product_no), (f.at, f.category_no), (f.at, f.brand_no))
        ) AS i
        WHERE i.item_no IS NOT NULL AND i.events > 0
    $query$, facts) USING etl.shop_zone(), from_at, to_at;
END
$$;
COMMENT ON FUNCTION etl.stage_item_events(regclass, timestamptz, timestamptz)
IS 'Stages what the facts of a table in [from, to) did with products, categories and brands.';

CREATE FUNCTION etl.item_marks(sessions integer[])
RETURNS TABLE (
    session_no integer, started_at timestamptz, kind integer, item_no integer, is_viewed boolean, is_added boolean,
    is_bought boolean
)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    touched text := 'SELECT s.session_no, s.started_at, s.events FROM etl.current_sessions AS s';
    touched_facts text := 'etl.touched_facts';
    -- Facts are read twice below: those of touched sessions are mostly staged, any others are kept.
    kept text := 'NOT MATERIALIZED';
BEGIN
    IF sessions IS NOT NULL THEN
        touched := 'SELECT s.session_no, s.started_at, s.events FROM unnest($1) AS t (session_no)'
            ' INNER JOIN etl.session_facts AS s ON s.session_no = t.session_no';
        touched_facts := '(SELECT f.* FROM unnest($1) AS t (session_no)'
            ' INNER JOIN etl.event_facts AS f ON f.session_no = t.session_no)';
        kept := 'MATERIALIZED';
    END IF;
    RETURN QUERY EXECUTE format($query$
        WITH session AS MATERIALIZED (
            %s
        ),

        event AS %s (
            SELECT f.session_no, f.event_at, f.name_no, f.product_no, f.category_no, f.brand_no
            FROM %s AS f
            WHERE f.name_no IN (
                etl.name_no('product_view'), etl.name_no('add_to_cart_click'), etl.name_no('checkout_complete')
            )
        ),

        complete AS (
            SELECT e.session_no, max(e.event_at) AS at FROM event AS e
            WHERE e.name_no = etl.name_no('checkout_complete') GROUP BY e.session_no
        )

        SELECT
            m.session_no, m.started_at, m.kind, m.item_no, m.is_viewed, m.first_add_at IS NOT NULL,
            coalesce(m.first_add_at <= m.completed_at, false)
        FROM (
            -- Of the session to its events: there are fewer of them than of what comes out.
            SELECT
                e.session_no, s.started_at, c.at AS completed_at,
                etl.item_kind(grouping(e.product_no, e.category_no, e.brand_no)) AS kind,
                coalesce(e.product_no, e.category_no, e.brand_no) AS item_no,
                bool_or(e.name_no = etl.name_no('product_view')) AS is_viewed,
                min(e.event_at) FILTER (WHERE e.name_no = etl.name_no('add_to_cart_click')) AS first_add_at
            FROM event AS e
            INNER JOIN session AS s ON s.session_no = e.session_no AND NOT etl.is_robot(s.events)
            LEFT JOIN complete AS c ON c.session_no = e.session_no
            WHERE e.name_no <> etl.name_no('checkout_complete')
            GROUP BY GROUPING SETS (
                (e.session_no, s.started_at, c.at, e.product_no), (e.session_no, s.started_at, c.at, e.category_no),
                (e.session_no, s.started_at, c.at, e.brand_no)
            )
        ) AS m
        WHERE m.item_no IS NOT NULL
    $query$, touched, kept, touched_facts) USING sessions;
END
$$;
COMMENT ON FUNCTION etl.item_marks(integer[])
IS 'What each of some sessions (NULL: the touched ones), robots left out, did with each product (kind 1), category (2) and brand (3).';

CREATE FUNCTION etl.stage_item_sessions(sessions integer[], sign integer) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    zone text := etl.shop_zone();
BEGIN
    INSERT INTO etl.staged_items (
        kind, at, item_no, events, views, adds, removals, wishlisted, view_sessions, add_sessions,
        unviewed_sessions, bought_sessions
    )
    SELECT
        m.kind, date_trunc('day', m.started_at, zone), m.item_no, 0, 0, 0, 0, 0,
        sign * count(*) FILTER (WHERE m.is_viewed),
        sign * count(*) FILTER (WHERE m.is_viewed AND m.is_added),
        sign * count(*) FILTER (WHERE m.is_added AND NOT m.is_viewed),
        sign * count(*) FILTER (WHERE m.is_bought)
    FROM etl.item_marks(sessions) AS m
    GROUP BY 1, 2, 3;
END
$$;
COMMENT ON FUNCTION etl.stage_item_sessions(integer[], integer)
IS 'Stages what sessions (NULL: the touched ones) did with products, categories and brands, or takes it away (sign -1).';

CREATE FUNCTION etl.merge_items(merged_level smallint, unit text) RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    INSERT INTO etl.item_days AS o (
        kind, level, at, item_no, events, views, adds, removals, wishlisted, view_sessions, add_sessions,
        unviewed_sessions, bought_sessions
    )
    SELECT
        s.kind, merge_items.merged_level, date_trunc(merge_items.unit, s.at, (SELECT etl.shop_zone())), s.item_no,
        sum(s.events), sum(s.views), sum(s.adds), sum(s.removals), sum(s.wishlisted), sum(s.view_sessions), sum(s.add_sessions), sum(s.unviewed_sessions),
        sum(s.bought_sessions)
    FROM etl.staged_items AS s
    GROUP BY 1, 3, 4
    ON CONFLICT (kind, level, at, item_no) DO UPDATE
    SET
        events = o.events + excluded.events, views = o.views + excluded.views, adds = o.adds + excluded.adds,
        removals = o.removals + excluded.removals,
        wishlisted = o.wishlisted + excluded.wishlisted,
        view_sessions = o.view_sessions + excluded.view_sessions,
        add_sessions = o.add_sessions + excluded.add_sessions,
        unviewed_sessions = o.unviewed_sessions + excluded.unviewed_sessions,
        bought_sessions = o.bought_sessions + excluded.bought_sessions;
END;
COMMENT ON FUNCTION etl.merge_items(smallint, text) IS 'Adds the staged items to those of one level: day or month.';

CREATE FUNCTION etl.merge_first_seen(merged_level smallint, unit text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    zone text := etl.shop_zone();
    origin timestamptz := etl.grid_origin();
BEGIN
    UPDATE etl.first_seen AS o SET visitors = public.rb_andnot(o.visitors, s.visitors)
    FROM (
        SELECT
            CASE
                WHEN unit = 'slot' THEN date_bin('30 minutes', v.seen_at, origin)
                ELSE date_trunc(unit, v.seen_at, zone)
            END AS at, public.rb_build_agg(v.visitor_no) AS visitors
        FROM etl.staged_visitors AS v WHERE v.first_at < v.seen_at GROUP BY 1
    ) AS s
    WHERE o.level = merged_level AND o.at = s.at;
    INSERT INTO etl.first_seen AS o (level, at, visitors)
    SELECT
        merged_level,
        CASE
            WHEN unit = 'slot' THEN date_bin('30 minutes', v.first_at, origin)
            ELSE date_trunc(unit, v.first_at, zone)
        END, public.rb_build_agg(v.visitor_no)
    FROM etl.staged_visitors AS v
    WHERE v.first_at < v.seen_at OR v.seen_at IS NULL
    GROUP BY 2
    ON CONFLICT (level, at) DO UPDATE SET visitors = public.rb_or(o.visitors, excluded.visitors);
END
$$;
COMMENT ON FUNCTION etl.merge_first_seen(smallint, text)
IS 'Moves the staged clients to where they were first seen, at one level.';

CREATE FUNCTION etl.book_rollups() RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM etl.stage_event_segments('etl.staged_facts', '-infinity', 'infinity');
    PERFORM etl.stage_session_segments('etl.former_sessions', -1, '-infinity', 'infinity');
    PERFORM etl.stage_session_segments('etl.current_sessions', 1, '-infinity', 'infinity');
    PERFORM etl.stage_names('etl.staged_facts', '-infinity', 'infinity');
    PERFORM etl.merge_segments(l.level, l.unit), etl.merge_first_seen(l.level, l.unit),
        etl.merge_names(l.level, l.unit)
    FROM (VALUES (1::smallint, 'slot'), (2::smallint, 'day'), (3::smallint, 'month')) AS l (level, unit);
    PERFORM etl.stage_item_events('etl.staged_facts', '-infinity', 'infinity');
    PERFORM etl.stage_item_sessions(NULL, 1);
    PERFORM etl.merge_items(l.level, l.unit) FROM (VALUES (2::smallint, 'day'), (3::smallint, 'month')) AS l (level, unit);
END
$$;
COMMENT ON FUNCTION etl.book_rollups()
IS 'Adds the staged facts, and what changed of the touched sessions, to every rollup.';

CREATE FUNCTION etl.apply_facts() RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    others bigint;
BEGIN
    PERFORM etl.begin_deriving(), etl.begin_rollups();
    others := etl.derive_facts();
    -- What the touched sessions did so far, while their facts are still those of before.
    PERFORM etl.stage_item_sessions(ARRAY(SELECT t.session_no FROM etl.touched_sessions AS t WHERE NOT t.is_new), -1);
    INSERT INTO etl.event_facts SELECT f.* FROM etl.staged_facts AS f;
    PERFORM etl.split_loose();
    PERFORM etl.recount_sessions();
    PERFORM etl.book_rollups();
    RETURN others;
END
$$;
COMMENT ON FUNCTION etl.apply_facts()
IS 'Takes the new events in etl.staged_events into facts, visitors, sessions and rollups; returns the spellings that had to be "(other)".';

CREATE FUNCTION etl.recount_month(month date) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    lo timestamptz := month::timestamp AT TIME ZONE etl.shop_zone();
    hi timestamptz := (month + interval '1 month')::timestamp AT TIME ZONE etl.shop_zone();
    categories smallint[] := 0::smallint || ARRAY(SELECT t.term_no FROM etl.terms AS t WHERE t.field = 'category');
BEGIN
    PERFORM etl.begin_rollups();
    DELETE FROM etl.segments AS s
    WHERE s.category_no = ANY (categories) AND s.login_no BETWEEN 0 AND 5 AND s.level = 3 AND s.at = lo;
    DELETE FROM etl.name_counts AS n WHERE n.level = 3 AND n.at = lo;
    DELETE FROM etl.item_days AS i WHERE i.kind IN (1, 2, 3) AND i.level = 3 AND i.at = lo;
    DELETE FROM etl.first_seen AS f WHERE f.level = 3 AND f.at = lo;
    INSERT INTO etl.staged_segments
    SELECT
        s.category_no, s.login_no, s.at, s.events, s.discounts, s.plausible_discounts, s.sessions, s.robots,
        s.converted, s.engaged, s.viewed, s.added, s.unviewed, s.carts, s.abandoned, s.checkouts, s.reached_2,
        s.reached_3, s.reached_4, s.views, s.cart_value_missing, s.cart_value, s.visitors
    FROM etl.segments AS s
    WHERE
        s.category_no = ANY (categories) AND s.login_no BETWEEN 0 AND 5 AND s.level = 2 AND s.at >= lo
        AND s.at < hi;
    PERFORM etl.merge_segments(3::smallint, 'month');
    INSERT INTO etl.name_counts (level, at, login_no, name_no, events)
    SELECT 3, lo, n.login_no, n.name_no, sum(n.events)
    FROM etl.name_counts AS n WHERE n.level = 2 AND n.at >= lo AND n.at < hi GROUP BY 3, 4;
    INSERT INTO etl.staged_items
    SELECT
        i.kind, i.at, i.item_no, i.events, i.views, i.adds, i.removals, i.wishlisted, i.view_sessions,
        i.add_sessions, i.unviewed_sessions, i.bought_sessions
    FROM etl.item_days AS i WHERE i.kind IN (1, 2, 3) AND i.level = 2 AND i.at >= lo AND i.at < hi;
    PERFORM etl.merge_items(3::smallint, 'month');
    INSERT INTO etl.first_seen (level, at, visitors)
    SELECT 3, lo, public.rb_or_agg(f.visitors) FROM etl.first_seen AS f
    WHERE f.level = 2 AND f.at >= lo AND f.at < hi HAVING count(*) > 0;
END
$$;
COMMENT ON FUNCTION etl.recount_month(date) IS 'Makes the rollups of a month of the shop''s zone anew from those of its days.';

CREATE FUNCTION etl.recount_day(day date) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    lo timestamptz := day::timestamp AT TIME ZONE etl.shop_zone();
    hi timestamptz := (day + 1)::timestamp AT TIME ZONE etl.shop_zone();
    origin timestamptz := etl.grid_origin();
    categories smallint[] := 0::smallint || ARRAY(SELECT t.term_no FROM etl.terms AS t WHERE t.field = 'category');
BEGIN
    PERFORM etl.begin_rollups();
    DELETE FROM etl.segments AS s
    WHERE
        s.category_no = ANY (categories) AND s.login_no BETWEEN 0 AND 5 AND s.level IN (1, 2) AND s.at >= lo
        AND s.at < hi;
    DELETE FROM etl.name_counts AS n WHERE n.level IN (1, 2) AND n.at >= lo AND n.at < hi;
    DELETE FROM etl.item_days AS i WHERE i.kind IN (1, 2, 3) AND i.level = 2 AND i.at = lo;
    DELETE FROM etl.first_seen AS f WHERE f.level IN (1, 2) AND f.at >= lo AND f.at < hi;

    PERFORM etl.stage_event_segments('etl.event_facts', lo, hi);
    PERFORM etl.stage_session_segments('etl.session_facts', 1, lo, hi);
    PERFORM etl.stage_item_events('etl.event_facts', lo, hi);
    PERFORM etl.stage_item_sessions(
        ARRAY(SELECT s.session_no FROM etl.session_facts AS s WHERE s.started_at >= lo AND s.started_at < hi), 1
    );
    PERFORM etl.stage_names('etl.event_facts', lo, hi);
    PERFORM etl.merge_segments(l.level, l.unit), etl.merge_names(l.level, l.unit)
    FROM (VALUES (1::smallint, 'slot'), (2::smallint, 'day')) AS l (level, unit);
    PERFORM etl.merge_items(2::smallint, 'day');
    INSERT INTO etl.first_seen (level, at, visitors)
    SELECT 1, date_bin('30 minutes', v.first_seen_at, origin), public.rb_build_agg(v.visitor_no)
    FROM etl.visitors AS v WHERE v.first_seen_at >= lo AND v.first_seen_at < hi GROUP BY 2
    UNION ALL
    SELECT 2, lo, public.rb_build_agg(v.visitor_no)
    FROM etl.visitors AS v WHERE v.first_seen_at >= lo AND v.first_seen_at < hi HAVING count(*) > 0;
END
$$;
COMMENT ON FUNCTION etl.recount_day(date) IS 'Makes the rollups of a day of the shop''s zone anew from facts and sessions.';

CREATE FUNCTION etl.recount_days(days date[]) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    -- Facts before the edge are gone, and with them what these days could be counted from.
    edge date := ((etl.retention_edge() - interval '1 microsecond') AT TIME ZONE etl.shop_zone())::date + 1;
BEGIN
    PERFORM etl.recount_day(d.day) FROM (
        SELECT DISTINCT u.day FROM unnest(days) AS u (day) WHERE u.day >= coalesce(edge, u.day)
    ) AS d;
    PERFORM etl.recount_month(d.month) FROM (
        SELECT DISTINCT date_trunc('month', u.day)::date AS month FROM unnest(days) AS u (day)
        WHERE u.day >= coalesce(edge, u.day)
    ) AS d;
END
$$;
COMMENT ON FUNCTION etl.recount_days(date[])
IS 'Makes the rollups of days, and of their months, anew; days before the retention edge stay as they are.';

CREATE FUNCTION etl.touched_days() RETURNS date[]
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    zone text := etl.shop_zone();
BEGIN
    RETURN ARRAY(
        SELECT (f.started_at AT TIME ZONE zone)::date FROM etl.former_sessions AS f
        UNION
        SELECT (c.started_at AT TIME ZONE zone)::date FROM etl.current_sessions AS c
    );
END
$$;
COMMENT ON FUNCTION etl.touched_days() IS 'Days of the shop''s zone on which touched sessions started, or start now.';

CREATE FUNCTION etl.derive_again(from_at timestamptz, to_at timestamptz) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    events bigint;
BEGIN
    PERFORM etl.begin_deriving();
    TRUNCATE etl.staged_events;
    INSERT INTO etl.staged_events
    SELECT 0, 0, e.* FROM public.clickstream_events AS e
    WHERE e.event_timestamp >= from_at AND e.event_timestamp < to_at;
    GET DIAGNOSTICS events = ROW_COUNT;
    ANALYZE etl.staged_events;
    INSERT INTO etl.touched_sessions (session_no, is_new)
    SELECT DISTINCT f.session_no, false
    FROM etl.event_facts AS f INNER JOIN etl.session_facts AS s ON s.session_no = f.session_no
    WHERE f.event_at >= from_at AND f.event_at < to_at AND NOT s.is_frozen;
    DELETE FROM etl.event_facts AS f WHERE f.event_at >= from_at AND f.event_at < to_at;
    PERFORM etl.derive_facts();
    INSERT INTO etl.event_facts SELECT f.* FROM etl.staged_facts AS f;
    PERFORM etl.split_loose();
    PERFORM etl.recount_sessions();
    TRUNCATE etl.staged_events;
    -- Autovacuum sees nothing of this transaction, and what follows has to be planned for its size.
    ANALYZE etl.event_facts, etl.session_facts, etl.visitors;
    -- Pages that no summary covers are read for every day.
    PERFORM brin_summarize_new_values(i.name::regclass) FROM unnest(ARRAY[
        'etl.event_facts_event_at_idx', 'etl.session_facts_time_idx', 'etl.visitors_first_seen_at_idx'
    ]) AS i (name);
    RETURN events;
END
$$;
COMMENT ON FUNCTION etl.derive_again(timestamptz, timestamptz)
IS 'Makes the facts of the stored events in [from, to), and their sessions, anew; returns how many events.';

CREATE FUNCTION etl.rebuild(from_at timestamptz, to_at timestamptz) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    zone text := etl.shop_zone();
    day date;
    end_day date;
    next_day date;
    touched date[] := '{}';
    events bigint := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('etl_loader'));
    SELECT
        (greatest(from_at, etl.retention_edge(), min(e.event_timestamp)) AT TIME ZONE zone)::date,
        (least(to_at - interval '1 microsecond', max(e.event_timestamp)) AT TIME ZONE zone)::date + 1
    INTO day, end_day
    FROM public.clickstream_events AS e
    HAVING count(*) > 0;
    WHILE day < end_day LOOP
        next_day := least((date_trunc('month', day) + interval '1 month')::date, end_day);
        events := events + etl.derive_again(day::timestamp AT TIME ZONE zone, next_day::timestamp AT TIME ZONE zone);
        touched := touched || etl.touched_days() || ARRAY(
            SELECT g.at::date FROM generate_series(day, next_day - 1, interval '1 day') AS g (at)
        );
        day := next_day;
    END LOOP;
    PERFORM etl.recount_days(touched);
    RETURN events;
END
$$;
COMMENT ON FUNCTION etl.rebuild(timestamptz, timestamptz)
IS 'Makes facts, sessions and rollups of the days of the shop''s zone that [from, to) touches anew from the stored events; returns how many events they have.';

CREATE FUNCTION etl.set_zone(zone text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_timezone_names AS z WHERE z.name = set_zone.zone) THEN
        RAISE EXCEPTION 'there is no time zone %: use a name like Asia/Ho_Chi_Minh', set_zone.zone
            USING ERRCODE = '22023';
    END IF;
    IF etl.retention_edge() IS NOT NULL THEN
        RAISE EXCEPTION 'with retention on, days before its edge cannot be counted in another zone'
            USING ERRCODE = '55000', HINT = 'Set etl.settings.retention_months to NULL if all events are still here.';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('etl_loader'));
    UPDATE etl.settings AS s SET zone = set_zone.zone;
    TRUNCATE etl.segments, etl.name_counts, etl.item_days, etl.first_seen;
    PERFORM etl.recount_days(ARRAY(
        SELECT DISTINCT (f.event_at AT TIME ZONE set_zone.zone)::date FROM etl.event_facts AS f
    ));
END
$$;
COMMENT ON FUNCTION etl.set_zone(text) IS 'Changes the shop''s zone and counts the rollups anew in its days and months.';

COMMIT;
