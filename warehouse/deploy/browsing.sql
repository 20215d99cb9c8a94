-- Deploy clickstream_dw:browsing to pg
BEGIN;

SET LOCAL client_min_messages = warning;
SET LOCAL ROLE dwh_owner;

CREATE FUNCTION etl.has_outcome(s etl.session_facts, outcome text, open_after timestamptz) RETURNS boolean
LANGUAGE sql IMMUTABLE
RETURN CASE outcome
    WHEN 'all' THEN true
    WHEN 'converted' THEN (s).is_completed
    WHEN 'bounced' THEN NOT (s).is_engaged
    WHEN 'left_view' THEN (s).view_at IS NOT NULL AND (s).add_at IS NULL AND (s).ended_at <= open_after
    WHEN 'left_add' THEN (s).add_at IS NOT NULL AND (s).start_at IS NULL AND (s).ended_at <= open_after
    WHEN 'left_checkout' THEN (s).start_at IS NOT NULL AND (s).complete_at IS NULL AND (s).ended_at <= open_after
END;
COMMENT ON FUNCTION etl.has_outcome(etl.session_facts, text, timestamptz)
IS 'Whether a session ended so: all, converted, bounced, or left the closed funnel at left_view, left_add, left_checkout; NULL for another word.';

-- Rows lie in time's order, so a page that is looked for in growing windows reads little more than it shows.
CREATE FUNCTION etl.windows_back(from_at timestamptz, to_at timestamptz, newest interval)
RETURNS TABLE (begins_at timestamptz, ends_at timestamptz)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    ends_at := to_at;
    WHILE ends_at > from_at LOOP
        begins_at := greatest(from_at, ends_at - newest);
        RETURN NEXT;
        ends_at := begins_at;
        newest := newest * 4;
    END LOOP;
END
$$;
COMMENT ON FUNCTION etl.windows_back(timestamptz, timestamptz, interval)
IS 'A range cut into windows, the newest first, each four times as long as the one before.';

CREATE FUNCTION dashboard.session_list(
    from_at timestamptz, to_at timestamptz, zone text, filter jsonb DEFAULT NULL, outcome text DEFAULT 'all',
    before_at timestamptz DEFAULT NULL, before_no integer DEFAULT NULL, max_rows integer DEFAULT 50
) RETURNS TABLE (
    session_no integer, session_id text, client_id text, started_at timestamptz, ended_at timestamptz,
    events integer, views integer, login_state text, is_new boolean, is_engaged boolean, has_add boolean,
    has_checkout_start boolean, is_completed boolean, is_open boolean
)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_custom_plan
AS $$
#variable_conflict use_column
DECLARE
    n etl.numbers := etl.filter_numbers(filter);
    open_after timestamptz := etl.open_after();
    rows_left integer := least(max_rows, 1000);
    span record;
    got integer;
BEGIN
    IF outcome NOT IN ('all', 'converted', 'bounced', 'left_view', 'left_add', 'left_checkout') THEN
        RAISE EXCEPTION 'there is no outcome %', outcome USING ERRCODE = '22023';
    END IF;
    FOR span IN
        SELECT w.* FROM etl.windows_back(from_at, least(to_at, before_at + interval '1 microsecond'), '2 hours') AS w
    LOOP
        EXIT WHEN rows_left <= 0;
        RETURN QUERY
        SELECT
            p.session_no, p.session_id, v.client_id, p.started_at, p.ended_at, p.events, p.views, t.key,
            v.first_seen_at = p.client_first_at AND coalesce(p.client_first_id = v.first_event_id, true),
            p.is_engaged, p.has_add, p.has_checkout_start, p.is_completed, p.ended_at > open_after
        FROM (
            SELECT s.* FROM etl.sessions_in(span.begins_at, span.ends_at, n) AS s
            WHERE
                NOT etl.is_robot(s.events) AND etl.has_outcome(s, outcome, open_after)
                AND (before_at IS NULL OR (s.started_at, s.session_no) < (before_at, before_no))
            ORDER BY s.started_at DESC, s.session_no DESC
            LIMIT rows_left
        ) AS p
        INNER JOIN etl.terms AS t ON t.field = 'login_state' AND t.term_no = p.login_no
        LEFT JOIN etl.visitors AS v ON v.visitor_no = p.visitor_no
        ORDER BY p.started_at DESC, p.session_no DESC;
        GET DIAGNOSTICS got = ROW_COUNT;
        rows_left := rows_left - got;
    END LOOP;
END
$$;
COMMENT ON FUNCTION dashboard.session_list(timestamptz, timestamptz, text, jsonb, text, timestamptz, integer, integer)
IS 'Sessions that start in the range, pass the filter and ended so (etl.has_outcome), robots left out, the newest first; the next page starts before a session''s start and number. At most 1,000.';

CREATE FUNCTION dashboard.session_events(session_no integer, max_rows integer DEFAULT 500)
RETURNS TABLE (
    event_at timestamptz, event_id uuid, event_name text, login_state text, product_id text, product_name text,
    category text, brand text, price numeric
)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_custom_plan
AS $$
#variable_conflict use_column
DECLARE
    s etl.session_facts;
    client text;
BEGIN
    SELECT f.* INTO s FROM etl.session_facts AS f WHERE f.session_no = session_events.session_no;
    SELECT v.client_id INTO client FROM etl.visitors AS v WHERE v.visitor_no = s.visitor_no;
    RETURN QUERY
    SELECT
        c.event_timestamp, c.event_id, c.event_name, c.user_login_state, c.context_product_id,
        c.context_product_name, c.context_product_category, c.context_product_brand, c.context_product_price
    FROM (
        SELECT e.* FROM public.clickstream_events AS e
        WHERE s.session_id IS NOT NULL AND e.session_id = s.session_id
        UNION ALL
        SELECT e.* FROM public.clickstream_events AS e
        WHERE s.session_id IS NULL AND e.session_id IS NULL AND e.client_id = client
    ) AS c
    WHERE c.event_timestamp BETWEEN s.started_at AND s.ended_at
    ORDER BY c.event_timestamp, c.event_id
    LIMIT least(max_rows, 5000);
END
$$;
COMMENT ON FUNCTION dashboard.session_events(integer, integer)
IS 'The events of one session in order, as sent, from its first one; at most 5,000.';

CREATE FUNCTION dashboard.session_shapes(from_at timestamptz, to_at timestamptz, zone text, filter jsonb DEFAULT NULL)
RETURNS TABLE (shape text, place integer, amount bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    n etl.numbers := etl.filter_numbers(filter);
BEGIN
    RETURN QUERY
    WITH session AS MATERIALIZED (
        SELECT
            s.visitor_no, width_bucket(s.views, ARRAY[1, 2, 3, 5, 10, 20]) AS depth,
            CASE WHEN s.events >= 2 THEN
                -- "Up to": an end belongs to the bucket below.
                7 - width_bucket(
                    -extract(EPOCH FROM s.ended_at - s.started_at)::float8, ARRAY[-1800, -900, -300, -60, -10]::float8[]
                ) - 1
            END AS length
        FROM etl.sessions_in(from_at, to_at, n) AS s
        WHERE NOT etl.is_robot(s.events)
    )

    SELECT 'sessions', least(v.sessions, 6)::integer, count(*)
    FROM (SELECT count(*) AS sessions FROM session AS s WHERE s.visitor_no IS NOT NULL GROUP BY s.visitor_no) AS v
    GROUP BY 2
    UNION ALL
    SELECT 'length', s.length, count(*) FROM session AS s WHERE s.length IS NOT NULL GROUP BY s.length
    UNION ALL
    SELECT 'depth', s.depth, count(*) FROM session AS s GROUP BY s.depth
    ORDER BY 1, 2;
END
$$;
COMMENT ON FUNCTION dashboard.session_shapes(timestamptz, timestamptz, text, jsonb)
IS 'Visitors by sessions (1 to 5, 6: six or more); sessions of two events or more by length (1: up to 10 s, 2: 60 s, 3: 5 min, 4: 15 min, 5: 30 min, 6: longer); sessions by views (0: none, 1, 2, 3: 3 or 4, 4: 5 to 9, 5: 10 to 19, 6: 20 or more).';

CREATE FUNCTION etl.event_rows(event_at timestamptz, event_id uuid) RETURNS SETOF public.clickstream_events
LANGUAGE sql STABLE ROWS 1
BEGIN ATOMIC
    SELECT c.*
    FROM public.clickstream_events AS c
    WHERE c.event_timestamp = event_rows.event_at AND c.event_id = event_rows.event_id;
END;
COMMENT ON FUNCTION etl.event_rows(timestamptz, uuid) IS 'An event as stored, found by its time.';

CREATE FUNCTION dashboard.event_list(
    from_at timestamptz, to_at timestamptz, zone text, filter jsonb DEFAULT NULL,
    before_at timestamptz DEFAULT NULL, before_id uuid DEFAULT NULL, max_rows integer DEFAULT 50
) RETURNS TABLE (
    event_id uuid, event_timestamp timestamptz, event_name text, user_id text, user_login_state text,
    identity_source text, client_id text, session_id text, is_first_visit boolean, context_product_id text,
    context_product_name text, context_product_category text, context_product_brand text,
    context_product_price numeric, context_product_discount_price numeric, context_product_url_path text,
    session_no integer
)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_custom_plan
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $$
#variable_conflict use_column
DECLARE
    n etl.numbers := etl.filter_numbers(filter);
    rows_left integer := least(max_rows, 1000);
    span record;
    got integer;
BEGIN
    FOR span IN
        SELECT w.* FROM etl.windows_back(from_at, least(to_at, before_at + interval '1 microsecond'), '10 minutes') AS w
    LOOP
        EXIT WHEN rows_left <= 0;
        RETURN QUERY
        SELECT
            c.event_id, c.event_timestamp, c.event_name, c.user_id, c.user_login_state, c.identity_source,
            c.client_id, c.session_id, c.is_first_visit, c.context_product_id, c.context_product_name,
            c.context_product_category, c.context_product_brand, c.context_product_price,
            c.context_product_discount_price, c.context_product_url_path, p.session_no
        FROM (
            SELECT f.event_at, f.event_id, f.session_no FROM etl.events_in(span.begins_at, span.ends_at, n) AS f
            WHERE before_at IS NULL OR (f.event_at, f.event_id) < (before_at, before_id)
            ORDER BY f.event_at DESC, f.event_id DESC
            LIMIT rows_left
        ) AS p
        CROSS JOIN LATERAL etl.event_rows(p.event_at, p.event_id) AS c
        ORDER BY p.event_at DESC, p.event_id DESC;
        GET DIAGNOSTICS got = ROW_COUNT;
        rows_left := rows_left - got;
    END LOOP;
END
$$;
COMMENT ON FUNCTION dashboard.event_list(timestamptz, timestamptz, text, jsonb, timestamptz, uuid, integer)
IS 'Events in the range that pass the filter, as sent, the newest first; the next page starts before an event''s time and id. At most 1,000.';

CREATE FUNCTION etl.cell(value text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN value ~ '^[=+@\t\r-]' THEN '''' || value ELSE value END;
COMMENT ON FUNCTION etl.cell(text)
IS 'Text for a cell of a spreadsheet: what it would take for a formula gets an apostrophe in front.';

CREATE FUNCTION dashboard.event_export(from_at timestamptz, to_at timestamptz, zone text, filter jsonb DEFAULT NULL)
RETURNS TABLE (
    event_id uuid, event_timestamp timestamptz, event_name text, user_id text, user_login_state text,
    identity_source text, client_id text, session_id text, is_first_visit boolean, context_product_id text,
    context_product_name text, context_product_category text, context_product_brand text,
    context_product_price numeric, context_product_discount_price numeric, context_product_url_path text
)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_custom_plan
AS $$
#variable_conflict use_column
DECLARE
    n etl.numbers := etl.filter_numbers(filter);
BEGIN
    RETURN QUERY
    SELECT
        c.event_id, c.event_timestamp, etl.cell(c.event_name), etl.cell(c.user_id), etl.cell(c.user_login_state),
        etl.cell(c.identity_source), etl.cell(c.client_id), etl.cell(c.session_id), c.is_first_visit,
        etl.cell(c.context_product_id), etl.cell(c.context_product_name), etl.cell(c.context_product_category),
        etl.cell(c.context_product_brand), c.context_product_price, c.context_product_discount_price,
        etl.cell(c.context_product_url_path)
    FROM etl.events_in(from_at, to_at, n) AS f
    INNER JOIN public.clickstream_events AS c
        ON
            c.event_timestamp = f.event_at AND c.event_id = f.event_id
            AND c.event_timestamp >= from_at AND c.event_timestamp < to_at
    ORDER BY f.event_at DESC, f.event_id DESC;
END
$$;
COMMENT ON FUNCTION dashboard.event_export(timestamptz, timestamptz, text, jsonb)
IS 'All events in the range that pass the filter, the newest first, text as etl.cell gives it: for a file; ask day by day.';

CREATE FUNCTION etl.sample_text(sample bytea) RETURNS text
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- A sample that was cut may end within a character.
    FOR cut IN 0 .. least(3, octet_length(sample) - 1) LOOP
        BEGIN
            RETURN convert_from(substr(sample, 1, octet_length(sample) - cut), 'UTF8');
        EXCEPTION WHEN character_not_in_repertoire OR untranslatable_character THEN
            NULL;
        END;
    END LOOP;
    RETURN encode(sample, 'escape');
END
$$;
COMMENT ON FUNCTION etl.sample_text(bytea) IS 'A sample as text; bytes that are no UTF-8 as their octal numbers.';

CREATE FUNCTION dashboard.rejects(reason text DEFAULT NULL, max_rows integer DEFAULT 50)
RETURNS TABLE (
    quarantine_id bigint, object_key text, object_position integer, reason_code text, sample text,
    quarantined_at timestamptz, run_id bigint
)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT
        q.quarantine_id, o.object_key, q.position, q.reason_code, left(etl.sample_text(q.sample), 1000),
        q.quarantined_at, q.run_id
    FROM etl.quarantine AS q
    INNER JOIN etl.object_versions AS o ON o.object_id = q.object_id AND NOT o.is_superseded
    WHERE q.resolved_at IS NULL AND (rejects.reason IS NULL OR q.reason_code = rejects.reason)
    ORDER BY q.quarantine_id DESC
    LIMIT least(rejects.max_rows, 1000);
END;
COMMENT ON FUNCTION dashboard.rejects(text, integer)
IS 'Open rejects of the newest version of each key, the newest first: which object, where in it, why, and how it begins.';

CREATE FUNCTION etl.event_lineage(event_id uuid)
RETURNS TABLE (
    object_key text, etag text, object_position integer, size_bytes bigint, last_modified timestamptz,
    event_at timestamptz, run_id bigint, loaded_at timestamptz, role text
)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT
        o.object_key, o.etag, w.object_position, o.size_bytes, o.last_modified, w.event_at, o.run_id, r.started_at,
        w.role
    FROM (
        SELECT i.object_id, i.position AS object_position, i.event_timestamp AS event_at, 'stored' AS role, 1 AS place
        FROM etl.event_ids AS i WHERE i.event_id = event_lineage.event_id
        UNION ALL
        SELECT
            d.object_id, d.position, i.event_timestamp, CASE WHEN d.is_conflict THEN 'conflict' ELSE 'duplicate' END, 2
        FROM etl.duplicates AS d INNER JOIN etl.event_ids AS i ON i.event_id = d.event_id
        WHERE d.event_id = event_lineage.event_id
    ) AS w
    INNER JOIN etl.object_versions AS o ON o.object_id = w.object_id
    LEFT JOIN etl.runs AS r ON r.run_id = o.run_id
    ORDER BY w.place, o.object_id, w.object_position;
END;
COMMENT ON FUNCTION etl.event_lineage(uuid)
IS 'Where an event came from: the object and place that was stored, then every copy (duplicate, or conflict: one that differs).';

CREATE FUNCTION dashboard.event_source(event_id uuid)
RETURNS TABLE (
    object_key text, etag text, object_position integer, size_bytes bigint, last_modified timestamptz,
    event_at timestamptz, run_id bigint, loaded_at timestamptz, role text
)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT
        l.object_key, l.etag, l.object_position, l.size_bytes, l.last_modified, l.event_at, l.run_id, l.loaded_at,
        l.role
    FROM etl.event_lineage(event_source.event_id) WITH ORDINALITY AS l (
        object_key, etag, object_position, size_bytes, last_modified, event_at, run_id, loaded_at, role, line
    )
    ORDER BY l.line
    LIMIT 100;
END;
COMMENT ON FUNCTION dashboard.event_source(uuid)
IS 'The first 100 lines of an event''s lineage.';

GRANT EXECUTE ON FUNCTION
dashboard.rejects(text, integer),
dashboard.event_source(uuid),
dashboard.session_list(timestamptz, timestamptz, text, jsonb, text, timestamptz, integer, integer),
dashboard.session_events(integer, integer),
dashboard.session_shapes(timestamptz, timestamptz, text, jsonb),
dashboard.event_list(timestamptz, timestamptz, text, jsonb, timestamptz, uuid, integer),
dashboard.event_export(timestamptz, timestamptz, text, jsonb)
TO dashboard_reader;

COMMIT;
