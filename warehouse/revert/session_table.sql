-- Revert clickstream_dw:session_table from pg
BEGIN;

SET LOCAL client_min_messages = warning;
SET LOCAL ROLE dwh_owner;

CREATE TABLE etl.sessions (
    session_no bigint GENERATED ALWAYS AS IDENTITY,
    session_id text,
    client_id text,
    started_at timestamptz NOT NULL,
    ended_at timestamptz NOT NULL,
    events integer NOT NULL,
    views integer NOT NULL,
    login_state text NOT NULL,
    is_engaged boolean NOT NULL,
    has_add boolean NOT NULL,
    is_completed boolean NOT NULL,
    is_abandoned boolean NOT NULL,
    has_product_view boolean NOT NULL,
    has_checkout_start boolean NOT NULL,
    view_at timestamptz,
    add_at timestamptz,
    start_at timestamptz,
    complete_at timestamptz,
    cart_value numeric,
    cart_value_missing integer NOT NULL,
    is_frozen boolean NOT NULL DEFAULT false,
    CONSTRAINT sessions_pkey PRIMARY KEY (session_no),
    CONSTRAINT sessions_identity_check CHECK (session_id IS NOT NULL OR client_id IS NOT NULL)
);
CREATE UNIQUE INDEX sessions_session_id_key ON etl.sessions (session_id) WHERE session_id IS NOT NULL;
CREATE UNIQUE INDEX sessions_client_id_key ON etl.sessions (client_id, started_at)
WHERE session_id IS NULL;
CREATE INDEX sessions_started_at_idx ON etl.sessions (started_at);
COMMENT ON TABLE etl.sessions IS 'One row a session, recounted from its events whenever one is added.';
COMMENT ON COLUMN etl.sessions.session_no IS 'Number of the row; a recount gives a new one.';
COMMENT ON COLUMN etl.sessions.session_id IS 'As sent; NULL for sessions made of a client''s events without one, by gaps of 30 minutes.';
COMMENT ON COLUMN etl.sessions.client_id IS 'Client of the first event that has one.';
COMMENT ON COLUMN etl.sessions.started_at IS 'Its first event: the instant the session belongs to.';
COMMENT ON COLUMN etl.sessions.ended_at IS 'Its last event.';
COMMENT ON COLUMN etl.sessions.events IS 'Its events; above 5,000 it is a robot.';
COMMENT ON COLUMN etl.sessions.views IS 'Its home, category, product and page views.';
COMMENT ON COLUMN etl.sessions.login_state IS 'logged_in if any event is, else guest, anonymous, other, not set.';
COMMENT ON COLUMN etl.sessions.is_engaged IS 'Longer than 10 s, or views over 5 s apart, or an add, a checkout start or a checkout complete.';
COMMENT ON COLUMN etl.sessions.has_add IS 'Whether anything was added to the cart.';
COMMENT ON COLUMN etl.sessions.is_completed IS 'Whether a checkout was completed.';
COMMENT ON COLUMN etl.sessions.is_abandoned IS 'Added, and no checkout completed at or after the first add.';
COMMENT ON COLUMN etl.sessions.has_product_view IS 'Whether a product was viewed.';
COMMENT ON COLUMN etl.sessions.has_checkout_start IS 'Whether a checkout was started.';
COMMENT ON COLUMN etl.sessions.view_at IS 'Closed funnel: first product_view.';
COMMENT ON COLUMN etl.sessions.add_at IS 'Closed funnel: first add_to_cart_click not before view_at.';
COMMENT ON COLUMN etl.sessions.start_at IS 'Closed funnel: first checkout_start not before add_at.';
COMMENT ON COLUMN etl.sessions.complete_at IS 'Closed funnel: first checkout_complete not before start_at.';
COMMENT ON COLUMN etl.sessions.cart_value IS 'Estimate of a converting session''s cart; NULL otherwise.';
COMMENT ON COLUMN etl.sessions.cart_value_missing IS 'Products left out of cart_value because no price was sent.';
COMMENT ON COLUMN etl.sessions.is_frozen IS 'Retention dropped events of it: counted no more.';

CREATE FUNCTION etl.earliest(instants timestamptz[], not_before timestamptz) RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN (SELECT min(i.at) FROM unnest(instants) AS i (at) WHERE i.at >= not_before);
COMMENT ON FUNCTION etl.earliest(timestamptz[], timestamptz)
IS 'The earliest of some instants that is not before another; NULL when there is none.';

CREATE FUNCTION etl.recount_sessions(session_ids text[], client_ids text[]) RETURNS void
LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC -- noqa: PRS
    DELETE FROM etl.sessions AS s
    WHERE s.session_id IN (SELECT unnest(recount_sessions.session_ids)) AND NOT s.is_frozen;

    DELETE FROM etl.sessions AS s
    WHERE
        s.session_id IS NULL AND s.client_id IN (SELECT unnest(recount_sessions.client_ids))
        AND NOT s.is_frozen;

    INSERT INTO etl.sessions (
        session_id, client_id, started_at, ended_at, events, views, login_state, is_engaged, has_add,
        is_completed, is_abandoned, has_product_view, has_checkout_start,
        view_at, add_at, start_at, complete_at, cart_value, cart_value_missing
    )
    WITH event AS (
        SELECT
            's' || c.session_id AS session_key, c.session_id, c.client_id, c.event_id,
            c.event_timestamp AS at, etl.value_key(c.event_name) AS name,
            etl.login_state(c.user_login_state) AS state, c.context_product_id AS product,
            c.context_product_price AS price
        FROM public.clickstream_events AS c
        WHERE
            c.session_id IN (
                SELECT u.id FROM unnest(recount_sessions.session_ids) AS u (id)
                WHERE NOT EXISTS (SELECT FROM etl.sessions AS s WHERE s.session_id = u.id AND s.is_frozen)
            )
        UNION ALL
        SELECT
            'c' || count(*) FILTER (WHERE g.is_gap) OVER (
                PARTITION BY g.client_id ORDER BY g.at, g.event_id
            ) || ' ' || g.client_id,
            NULL, g.client_id, g.event_id, g.at, g.name, g.state, g.product, g.price
        FROM (
            SELECT
                c.client_id, c.event_id, c.event_timestamp AS at,
                etl.value_key(c.event_name) AS name, etl.login_state(c.user_login_state) AS state,
                c.context_product_id AS product, c.context_product_price AS price,
                c.event_timestamp - lag(c.event_timestamp) OVER (
                    PARTITION BY c.client_id ORDER BY c.event_timestamp, c.event_id
                ) > interval '30 minutes' AS is_gap
            FROM public.clickstream_events AS c
            WHERE
                c.session_id IS NULL
                AND c.client_id IN (SELECT unnest(recount_sessions.client_ids))
                AND NOT EXISTS (
                    SELECT FROM etl.sessions AS s
                    WHERE
                        s.session_id IS NULL AND s.client_id = c.client_id AND s.is_frozen
                        AND s.ended_at >= c.event_timestamp
                )
        ) AS g
    ),

    fact AS (
        SELECT
            e.session_key, min(e.session_id) AS session_id,
            (array_agg(e.client_id ORDER BY e.at, e.event_id)
                FILTER (WHERE e.client_id IS NOT NULL))[1] AS client_id,
            min(e.at) AS started_at,
            max(e.at) AS ended_at,
            count(*) AS events,
            count(*) FILTER (WHERE v.is_view) AS views,
            max(e.at) FILTER (WHERE v.is_view) - min(e.at) FILTER (WHERE v.is_view) AS viewed_for,
            CASE
                WHEN bool_or(e.state = 'logged_in') THEN 'logged_in'
                WHEN bool_or(e.state = 'guest') THEN 'guest'
                WHEN bool_or(e.state = 'anonymous') THEN 'anonymous'
                WHEN bool_or(e.state = 'other') THEN 'other'
                ELSE 'not set'
            END AS login_state,
            min(e.at) FILTER (WHERE e.name = 'product_view') AS view_at,
            min(e.at) FILTER (WHERE e.name = 'add_to_cart_click') AS first_add_at,
            max(e.at) FILTER (WHERE e.name = 'checkout_complete') AS last_complete_at,
            bool_or(e.name = 'checkout_start') AS has_checkout_start,
            array_agg(e.at) FILTER (WHERE e.name = 'add_to_cart_click') AS adds,
            array_agg(e.at) FILTER (WHERE e.name = 'checkout_start') AS starts,
            array_agg(e.at) FILTER (WHERE e.name = 'checkout_complete') AS completes
        FROM event AS e
        CROSS JOIN LATERAL (
            SELECT e.name IN ('home_view', 'category_view', 'product_view', 'page_view') AS is_view
        ) AS v
        GROUP BY e.session_key
    ),

    cart AS (
        SELECT
            p.session_key,
            coalesce(sum(greatest(0, p.adds - p.removals) * p.price), 0) AS value,
            count(*) FILTER (WHERE p.adds > p.removals AND p.price IS NULL) AS missing
        FROM (
            SELECT
                e.session_key, e.product,
                count(*) FILTER (WHERE e.name = 'add_to_cart_click') AS adds,
                count(*) FILTER (WHERE e.name = 'remove_from_cart_click') AS removals,
                (array_agg(e.price ORDER BY e.at DESC, e.event_id DESC)
                    FILTER (WHERE e.name = 'add_to_cart_click'))[1] AS price
            FROM event AS e
            INNER JOIN fact AS f ON f.session_key = e.session_key
            WHERE
                e.name IN ('add_to_cart_click', 'remove_from_cart_click')
                AND e.at <= f.last_complete_at
            GROUP BY e.session_key, e.product
        ) AS p
        GROUP BY p.session_key
    )

    SELECT
        f.session_id, f.client_id, f.started_at, f.ended_at, f.events, f.views, f.login_state,
        f.ended_at - f.started_at > interval '10 seconds'
        OR coalesce(f.viewed_for > interval '5 seconds', false)
        OR f.first_add_at IS NOT NULL OR f.has_checkout_start OR f.last_complete_at IS NOT NULL,
        f.first_add_at IS NOT NULL,
        f.last_complete_at IS NOT NULL,
        f.first_add_at IS NOT NULL AND coalesce(f.last_complete_at < f.first_add_at, true),
        f.view_at IS NOT NULL,
        f.has_checkout_start,
        f.view_at, a.at, s.at, etl.earliest(f.completes, s.at),
        CASE WHEN f.last_complete_at IS NOT NULL THEN coalesce(c.value, 0) END,
        CASE WHEN f.last_complete_at IS NOT NULL THEN coalesce(c.missing, 0) ELSE 0 END
    FROM fact AS f
    CROSS JOIN LATERAL (SELECT etl.earliest(f.adds, f.view_at) AS at) AS a
    CROSS JOIN LATERAL (SELECT etl.earliest(f.starts, a.at) AS at) AS s
    LEFT JOIN cart AS c ON c.session_key = f.session_key;
END;
COMMENT ON FUNCTION etl.recount_sessions(text[], text[])
IS 'Counts the given sessions, and the given clients'' sessions made by gaps, anew from their events; frozen ones stay.';

INSERT INTO etl.sessions (
    session_id, client_id, started_at, ended_at, events, views, login_state, is_engaged, has_add, is_completed,
    is_abandoned, has_product_view, has_checkout_start, view_at, add_at, start_at, complete_at, cart_value,
    cart_value_missing, is_frozen
)
SELECT
    s.session_id, v.client_id, s.started_at, s.ended_at, s.events, s.views, t.key, s.is_engaged, s.has_add,
    s.is_completed, s.is_abandoned, s.has_product_view, s.has_checkout_start, s.view_at, s.add_at, s.start_at,
    s.complete_at, s.cart_value, s.cart_value_missing, s.is_frozen
FROM etl.session_facts AS s
INNER JOIN etl.terms AS t ON t.field = 'login_state' AND t.term_no = s.login_no
LEFT JOIN etl.visitors AS v ON v.visitor_no = s.visitor_no;

COMMIT;
