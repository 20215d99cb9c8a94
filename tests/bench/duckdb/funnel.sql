WITH session AS (
    SELECT
        min(e.event_timestamp) AS started_at,
        min(e.event_timestamp) FILTER (WHERE e.event_name = 'product_view') AS view_at,
        list(e.event_timestamp) FILTER (WHERE e.event_name = 'add_to_cart_click') AS adds,
        list(e.event_timestamp) FILTER (WHERE e.event_name = 'checkout_start') AS starts,
        list(e.event_timestamp) FILTER (WHERE e.event_name = 'checkout_complete') AS completes
    FROM events AS e
    WHERE
        e.event_timestamp >= $from_at::TIMESTAMP - INTERVAL 2 HOURS
        AND e.event_timestamp < $to_at::TIMESTAMP + INTERVAL 2 HOURS
    GROUP BY e.session_id
    HAVING min(e.event_timestamp) >= $from_at AND min(e.event_timestamp) < $to_at
),

added AS (
    SELECT s.*, list_min(list_filter(s.adds, lambda x: x >= s.view_at)) AS add_at FROM session AS s
),

begun AS (
    SELECT a.*, list_min(list_filter(a.starts, lambda x: x >= a.add_at)) AS start_at FROM added AS a
),

reached AS (
    SELECT
        date_trunc('day', b.started_at + INTERVAL 7 HOURS) - INTERVAL 7 HOURS AS bucket_at,
        count(b.view_at) AS viewed, count(b.add_at) AS added, count(b.start_at) AS started,
        count(list_min(list_filter(b.completes, lambda x: x >= b.start_at))) AS completed
    FROM begun AS b
    GROUP BY 1
)

SELECT r.bucket_at, n.step, n.closed_sessions
FROM reached AS r
CROSS JOIN LATERAL (
    VALUES (1, r.viewed), (2, r.added), (3, r.started), (4, r.completed)
) AS n (step, closed_sessions)
