-- Deploy clickstream_dw:funnel_steps to pg
BEGIN;

SET LOCAL client_min_messages = warning;
SET LOCAL ROLE dwh_owner;

-- Called once for each session: no query inside, and no setting of its own, which cost four fifths of it.
CREATE OR REPLACE FUNCTION etl.closed_steps(names smallint[], instants timestamptz[], steps smallint[])
RETURNS timestamptz[]
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
AS $$
DECLARE
    reached timestamptz[] := '{}';
    used integer[] := '{}';
    last_i integer := cardinality(names);
    -- The first event that is not before the last step's.
    from_i integer := 1;
    step smallint;
    i integer;
BEGIN
    FOREACH step IN ARRAY steps LOOP
        i := from_i;
        WHILE i <= last_i AND (names[i] <> step OR i = ANY (used)) LOOP
            i := i + 1;
        END LOOP;
        EXIT WHEN i > last_i;
        used := used || i;
        reached := reached || instants[i];
        from_i := i;
        WHILE from_i > 1 AND instants[from_i - 1] = instants[i] LOOP
            from_i := from_i - 1;
        END LOOP;
    END LOOP;
    RETURN reached;
END
$$;

-- The events of a range of sessions are looked for in their time, not in all there are.
CREATE OR REPLACE FUNCTION etl.session_steps(
    from_at timestamptz, to_at timestamptz, n etl.numbers, steps smallint[]
) RETURNS TABLE (started_at timestamptz, ended_at timestamptz, reached timestamptz[], names smallint[])
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
    WHERE
        NOT etl.is_robot(s.events) AND f.name_no = ANY(session_steps.steps)
        AND f.event_at >= session_steps.from_at AND f.event_at <= (
            SELECT max(x.ended_at) FROM etl.session_facts AS x
            WHERE x.started_at >= session_steps.from_at AND x.started_at < session_steps.to_at
        )
    GROUP BY s.session_no, s.started_at, s.ended_at;
END;

COMMIT;
