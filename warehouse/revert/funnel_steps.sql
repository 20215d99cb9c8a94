-- Revert clickstream_dw:funnel_steps from pg
BEGIN;

SET LOCAL client_min_messages = warning;
SET LOCAL ROLE dwh_owner;

CREATE OR REPLACE FUNCTION etl.closed_steps(names smallint[], instants timestamptz[], steps smallint[]) RETURNS timestamptz[]
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

CREATE OR REPLACE FUNCTION etl.session_steps(from_at timestamptz, to_at timestamptz, n etl.numbers, steps smallint[])
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

COMMIT;
