-- One pass gathers each session's steps; the few sessions that go on are then followed step by step.
WITH session AS (
    SELECT
        min(e.event_timestamp) AS started_at,
        min(e.event_timestamp) FILTER (WHERE e.event_name = 'product_view') AS view_at,
        array_agg(e.event_timestamp) FILTER (WHERE e.event_name = 'add_to_cart_click') AS adds,
        array_agg(e.event_timestamp) FILTER (WHERE e.event_name = 'checkout_start') AS starts,
        array_agg(e.event_timestamp) FILTER (WHERE e.event_name = 'checkout_complete') AS completes
    FROM plain.events AS e
    WHERE
        e.event_timestamp >= %(from_at)s::timestamptz - interval '2 hours'
        AND e.event_timestamp < %(to_at)s::timestamptz + interval '2 hours'
    GROUP BY e.session_id
    HAVING
        min(e.event_timestamp) >= %(from_at)s AND min(e.event_timestamp) < %(to_at)s
        AND (%(category)s::text IS NULL OR bool_or(e.context_product_category = %(category)s))
),

reached AS (
    SELECT
        date_trunc('day', s.started_at, %(zone)s) AS bucket_at,
        count(s.view_at) AS viewed, count(a.at) AS added, count(b.at) AS started, count(c.at) AS completed
    FROM session AS s
    LEFT JOIN LATERAL (SELECT min(u.at) AS at FROM unnest(s.adds) AS u (at) WHERE u.at >= s.view_at) AS a
        ON s.adds IS NOT NULL
    LEFT JOIN LATERAL (SELECT min(u.at) AS at FROM unnest(s.starts) AS u (at) WHERE u.at >= a.at) AS b
        ON s.starts IS NOT NULL
    LEFT JOIN LATERAL (SELECT min(u.at) AS at FROM unnest(s.completes) AS u (at) WHERE u.at >= b.at) AS c
        ON s.completes IS NOT NULL
    GROUP BY 1
)

SELECT r.bucket_at, n.step, n.closed_sessions
FROM reached AS r
CROSS JOIN LATERAL (
    VALUES (1, r.viewed), (2, r.added), (3, r.started), (4, r.completed)
) AS n (step, closed_sessions)
