-- No session of this shop is longer than two hours, and each has one client: one pass will do.
SELECT
    sum(s.events)::bigint AS events,
    count(DISTINCT s.client_id) FILTER (WHERE s.events > 0) AS visitors,
    count(*) FILTER (WHERE s.is_in) AS sessions,
    count(*) FILTER (WHERE s.is_in AND s.is_completed) AS converted_sessions
FROM (
    SELECT
        e.client_id,
        count(*) FILTER (WHERE e.event_timestamp >= %(from_at)s AND e.event_timestamp < %(to_at)s) AS events,
        min(e.event_timestamp) >= %(from_at)s AND min(e.event_timestamp) < %(to_at)s AS is_in,
        bool_or(e.event_name = 'checkout_complete') AS is_completed
    FROM plain.events AS e
    WHERE
        e.event_timestamp >= %(from_at)s::timestamptz - interval '2 hours'
        AND e.event_timestamp < %(to_at)s::timestamptz + interval '2 hours'
    GROUP BY e.session_id, e.client_id
) AS s
