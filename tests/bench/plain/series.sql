WITH event AS (
    SELECT v.bucket_at, sum(v.events)::bigint AS events, count(v.client_id) AS visitors
    FROM (
        SELECT
            date_trunc('day', e.event_timestamp, %(zone)s) AS bucket_at, e.client_id, count(*) AS events
        FROM plain.events AS e
        WHERE e.event_timestamp >= %(from_at)s AND e.event_timestamp < %(to_at)s
        GROUP BY 1, 2
    ) AS v
    GROUP BY v.bucket_at
),

session AS (
    SELECT
        date_trunc('day', s.started_at, %(zone)s) AS bucket_at, count(*) AS sessions,
        count(*) FILTER (WHERE s.is_completed) AS converted_sessions
    FROM (
        SELECT
            min(e.event_timestamp) AS started_at, bool_or(e.event_name = 'checkout_complete') AS is_completed
        FROM plain.events AS e
        WHERE
            e.event_timestamp >= %(from_at)s::timestamptz - interval '2 hours'
            AND e.event_timestamp < %(to_at)s::timestamptz + interval '2 hours'
        GROUP BY e.session_id
    ) AS s
    WHERE s.started_at >= %(from_at)s AND s.started_at < %(to_at)s
    GROUP BY 1
)

SELECT e.bucket_at, e.events, e.visitors, s.sessions, s.converted_sessions
FROM event AS e INNER JOIN session AS s ON s.bucket_at = e.bucket_at
