-- Deploy clickstream_dw:funnel_split to pg
BEGIN;

SET LOCAL client_min_messages = warning;
SET LOCAL ROLE dwh_owner;

CREATE TYPE etl.split_sums AS (
    term_no smallint, view_sessions bigint, add_sessions bigint, start_sessions bigint, complete_sessions bigint
);
COMMENT ON TYPE etl.split_sums
IS 'Sessions that reached each step of the default closed funnel, of one value of a field (etl.terms).';

-- From the rollups, a value at a time: the filter is one of login states and at most one category.
CREATE FUNCTION etl.rolled_split(
    from_at timestamptz, to_at timestamptz, n etl.numbers, by_login boolean, terms smallint[]
) RETURNS SETOF etl.split_sums
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT t.term_no, s.viewed, s.reached_2, s.reached_3, s.reached_4
    FROM unnest(rolled_split.terms) AS t (term_no)
    CROSS JOIN LATERAL etl.session_totals(
        ARRAY[rolled_split.from_at, rolled_split.to_at],
        row(
            CASE WHEN rolled_split.by_login THEN ARRAY[t.term_no] ELSE (rolled_split.n).logins END,
            CASE WHEN rolled_split.by_login THEN (rolled_split.n).categories ELSE ARRAY[t.term_no] END,
            NULL, NULL
        )::etl.numbers
    ) AS s
    WHERE rolled_split.from_at < rolled_split.to_at;
END;
COMMENT ON FUNCTION etl.rolled_split(timestamptz, timestamptz, etl.numbers, boolean, smallint[])
IS 'The closed funnel by login state or by category from the rollups: for filters that these answer.';

-- One pass of the range's events, as one filter by brand has, however many values there are.
CREATE FUNCTION etl.read_split(
    from_at timestamptz, to_at timestamptz, n etl.numbers, by_brand boolean, terms smallint[]
) RETURNS SETOF etl.split_sums
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT
        h.term_no, count(*) FILTER (WHERE s.has_product_view), count(s.add_at), count(s.start_at),
        count(s.complete_at)
    FROM etl.sessions_in(
        read_split.from_at, read_split.to_at, row((read_split.n).logins, NULL, NULL, NULL)::etl.numbers
    ) AS s
    INNER JOIN (
        SELECT DISTINCT
            f.session_no, CASE WHEN read_split.by_brand THEN f.brand_no ELSE f.category_no END AS term_no
        FROM etl.event_facts AS f
        WHERE
            f.event_at >= read_split.from_at AND f.event_at <= (
                SELECT max(x.ended_at) FROM etl.session_facts AS x
                WHERE x.started_at >= read_split.from_at AND x.started_at < read_split.to_at
            )
            AND CASE WHEN read_split.by_brand THEN f.brand_no ELSE f.category_no END = ANY(read_split.terms)
            AND ((read_split.n).categories IS NULL OR f.category_no = ANY((read_split.n).categories))
            AND ((read_split.n).brands IS NULL OR f.brand_no = ANY((read_split.n).brands))
            AND ((read_split.n).names IS NULL OR f.name_no = ANY((read_split.n).names))
    ) AS h ON h.session_no = s.session_no
    WHERE NOT etl.is_robot(s.events)
    GROUP BY h.term_no;
END;
COMMENT ON FUNCTION etl.read_split(timestamptz, timestamptz, etl.numbers, boolean, smallint[])
IS 'The closed funnel by category or brand from the events themselves: one event passes the filter and has the value.';

CREATE FUNCTION dashboard.funnel_split(
    from_at timestamptz, to_at timestamptz, zone text, filter jsonb DEFAULT NULL,
    split text DEFAULT 'login_state', max_rows integer DEFAULT 6
) RETURNS TABLE (
    value text, label text, view_sessions bigint, add_sessions bigint, start_sessions bigint, complete_sessions bigint
)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    n etl.numbers := etl.filter_numbers(filter);
    terms smallint[];
    -- What each value alone adds to the filter is answered by the rollups.
    rolled boolean := (n).brands IS NULL AND (n).names IS NULL
        AND (split = 'category' OR coalesce(cardinality((n).categories), 1) <= 1);
BEGIN
    IF split NOT IN ('login_state', 'category', 'brand', 'new_returning') THEN
        RAISE EXCEPTION 'there is no split by %', split USING ERRCODE = '22023';
    END IF;
    IF split = 'new_returning' OR split = 'login_state' AND NOT rolled THEN
        RETURN QUERY
        SELECT
            k.value, k.value, count(*) FILTER (WHERE k.has_product_view), count(k.add_at), count(k.start_at),
            count(k.complete_at)
        FROM (
            SELECT
                s.has_product_view, s.add_at, s.start_at, s.complete_at,
                CASE
                    WHEN split = 'login_state' THEN t.key
                    WHEN s.visitor_no IS NULL THEN 'not set'
                    WHEN v.visitor_no IS NULL THEN 'returning'
                    ELSE 'new'
                END AS value
            FROM etl.sessions_in(from_at, to_at, n) AS s
            LEFT JOIN etl.terms AS t ON t.field = 'login_state' AND t.term_no = s.login_no
            -- As etl.new_sessions has it.
            LEFT JOIN etl.visitors AS v
                ON
                    split = 'new_returning' AND v.visitor_no = s.visitor_no
                    AND v.first_seen_at = s.client_first_at AND v.first_seen_at >= from_at
                    AND coalesce(s.client_first_id = v.first_event_id, true)
            WHERE NOT etl.is_robot(s.events)
        ) AS k
        GROUP BY k.value
        HAVING count(*) FILTER (WHERE k.has_product_view) > 0
        ORDER BY 3 DESC, 1
        LIMIT max_rows;
        RETURN;
    END IF;
    IF split = 'login_state' THEN
        terms := ARRAY(
            SELECT t.term_no FROM etl.terms AS t
            WHERE t.field = 'login_state' AND ((n).logins IS NULL OR t.term_no = ANY ((n).logins))
        );
    ELSE
        terms := ARRAY(
            SELECT i.item_no::smallint
            FROM etl.top_items(CASE split WHEN 'category' THEN 2 ELSE 3 END, from_at, to_at, filter, max_rows) AS i
            INNER JOIN etl.terms AS t ON t.field = split AND t.term_no = i.item_no
            ORDER BY i.views DESC, i.adds DESC, t.key
            LIMIT max_rows
        );
    END IF;
    RETURN QUERY
    SELECT
        t.key, CASE WHEN split = 'login_state' THEN t.key ELSE coalesce(t.label, t.key) END, s.view_sessions, s.add_sessions, s.start_sessions, s.complete_sessions
    FROM (
        SELECT r.* FROM etl.rolled_split(from_at, to_at, n, split = 'login_state', terms) AS r
        WHERE rolled AND split <> 'brand'
        UNION ALL
        SELECT r.* FROM etl.read_split(from_at, to_at, n, split = 'brand', terms) AS r
        WHERE NOT (rolled AND split <> 'brand')
    ) AS s
    INNER JOIN etl.terms AS t ON t.field = split AND t.term_no = s.term_no
    WHERE s.view_sessions > 0
    ORDER BY s.view_sessions DESC, t.key
    LIMIT max_rows;
END
$$;
COMMENT ON FUNCTION dashboard.funnel_split(timestamptz, timestamptz, text, jsonb, text, integer)
IS 'The default closed funnel by login_state, category or brand (of the values most viewed) or new_returning: each row is what the filter by its value gives, so rows of categories and brands overlap; values without a product view are left out.';

GRANT EXECUTE ON FUNCTION dashboard.funnel_split(timestamptz, timestamptz, text, jsonb, text, integer)
TO dashboard_reader;

COMMIT;
