-- Deploy clickstream_dw:facts to pg
BEGIN;

SET LOCAL client_min_messages = warning;
-- Made by the superuser that deploys: the extension is not a trusted one.
CREATE EXTENSION IF NOT EXISTS roaringbitmap SCHEMA public;
SET LOCAL ROLE dwh_owner;

-- A run that is under way ends first: it uses the tables that are changed here.
SELECT pg_advisory_xact_lock(hashtext('etl_loader'));

ALTER TABLE etl.settings
ADD COLUMN zone text NOT NULL DEFAULT 'Asia/Ho_Chi_Minh',
ADD COLUMN rollups_enabled boolean NOT NULL DEFAULT true,
ADD COLUMN rollup_retention_months integer,
ADD COLUMN max_event_names integer NOT NULL DEFAULT 500,
ADD COLUMN max_categories integer NOT NULL DEFAULT 2000,
ADD COLUMN max_brands integer NOT NULL DEFAULT 5000,
ADD CONSTRAINT settings_rollup_retention_months_check CHECK (rollup_retention_months > 0),
ADD CONSTRAINT settings_max_terms_check CHECK (
    max_event_names BETWEEN 14 AND 30000 AND max_categories BETWEEN 0 AND 30000
    AND max_brands BETWEEN 0 AND 30000
);
COMMENT ON COLUMN etl.settings.zone IS 'The shop''s zone, whose days and months the rollups hold; changed by etl.set_zone alone.';
COMMENT ON COLUMN etl.settings.rollups_enabled IS 'Whether loading keeps facts, sessions and rollups; after a time without, etl.rebuild makes them.';
COMMENT ON COLUMN etl.settings.rollup_retention_months IS 'Whole months of the shop''s zone that rollups are kept besides the current one; NULL: all of them.';
COMMENT ON COLUMN etl.settings.max_event_names IS 'Event names with a number of their own; later ones are "(other)".';
COMMENT ON COLUMN etl.settings.max_categories IS 'Categories with a number of their own; later ones are "(other)".';
COMMENT ON COLUMN etl.settings.max_brands IS 'Brands with a number of their own; later ones are "(other)".';

-- PL/pgSQL keeps the plan of a query for the session; an SQL function plans its own at each call.
CREATE FUNCTION etl.shop_zone() RETURNS text
LANGUAGE plpgsql STABLE
AS $$
BEGIN
    RETURN (SELECT s.zone FROM etl.settings AS s);
END
$$;
COMMENT ON FUNCTION etl.shop_zone() IS 'The shop''s zone.';

-- Offsets change by whole half hours, so one midnight of the zone places all of its midnights on the grid.
CREATE FUNCTION etl.grid_origin() RETURNS timestamptz
LANGUAGE plpgsql STABLE
AS $$
BEGIN
    RETURN '2000-01-01'::timestamp AT TIME ZONE etl.shop_zone();
END
$$;
COMMENT ON FUNCTION etl.grid_origin() IS 'An instant on the grid of half-hour slots: every midnight of the shop''s zone is on it.';

CREATE TABLE etl.terms (
    field text NOT NULL,
    term_no smallint NOT NULL,
    key text NOT NULL,
    label text,
    labelled_at timestamptz,
    labelled_by uuid,
    CONSTRAINT terms_pkey PRIMARY KEY (field, term_no),
    CONSTRAINT terms_field_key_key UNIQUE (field, key),
    CONSTRAINT terms_field_check CHECK (field IN ('login_state', 'event_name', 'category', 'brand'))
);
COMMENT ON TABLE etl.terms IS 'Numbers of the values that metrics group and filter by.';
COMMENT ON COLUMN etl.terms.field IS 'login_state, event_name, category or brand.';
COMMENT ON COLUMN etl.terms.term_no IS 'Number of the value within the field.';
COMMENT ON COLUMN etl.terms.key IS 'The value as etl.value_key gives it.';
COMMENT ON COLUMN etl.terms.label IS 'Its newest spelling; NULL until an event has it.';
COMMENT ON COLUMN etl.terms.labelled_at IS 'Time of the event that the label is of.';
COMMENT ON COLUMN etl.terms.labelled_by IS 'That event.';

-- The order of login states is that of a session's: the first that any of its events has.
INSERT INTO etl.terms (field, term_no, key) VALUES
('login_state', 1, 'logged_in'), ('login_state', 2, 'guest'), ('login_state', 3, 'anonymous'),
('login_state', 4, 'other'), ('login_state', 5, 'not set'),
('event_name', 1, 'not set'), ('event_name', 2, '(other)'),
('category', 1, 'not set'), ('category', 2, '(other)'),
('brand', 1, 'not set'), ('brand', 2, '(other)');

-- A name that metrics know has the same number everywhere: the planner puts the constant in its place.
CREATE FUNCTION etl.name_no(key text) RETURNS smallint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE key
    WHEN 'home_view' THEN 3 WHEN 'category_view' THEN 4 WHEN 'product_view' THEN 5 WHEN 'page_view' THEN 6
    WHEN 'add_to_cart_click' THEN 7 WHEN 'remove_from_cart_click' THEN 8 WHEN 'wishlist_toggle' THEN 9
    WHEN 'checkout_start' THEN 10 WHEN 'checkout_complete' THEN 11
END;
COMMENT ON FUNCTION etl.name_no(text) IS 'Number of an event name that a metric names; NULL for another.';
INSERT INTO etl.terms (field, term_no, key)
SELECT 'event_name', etl.name_no(k.key), k.key
FROM unnest(ARRAY[
    'home_view', 'category_view', 'product_view', 'page_view', 'add_to_cart_click',
    'remove_from_cart_click', 'wishlist_toggle', 'checkout_start', 'checkout_complete'
]) AS k (key);

CREATE TABLE etl.products (
    product_no integer GENERATED ALWAYS AS IDENTITY,
    product_id text NOT NULL,
    CONSTRAINT products_pkey PRIMARY KEY (product_id),
    CONSTRAINT products_product_no_key UNIQUE (product_no)
);
COMMENT ON TABLE etl.products IS 'One row a product id ever seen, but for those of category_view, which are categories.';
COMMENT ON COLUMN etl.products.product_no IS 'Number of the product.';
COMMENT ON COLUMN etl.products.product_id IS 'The product id, as sent.';

-- Compared field by field in this order: of two labels the newer one is the greater.
CREATE TYPE etl.label AS (labelled_at timestamptz, labelled_by uuid, value text);
COMMENT ON TYPE etl.label IS 'A value as sent, and the time and id of the event that it is of.';

CREATE TABLE etl.product_labels (
    product_no integer NOT NULL,
    name etl.label,
    category etl.label,
    brand etl.label,
    price etl.label,
    CONSTRAINT product_labels_pkey PRIMARY KEY (product_no)
) WITH (fillfactor = 50);
COMMENT ON TABLE etl.product_labels IS 'Name, category, brand and price of a product: each that of its newest event that has one.';
COMMENT ON COLUMN etl.product_labels.product_no IS 'The product.';
COMMENT ON COLUMN etl.product_labels.name IS 'Its name.';
COMMENT ON COLUMN etl.product_labels.category IS 'Its category.';
COMMENT ON COLUMN etl.product_labels.brand IS 'Its brand.';
COMMENT ON COLUMN etl.product_labels.price IS 'Its price.';

CREATE TABLE etl.event_facts (
    event_at timestamptz NOT NULL,
    event_id uuid NOT NULL,
    session_no integer,
    visitor_no integer,
    product_no integer,
    name_no smallint NOT NULL,
    category_no smallint NOT NULL,
    brand_no smallint NOT NULL,
    login_no smallint NOT NULL,
    discount_no smallint NOT NULL,
    has_session_id boolean NOT NULL,
    price numeric
);
-- The heap is written nearly in time's order; sessions are numbered nearly in that order too.
CREATE INDEX event_facts_event_at_idx ON etl.event_facts
USING brin (event_at) WITH (pages_per_range = 16, autosummarize = on);
CREATE INDEX event_facts_session_no_idx ON etl.event_facts (session_no);
CREATE INDEX event_facts_visitor_no_idx ON etl.event_facts (visitor_no, event_at)
WHERE NOT has_session_id;
COMMENT ON TABLE etl.event_facts IS 'Every stored event as numbers: what sessions and rollups are counted from, and filters that no rollup holds.';
COMMENT ON COLUMN etl.event_facts.event_at IS 'Its event_timestamp.';
COMMENT ON COLUMN etl.event_facts.event_id IS 'The event.';
COMMENT ON COLUMN etl.event_facts.session_no IS 'Its session (etl.session_facts); NULL for an event of no session.';
COMMENT ON COLUMN etl.event_facts.visitor_no IS 'Its client (etl.visitors).';
COMMENT ON COLUMN etl.event_facts.product_no IS 'Its product (etl.products); NULL for category_view too.';
COMMENT ON COLUMN etl.event_facts.name_no IS 'Its name (etl.terms).';
COMMENT ON COLUMN etl.event_facts.category_no IS 'Its category (etl.terms).';
COMMENT ON COLUMN etl.event_facts.brand_no IS 'Its brand (etl.terms).';
COMMENT ON COLUMN etl.event_facts.login_no IS 'Its login state (etl.terms).';
COMMENT ON COLUMN etl.event_facts.discount_no IS '0: no discount price; 1: one that is none, not above 100 and below the price; 2: a plausible one.';
COMMENT ON COLUMN etl.event_facts.has_session_id IS 'Whether it was sent with a session; else gaps of 30 minutes make its client''s sessions.';
COMMENT ON COLUMN etl.event_facts.price IS 'Price seen, of add_to_cart_click alone.';

CREATE SEQUENCE etl.session_numbers AS integer;

CREATE TABLE etl.session_facts (
    session_no integer NOT NULL,
    session_id text,
    visitor_no integer,
    started_at timestamptz NOT NULL,
    ended_at timestamptz NOT NULL,
    client_first_at timestamptz,
    client_first_id uuid,
    view_at timestamptz,
    add_at timestamptz,
    start_at timestamptz,
    complete_at timestamptz,
    events integer NOT NULL,
    views integer NOT NULL,
    cart_value_missing integer NOT NULL,
    login_no smallint NOT NULL,
    is_engaged boolean NOT NULL,
    has_add boolean NOT NULL,
    is_completed boolean NOT NULL,
    is_abandoned boolean NOT NULL,
    has_product_view boolean NOT NULL,
    has_checkout_start boolean NOT NULL,
    is_frozen boolean NOT NULL DEFAULT false,
    cart_value numeric,
    categories smallint[] NOT NULL,
    CONSTRAINT session_facts_pkey PRIMARY KEY (session_no),
    -- As a unique constraint, by an index of a third of the size: ids are long and come in no order, so
    -- every new one writes a page of its own.
    CONSTRAINT session_facts_session_id_excl EXCLUDE USING hash (session_id WITH =)
) WITH (fillfactor = 85);
CREATE INDEX session_facts_visitor_no_idx ON etl.session_facts (visitor_no, started_at)
WHERE session_id IS NULL;
CREATE INDEX session_facts_time_idx ON etl.session_facts
USING brin (started_at, ended_at) WITH (pages_per_range = 16, autosummarize = on);
CREATE INDEX session_facts_add_at_idx ON etl.session_facts (started_at) WHERE add_at IS NOT NULL;
COMMENT ON TABLE etl.session_facts IS 'One row a session, recounted from its events whenever one is added.';
COMMENT ON COLUMN etl.session_facts.session_no IS 'Number of the session: it stays, whatever is added.';
COMMENT ON COLUMN etl.session_facts.session_id IS 'As sent; NULL for sessions made of a client''s events without one, by gaps of 30 minutes.';
COMMENT ON COLUMN etl.session_facts.visitor_no IS 'Client of the first event that has one.';
COMMENT ON COLUMN etl.session_facts.started_at IS 'Its first event: the instant the session belongs to.';
COMMENT ON COLUMN etl.session_facts.ended_at IS 'Its last event.';
COMMENT ON COLUMN etl.session_facts.client_first_at IS 'Its client''s first event in it: the session is new if that is the client''s first at all.';
COMMENT ON COLUMN etl.session_facts.client_first_id IS 'That event.';
COMMENT ON COLUMN etl.session_facts.view_at IS 'Closed funnel: first product_view.';
COMMENT ON COLUMN etl.session_facts.add_at IS 'Closed funnel: first add_to_cart_click not before view_at.';
COMMENT ON COLUMN etl.session_facts.start_at IS 'Closed funnel: first checkout_start not before add_at.';
COMMENT ON COLUMN etl.session_facts.complete_at IS 'Closed funnel: first checkout_complete not before start_at.';
COMMENT ON COLUMN etl.session_facts.events IS 'Its events; above 5,000 it is a robot.';
COMMENT ON COLUMN etl.session_facts.views IS 'Its home, category, product and page views.';
COMMENT ON COLUMN etl.session_facts.cart_value_missing IS 'Products left out of cart_value because no price was sent.';
COMMENT ON COLUMN etl.session_facts.login_no IS 'Its login state: the first in the order of etl.terms that any of its events has.';
COMMENT ON COLUMN etl.session_facts.is_engaged IS 'Longer than 10 s, or views over 5 s apart, or an add, a checkout start or a checkout complete.';
COMMENT ON COLUMN etl.session_facts.has_add IS 'Whether anything was added to the cart.';
COMMENT ON COLUMN etl.session_facts.is_completed IS 'Whether a checkout was completed.';
COMMENT ON COLUMN etl.session_facts.is_abandoned IS 'Added, and no checkout completed at or after the first add.';
COMMENT ON COLUMN etl.session_facts.has_product_view IS 'Whether a product was viewed.';
COMMENT ON COLUMN etl.session_facts.has_checkout_start IS 'Whether a checkout was started.';
COMMENT ON COLUMN etl.session_facts.is_frozen IS 'Retention dropped events of it: counted no more.';
COMMENT ON COLUMN etl.session_facts.cart_value IS 'Estimate of a converting session''s cart; NULL otherwise.';
COMMENT ON COLUMN etl.session_facts.categories IS 'Categories of its events (etl.terms), each once.';

ALTER TABLE etl.visitors ADD COLUMN first_event_id uuid;
COMMENT ON COLUMN etl.visitors.first_event_id IS 'The client''s earliest event, by time and id; NULL if retention dropped it before it was noted.';
CREATE INDEX visitors_first_seen_at_idx ON etl.visitors
USING brin (first_seen_at) WITH (pages_per_range = 16, autosummarize = on);

CREATE UNLOGGED TABLE etl.staged_terms (
    field text NOT NULL, spelling text NOT NULL, key text NOT NULL, newest_at timestamptz NOT NULL, term_no smallint
);
COMMENT ON TABLE etl.staged_terms IS 'Spellings in the events being derived, and the number of each.';
CREATE UNLOGGED TABLE etl.staged_values (
    event_name text NOT NULL, login_state text NOT NULL, category text NOT NULL, brand text NOT NULL,
    newest_at timestamptz NOT NULL
);
COMMENT ON TABLE etl.staged_values IS 'Spellings that occur together in the events being derived, empty for none.';
CREATE UNLOGGED TABLE etl.staged_visitors (
    client_id text NOT NULL, visitor_no integer NOT NULL, first_at timestamptz NOT NULL, first_id uuid NOT NULL,
    seen_at timestamptz
);
COMMENT ON TABLE etl.staged_visitors IS 'Clients of the events being derived; seen_at: when first seen before them, NULL for a new one.';
CREATE UNLOGGED TABLE etl.staged_products (product_id text NOT NULL, product_no integer NOT NULL, is_new boolean NOT NULL);
COMMENT ON TABLE etl.staged_products IS 'Products of the events being derived.';
CREATE UNLOGGED TABLE etl.staged_sessions (
    session_id text NOT NULL, session_no integer NOT NULL, is_new boolean NOT NULL, is_frozen boolean NOT NULL
);
COMMENT ON TABLE etl.staged_sessions IS 'Sessions, by id, of the events being derived.';
CREATE UNLOGGED TABLE etl.staged_loose (visitor_no integer NOT NULL, from_at timestamptz NOT NULL, to_at timestamptz NOT NULL);
COMMENT ON TABLE etl.staged_loose IS 'Clients with events of no session id, and the span in which their sessions are split anew.';
CREATE UNLOGGED TABLE etl.staged_facts (LIKE etl.event_facts);
COMMENT ON TABLE etl.staged_facts IS 'Facts of the events being derived.';
CREATE UNLOGGED TABLE etl.touched_sessions (
    session_no integer NOT NULL, session_id text, is_new boolean NOT NULL,
    CONSTRAINT touched_sessions_pkey PRIMARY KEY (session_no)
);
COMMENT ON TABLE etl.touched_sessions IS 'Sessions to count anew.';
CREATE UNLOGGED TABLE etl.former_sessions (LIKE etl.session_facts);
COMMENT ON TABLE etl.former_sessions IS 'Touched sessions as they were before.';
CREATE VIEW etl.current_sessions AS
SELECT s.* FROM etl.touched_sessions AS t INNER JOIN etl.session_facts AS s ON s.session_no = t.session_no;
COMMENT ON VIEW etl.current_sessions IS 'Touched sessions as they are now.';
-- All facts of a new session are staged: they need not be looked for.
CREATE VIEW etl.touched_facts AS
SELECT t.session_id, f.*
FROM etl.touched_sessions AS t INNER JOIN etl.staged_facts AS f ON f.session_no = t.session_no
WHERE t.is_new AND t.session_id IS NOT NULL
UNION ALL
SELECT t.session_id, f.*
FROM etl.touched_sessions AS t INNER JOIN etl.event_facts AS f ON f.session_no = t.session_no
WHERE NOT t.is_new OR t.session_id IS NULL;
COMMENT ON VIEW etl.touched_facts IS 'Facts of the touched sessions.';

CREATE FUNCTION etl.begin_deriving() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    TRUNCATE etl.staged_terms, etl.staged_values, etl.staged_visitors, etl.staged_products, etl.staged_sessions,
    etl.staged_loose, etl.staged_facts, etl.touched_sessions, etl.former_sessions;
END
$$;
COMMENT ON FUNCTION etl.begin_deriving() IS 'Empties what the last derivation staged.';

CREATE FUNCTION etl.number_terms() RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    others bigint;
BEGIN
    INSERT INTO etl.staged_values (event_name, login_state, category, brand, newest_at)
    SELECT
        e.event_name, coalesce(e.user_login_state, ''), coalesce(e.context_product_category, ''),
        coalesce(e.context_product_brand, ''), max(e.event_timestamp)
    FROM etl.staged_events AS e GROUP BY 1, 2, 3, 4;
    INSERT INTO etl.staged_terms (field, spelling, key, newest_at)
    SELECT
        s.field, s.spelling,
        CASE s.field WHEN 'login_state' THEN etl.login_state(s.spelling) ELSE etl.value_key(s.spelling) END,
        s.newest_at
    FROM (
        SELECT v.field, v.spelling, max(c.newest_at) AS newest_at
        FROM etl.staged_values AS c
        CROSS JOIN LATERAL (VALUES
            ('event_name', c.event_name), ('login_state', c.login_state), ('category', c.category), ('brand', c.brand)
        ) AS v (field, spelling)
        GROUP BY 1, 2
    ) AS s;

    INSERT INTO etl.terms (field, term_no, key)
    SELECT n.field, n.term_no, n.key
    FROM (
        SELECT
            s.field, s.key,
            (SELECT max(t.term_no) FROM etl.terms AS t WHERE t.field = s.field)
            + row_number() OVER (PARTITION BY s.field ORDER BY s.key) AS term_no
        FROM (SELECT DISTINCT d.field, d.key FROM etl.staged_terms AS d) AS s
        WHERE NOT EXISTS (SELECT FROM etl.terms AS t WHERE t.field = s.field AND t.key = s.key)
    ) AS n
    CROSS JOIN etl.settings AS c
    WHERE
        n.term_no <= 2 + CASE n.field
            WHEN 'event_name' THEN c.max_event_names WHEN 'category' THEN c.max_categories ELSE c.max_brands
        END;
    UPDATE etl.staged_terms AS s SET term_no = t.term_no
    FROM etl.terms AS t WHERE t.field = s.field AND t.key = s.key;
    UPDATE etl.staged_terms AS s SET term_no = 2 WHERE s.term_no IS NULL;
    GET DIAGNOSTICS others = ROW_COUNT;
    UPDATE etl.terms AS t SET label = t.key
    WHERE
        others > 0 AND t.term_no = 2 AND t.label IS NULL
        AND t.field IN (SELECT s.field FROM etl.staged_terms AS s WHERE s.term_no = 2);
    ANALYZE etl.staged_terms, etl.staged_values;
    PERFORM etl.label_terms();
    RETURN others;
END
$$;
COMMENT ON FUNCTION etl.number_terms()
IS 'Gives every value in etl.staged_events its number, and returns how many spellings had to be "(other)".';

CREATE FUNCTION etl.label_terms() RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
-- How many of the newest events there are the planner cannot know.
SET enable_nestloop = off
BEGIN ATOMIC
    WITH newest AS (
        SELECT s.field, s.key, s.term_no, max(s.newest_at) AS at
        FROM etl.staged_terms AS s
        INNER JOIN etl.terms AS t ON t.field = s.field AND t.key = s.key
        GROUP BY s.field, s.key, s.term_no, t.labelled_at
        HAVING max(s.newest_at) >= coalesce(t.labelled_at, '-infinity')
    ),

    recent AS MATERIALIZED (
        SELECT
            e.event_id, e.event_timestamp AS at, e.event_name, e.user_login_state, e.context_product_category,
            e.context_product_brand
        FROM etl.staged_events AS e WHERE e.event_timestamp IN (SELECT n.at FROM newest AS n)
    ),

    spelt AS (
        SELECT r.event_id, r.at, v.field, coalesce(v.spelling, '') AS spelling
        FROM recent AS r
        CROSS JOIN LATERAL (VALUES
            ('event_name', r.event_name), ('login_state', r.user_login_state),
            ('category', r.context_product_category), ('brand', r.context_product_brand)
        ) AS v (field, spelling)
    ),

    winner AS (
        SELECT DISTINCT ON (n.field, n.key)
            n.field, n.key, n.at, r.event_id,
            CASE WHEN n.field = 'login_state' AND n.key = 'other' THEN 'other' ELSE r.spelling END AS spelling
        FROM newest AS n
        INNER JOIN spelt AS r ON r.field = n.field AND r.at = n.at
        INNER JOIN etl.staged_terms AS s ON s.field = n.field AND s.spelling = r.spelling AND s.key = n.key
        ORDER BY n.field, n.key, r.event_id DESC
    )

    UPDATE etl.terms AS t
    SET
        label = coalesce(nullif(etl.trim_value(w.spelling), ''), 'not set'), labelled_at = w.at,
        labelled_by = w.event_id
    FROM winner AS w
    WHERE
        t.field = w.field AND t.key = w.key
        AND (t.labelled_at IS NULL OR (w.at, w.event_id) > (t.labelled_at, t.labelled_by));
END;
COMMENT ON FUNCTION etl.label_terms()
IS 'Gives every value in etl.staged_events its newest spelling as label, by time and event id.';

CREATE FUNCTION etl.number_visitors() RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- Numbers in the order of first sight, and none for a client already known: dense numbers make small bitmaps.
    INSERT INTO etl.staged_visitors (client_id, visitor_no, first_at, first_id, seen_at)
    SELECT
        s.client_id, coalesce(s.visitor_no, nextval('etl.visitors_visitor_no_seq'))::integer, s.first_at,
        s.first_id, s.seen_at
    FROM (
        SELECT c.client_id, v.visitor_no, c.first_at, c.first_id, v.first_seen_at AS seen_at
        FROM (
            SELECT DISTINCT ON (e.client_id) e.client_id, e.event_timestamp AS first_at, e.event_id AS first_id
            FROM etl.staged_events AS e WHERE e.client_id IS NOT NULL
            ORDER BY e.client_id, e.event_timestamp, e.event_id
        ) AS c
        LEFT JOIN etl.visitors AS v ON v.client_id = c.client_id
        ORDER BY c.first_at, c.client_id
    ) AS s;
    ANALYZE etl.staged_visitors;
    INSERT INTO etl.visitors (visitor_no, client_id, first_seen_at, first_event_id) OVERRIDING SYSTEM VALUE
    SELECT s.visitor_no, s.client_id, s.first_at, s.first_id FROM etl.staged_visitors AS s WHERE s.seen_at IS NULL;
    UPDATE etl.visitors AS v SET first_seen_at = s.first_at, first_event_id = s.first_id
    FROM etl.staged_visitors AS s
    WHERE
        s.first_at <= s.seen_at AND v.client_id = s.client_id
        AND (s.first_at < v.first_seen_at OR v.first_event_id IS NULL OR s.first_id < v.first_event_id);
END
$$;
COMMENT ON FUNCTION etl.number_visitors() IS 'Gives every client in etl.staged_events its number, and lowers when, and by what event, it was first seen.';

CREATE FUNCTION etl.number_sessions() RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO etl.staged_sessions (session_id, session_no, is_new, is_frozen)
    SELECT
        s.session_id, coalesce(s.session_no, nextval('etl.session_numbers'))::integer, s.session_no IS NULL,
        s.is_frozen
    FROM (
        SELECT c.session_id, f.session_no, coalesce(f.is_frozen, false) AS is_frozen
        FROM (
            SELECT e.session_id, min(e.event_timestamp) AS first_at
            FROM etl.staged_events AS e WHERE e.session_id IS NOT NULL GROUP BY e.session_id
        ) AS c
        LEFT JOIN etl.session_facts AS f ON f.session_id = c.session_id
        ORDER BY c.first_at, c.session_id
    ) AS s;
    ANALYZE etl.staged_sessions;
    INSERT INTO etl.touched_sessions (session_no, session_id, is_new)
    SELECT s.session_no, s.session_id, s.is_new FROM etl.staged_sessions AS s WHERE NOT s.is_frozen
    ON CONFLICT (session_no) DO NOTHING;
END
$$;
COMMENT ON FUNCTION etl.number_sessions()
IS 'Gives every session id in etl.staged_events its number, and touches the sessions that are not frozen.';

CREATE FUNCTION etl.number_products() RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO etl.staged_products (product_id, product_no, is_new)
    SELECT s.product_id, coalesce(s.product_no, nextval('etl.products_product_no_seq'))::integer, s.product_no IS NULL
    FROM (
        SELECT c.product_id, p.product_no
        FROM (
            SELECT DISTINCT e.context_product_id AS product_id
            FROM etl.staged_events AS e
            INNER JOIN etl.staged_terms AS n ON n.field = 'event_name' AND n.spelling = e.event_name
            WHERE e.context_product_id IS NOT NULL AND n.term_no <> etl.name_no('category_view')
        ) AS c
        LEFT JOIN etl.products AS p ON p.product_id = c.product_id
        ORDER BY c.product_id
    ) AS s;
    ANALYZE etl.staged_products;
    INSERT INTO etl.products (product_no, product_id) OVERRIDING SYSTEM VALUE
    SELECT s.product_no, s.product_id FROM etl.staged_products AS s WHERE s.is_new;
    PERFORM etl.label_products();
END
$$;
COMMENT ON FUNCTION etl.number_products() IS 'Gives every product in etl.staged_events its number and its labels.';

CREATE FUNCTION etl.label_products() RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
-- How many variants there are the planner cannot know.
SET enable_nestloop = off
AS $$
DECLARE
    categories text[] := ARRAY(
        SELECT n.spelling FROM etl.staged_terms AS n
        WHERE n.field = 'event_name' AND n.term_no = etl.name_no('category_view')
    );
BEGIN
    WITH variant AS (
        SELECT
            e.context_product_id AS product_id, e.context_product_name AS name, e.context_product_category AS category,
            e.context_product_brand AS brand, e.context_product_price AS price, max(e.event_timestamp) AS at
        FROM etl.staged_events AS e
        WHERE e.context_product_id IS NOT NULL AND e.event_name <> ALL (categories)
        GROUP BY 1, 2, 3, 4, 5
    ),

    newest AS (
        SELECT
            v.product_id,
            max(v.at) FILTER (WHERE etl.trim_value(v.name) <> '') AS name_at,
            max(v.at) FILTER (WHERE etl.trim_value(v.category) <> '') AS category_at,
            max(v.at) FILTER (WHERE etl.trim_value(v.brand) <> '') AS brand_at,
            max(v.at) FILTER (WHERE v.price IS NOT NULL) AS price_at
        FROM variant AS v
        GROUP BY 1
    ),

    -- Seldom more than one of a product: the event that has all, or several of one instant.
    recent AS (
        SELECT
            p.product_no, e.event_id,
            CASE WHEN e.event_timestamp = n.name_at AND etl.trim_value(e.context_product_name) <> ''
                THEN (e.event_timestamp, e.event_id, e.context_product_name)::etl.label END AS name,
            CASE WHEN e.event_timestamp = n.category_at AND etl.trim_value(e.context_product_category) <> ''
                THEN (e.event_timestamp, e.event_id, e.context_product_category)::etl.label END AS category,
            CASE WHEN e.event_timestamp = n.brand_at AND etl.trim_value(e.context_product_brand) <> ''
                THEN (e.event_timestamp, e.event_id, e.context_product_brand)::etl.label END AS brand,
            CASE WHEN e.event_timestamp = n.price_at AND e.context_product_price IS NOT NULL
                THEN (e.event_timestamp, e.event_id, e.context_product_price)::etl.label END AS price
        FROM newest AS n
        INNER JOIN etl.staged_products AS p ON p.product_id = n.product_id
        INNER JOIN etl.staged_events AS e ON e.context_product_id = n.product_id
        WHERE
            e.event_timestamp IN (n.name_at, n.category_at, n.brand_at, n.price_at)
            AND e.event_name <> ALL (categories)
    )

    INSERT INTO etl.product_labels AS o (product_no, name, category, brand, price)
    SELECT
        r.product_no,
        (array_agg(r.name ORDER BY r.event_id DESC) FILTER (WHERE (r.name).labelled_by IS NOT NULL))[1],
        (array_agg(r.category ORDER BY r.event_id DESC) FILTER (WHERE (r.category).labelled_by IS NOT NULL))[1],
        (array_agg(r.brand ORDER BY r.event_id DESC) FILTER (WHERE (r.brand).labelled_by IS NOT NULL))[1],
        (array_agg(r.price ORDER BY r.event_id DESC) FILTER (WHERE (r.price).labelled_by IS NOT NULL))[1]
    FROM recent AS r
    GROUP BY r.product_no
    ON CONFLICT (product_no) DO UPDATE
    SET
        name = greatest(o.name, excluded.name), category = greatest(o.category, excluded.category),
        brand = greatest(o.brand, excluded.brand), price = greatest(o.price, excluded.price)
    -- A rebuild finds what stands.
    WHERE
        (o.name, o.category, o.brand, o.price) IS DISTINCT FROM (
            greatest(o.name, excluded.name), greatest(o.category, excluded.category),
            greatest(o.brand, excluded.brand), greatest(o.price, excluded.price)
        );
END
$$;
COMMENT ON FUNCTION etl.label_products()
IS 'Gives every product in etl.staged_events the labels of its newest event, by time and event id.';

CREATE FUNCTION etl.touch_loose() RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    ANALYZE etl.staged_loose;
    INSERT INTO etl.touched_sessions (session_no, is_new)
    SELECT DISTINCT s.session_no, false
    FROM etl.staged_loose AS l
    INNER JOIN etl.session_facts AS s ON s.visitor_no = l.visitor_no AND s.session_id IS NULL
    WHERE
        NOT s.is_frozen
        AND s.started_at <= l.to_at + interval '30 minutes' AND s.ended_at >= l.from_at - interval '30 minutes'
    ON CONFLICT (session_no) DO NOTHING;
END
$$;
COMMENT ON FUNCTION etl.touch_loose() IS 'Touches the sessions made by gaps that the spans of etl.staged_loose reach.';

CREATE FUNCTION etl.stage_facts() RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
-- How many values occur together the planner cannot know: joined first, they would make it expect one row and hash
-- all events instead of what they are looked up in.
SET enable_nestloop = off
SET join_collapse_limit = 1
BEGIN ATOMIC
    WITH value AS MATERIALIZED (
        SELECT
            v.event_name, v.login_state, v.category, v.brand, n.term_no AS name_no, l.term_no AS login_no,
            c.term_no AS category_no, b.term_no AS brand_no
        FROM etl.staged_values AS v
        INNER JOIN etl.staged_terms AS n ON n.field = 'event_name' AND n.spelling = v.event_name
        INNER JOIN etl.staged_terms AS l ON l.field = 'login_state' AND l.spelling = v.login_state
        INNER JOIN etl.staged_terms AS c ON c.field = 'category' AND c.spelling = v.category
        INNER JOIN etl.staged_terms AS b ON b.field = 'brand' AND b.spelling = v.brand
    )

    INSERT INTO etl.staged_facts (
        event_at, event_id, session_no, visitor_no, product_no, name_no, category_no, brand_no, login_no,
        discount_no, has_session_id, price
    )
    SELECT
        e.event_timestamp, e.event_id, s.session_no, v.visitor_no,
        CASE WHEN n.name_no <> etl.name_no('category_view') THEN p.product_no END,
        n.name_no, n.category_no, n.brand_no, n.login_no,
        CASE
            WHEN e.context_product_discount_price IS NULL THEN 0
            WHEN
                e.context_product_discount_price > 100
                AND e.context_product_discount_price < e.context_product_price THEN 2
            ELSE 1
        END,
        e.session_id IS NOT NULL,
        CASE WHEN n.name_no = etl.name_no('add_to_cart_click') THEN e.context_product_price END
    FROM etl.staged_events AS e
    LEFT JOIN etl.staged_visitors AS v ON v.client_id = e.client_id
    LEFT JOIN etl.staged_sessions AS s ON s.session_id = e.session_id
    LEFT JOIN etl.staged_products AS p ON p.product_id = e.context_product_id
    INNER JOIN value AS n
        ON
            n.event_name = e.event_name AND n.login_state = coalesce(e.user_login_state, '')
            AND n.category = coalesce(e.context_product_category, '')
            AND n.brand = coalesce(e.context_product_brand, '')
    ORDER BY e.event_timestamp;
END;
COMMENT ON FUNCTION etl.stage_facts() IS 'Turns etl.staged_events into etl.staged_facts by the numbers of their values.';

CREATE FUNCTION etl.derive_facts() RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    others bigint := etl.number_terms();
BEGIN
    PERFORM etl.number_visitors();
    PERFORM etl.number_sessions();
    PERFORM etl.number_products();
    PERFORM etl.stage_facts();
    INSERT INTO etl.staged_loose (visitor_no, from_at, to_at)
    SELECT f.visitor_no, min(f.event_at), max(f.event_at)
    FROM etl.staged_facts AS f
    WHERE NOT f.has_session_id AND f.visitor_no IS NOT NULL
    GROUP BY f.visitor_no;
    PERFORM etl.touch_loose();
    ANALYZE etl.staged_facts, etl.touched_sessions;
    RETURN others;
END
$$;
COMMENT ON FUNCTION etl.derive_facts()
IS 'Turns etl.staged_events into facts (etl.staged_facts) and touches their sessions; returns the spellings that had to be "(other)".';

CREATE FUNCTION etl.split_loose() RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM etl.staged_loose) THEN
        RETURN;
    END IF;
    WITH span AS (
        SELECT
            l.visitor_no, least(l.from_at, min(s.started_at)) AS from_at, greatest(l.to_at, max(s.ended_at)) AS to_at,
            (
                SELECT max(z.ended_at) FROM etl.session_facts AS z
                WHERE z.visitor_no = l.visitor_no AND z.session_id IS NULL AND z.is_frozen
            ) AS frozen_to
        FROM etl.staged_loose AS l
        LEFT JOIN (
            SELECT f.visitor_no, f.started_at, f.ended_at
            FROM etl.session_facts AS f
            INNER JOIN etl.touched_sessions AS t ON t.session_no = f.session_no
            WHERE f.session_id IS NULL
        ) AS s ON s.visitor_no = l.visitor_no
        GROUP BY l.visitor_no, l.from_at, l.to_at
    ),

    event AS (
        SELECT
            f.ctid AS place, f.session_no, f.visitor_no, f.event_at, f.event_id,
            f.event_at - lag(f.event_at) OVER (
                PARTITION BY f.visitor_no ORDER BY f.event_at, f.event_id
            ) > interval '30 minutes' AS is_gap
        FROM span AS p
        INNER JOIN etl.event_facts AS f
            ON f.visitor_no = p.visitor_no AND NOT f.has_session_id AND f.event_at BETWEEN p.from_at AND p.to_at
        WHERE f.event_at > coalesce(p.frozen_to, '-infinity')
    ),

    island AS (
        SELECT
            e.place, e.session_no, e.visitor_no,
            count(*) FILTER (WHERE e.is_gap) OVER (
                PARTITION BY e.visitor_no ORDER BY e.event_at, e.event_id
            ) AS island_no
        FROM event AS e
    ),

    -- A number stays with the earliest of its events, and an island keeps its smallest.
    kept AS (
        SELECT k.visitor_no, k.island_no, min(k.session_no) AS session_no
        FROM (
            SELECT DISTINCT ON (i.session_no) i.session_no, i.visitor_no, i.island_no
            FROM island AS i WHERE i.session_no IS NOT NULL
            ORDER BY i.session_no, i.island_no
        ) AS k
        GROUP BY k.visitor_no, k.island_no
    ),

    numbered AS MATERIALIZED (
        SELECT
            i.visitor_no, i.island_no, k.session_no IS NULL AS is_new,
            coalesce(k.session_no, nextval('etl.session_numbers'))::integer AS session_no
        FROM (SELECT DISTINCT d.visitor_no, d.island_no FROM island AS d) AS i
        LEFT JOIN kept AS k ON k.visitor_no = i.visitor_no AND k.island_no = i.island_no
    ),

    moved AS (
        UPDATE etl.event_facts AS f SET session_no = n.session_no
        FROM island AS i
        INNER JOIN numbered AS n ON n.visitor_no = i.visitor_no AND n.island_no = i.island_no
        WHERE f.ctid = i.place AND i.session_no IS DISTINCT FROM n.session_no
    )

    INSERT INTO etl.touched_sessions (session_no, is_new)
    SELECT n.session_no, true FROM numbered AS n WHERE n.is_new;
END
$$;
COMMENT ON FUNCTION etl.split_loose()
IS 'Splits the events without a session id in the spans of etl.staged_loose into sessions, by gaps of more than 30 minutes.';

CREATE FUNCTION etl.recounted_sessions() RETURNS SETOF etl.session_facts
LANGUAGE sql STABLE
BEGIN ATOMIC
    -- Read twice: the second time few pass, while keeping all of them would cost more.
    WITH event AS NOT MATERIALIZED (
        SELECT f.* FROM etl.touched_facts AS f
    ),

    fact AS (
        SELECT
            e.session_no, min(e.session_id) AS session_id,
            -- The first event that has a client is that client's first in the session.
            (array_agg(e.visitor_no ORDER BY e.event_at, e.event_id) FILTER (WHERE e.visitor_no IS NOT NULL))[1]
            AS visitor_no,
            (array_agg(e.event_id ORDER BY e.event_at, e.event_id) FILTER (WHERE e.visitor_no IS NOT NULL))[1]
            AS client_first_id,
            min(e.event_at) FILTER (WHERE e.visitor_no IS NOT NULL) AS client_first_at,
            min(e.event_at) AS started_at, max(e.event_at) AS ended_at, count(*) AS events,
            count(*) FILTER (WHERE v.is_view) AS views,
            max(e.event_at) FILTER (WHERE v.is_view) - min(e.event_at) FILTER (WHERE v.is_view) AS viewed_for,
            min(e.login_no) AS login_no,
            min(e.event_at) FILTER (WHERE e.name_no = etl.name_no('product_view')) AS view_at,
            min(e.event_at) FILTER (WHERE e.name_no = etl.name_no('add_to_cart_click')) AS first_add_at,
            max(e.event_at) FILTER (WHERE e.name_no = etl.name_no('checkout_complete')) AS last_complete_at,
            array_agg(e.event_at) FILTER (WHERE e.name_no = etl.name_no('add_to_cart_click')) AS adds,
            array_agg(e.event_at) FILTER (WHERE e.name_no = etl.name_no('checkout_start')) AS starts,
            array_agg(e.event_at) FILTER (WHERE e.name_no = etl.name_no('checkout_complete')) AS completes,
            array_agg(DISTINCT e.category_no) AS categories
        FROM event AS e
        CROSS JOIN LATERAL (
            SELECT e.name_no BETWEEN etl.name_no('home_view') AND etl.name_no('page_view') AS is_view
        ) AS v
        GROUP BY e.session_no
    ),

    cart AS (
        SELECT
            p.session_no, sum(greatest(0, p.adds - p.removals) * p.price) AS value,
            count(*) FILTER (WHERE p.adds > p.removals AND p.price IS NULL) AS missing
        FROM (
            SELECT
                e.session_no, e.product_no,
                count(*) FILTER (WHERE e.name_no = etl.name_no('add_to_cart_click')) AS adds,
                count(*) FILTER (WHERE e.name_no = etl.name_no('remove_from_cart_click')) AS removals,
                (array_agg(e.price ORDER BY e.event_at DESC, e.event_id DESC)
                    FILTER (WHERE e.name_no = etl.name_no('add_to_cart_click')))[1] AS price
            FROM fact AS f INNER JOIN event AS e ON e.session_no = f.session_no
            WHERE
                e.name_no IN (etl.name_no('add_to_cart_click'), etl.name_no('remove_from_cart_click'))
                AND e.event_at <= f.last_complete_at
            GROUP BY e.session_no, e.product_no
        ) AS p
        GROUP BY p.session_no
    )

    SELECT
        f.session_no, f.session_id, f.visitor_no, f.started_at, f.ended_at, f.client_first_at, f.client_first_id,
        f.view_at, a.at AS add_at, s.at AS start_at, c.at AS complete_at, f.events::integer, f.views::integer,
        CASE WHEN f.last_complete_at IS NOT NULL THEN coalesce(k.missing, 0) ELSE 0 END::integer,
        f.login_no,
        f.ended_at - f.started_at > interval '10 seconds'
        OR coalesce(f.viewed_for > interval '5 seconds', false)
        OR f.first_add_at IS NOT NULL OR f.starts IS NOT NULL OR f.last_complete_at IS NOT NULL,
        f.first_add_at IS NOT NULL,
        f.last_complete_at IS NOT NULL,
        f.first_add_at IS NOT NULL AND coalesce(f.last_complete_at < f.first_add_at, true),
        f.view_at IS NOT NULL,
        f.starts IS NOT NULL,
        false,
        CASE WHEN f.last_complete_at IS NOT NULL THEN coalesce(k.value, 0) END,
        f.categories
    FROM fact AS f
    -- Few sessions add anything: of the others no array is looked into.
    LEFT JOIN LATERAL (SELECT min(u.at) AS at FROM unnest(f.adds) AS u (at) WHERE u.at >= f.view_at) AS a
        ON f.adds IS NOT NULL
    LEFT JOIN LATERAL (SELECT min(u.at) AS at FROM unnest(f.starts) AS u (at) WHERE u.at >= a.at) AS s
        ON a.at IS NOT NULL
    LEFT JOIN LATERAL (SELECT min(u.at) AS at FROM unnest(f.completes) AS u (at) WHERE u.at >= s.at) AS c
        ON s.at IS NOT NULL
    LEFT JOIN cart AS k ON k.session_no = f.session_no;
END;
COMMENT ON FUNCTION etl.recounted_sessions() IS 'The touched sessions as their facts make them.';

CREATE FUNCTION etl.recount_sessions() RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    ANALYZE etl.touched_sessions;
    INSERT INTO etl.former_sessions
    SELECT s.* FROM etl.touched_sessions AS t INNER JOIN etl.session_facts AS s ON s.session_no = t.session_no
    WHERE NOT t.is_new;

    INSERT INTO etl.session_facts AS o (
        session_no, session_id, visitor_no, started_at, ended_at, client_first_at, client_first_id, view_at, add_at,
        start_at, complete_at, events, views, cart_value_missing, login_no, is_engaged, has_add, is_completed,
        is_abandoned, has_product_view, has_checkout_start, cart_value, categories
    )
    SELECT
        r.session_no, r.session_id, r.visitor_no, r.started_at, r.ended_at, r.client_first_at, r.client_first_id,
        r.view_at, r.add_at, r.start_at, r.complete_at, r.events, r.views, r.cart_value_missing, r.login_no,
        r.is_engaged, r.has_add, r.is_completed, r.is_abandoned, r.has_product_view, r.has_checkout_start,
        r.cart_value, r.categories
    FROM etl.recounted_sessions() AS r
    ON CONFLICT (session_no) DO UPDATE
    SET
        visitor_no = excluded.visitor_no, started_at = excluded.started_at, ended_at = excluded.ended_at,
        client_first_at = excluded.client_first_at, client_first_id = excluded.client_first_id,
        view_at = excluded.view_at, add_at = excluded.add_at, start_at = excluded.start_at,
        complete_at = excluded.complete_at, events = excluded.events, views = excluded.views,
        cart_value_missing = excluded.cart_value_missing, login_no = excluded.login_no,
        is_engaged = excluded.is_engaged, has_add = excluded.has_add, is_completed = excluded.is_completed,
        is_abandoned = excluded.is_abandoned, has_product_view = excluded.has_product_view,
        has_checkout_start = excluded.has_checkout_start, cart_value = excluded.cart_value,
        categories = excluded.categories;

    DELETE FROM etl.session_facts AS s USING etl.touched_sessions AS t
    WHERE
        s.session_no = t.session_no AND NOT t.is_new
        AND NOT EXISTS (SELECT FROM etl.event_facts AS f WHERE f.session_no = s.session_no);
END
$$;
COMMENT ON FUNCTION etl.recount_sessions()
IS 'Counts the touched sessions anew from their facts, keeps how they were (etl.former_sessions), and removes those without an event.';

COMMIT;
