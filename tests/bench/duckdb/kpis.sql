SELECT
    sum(s.events)::BIGINT AS events,
    count(DISTINCT s.client_id) FILTER (WHERE s.events > 0) AS visitors,
    count(*) FILTER (WHERE s.is_in) AS sessions,
    count(*) FILTER (WHERE s.is_in AND s.is_completed) AS converted_sessions
FROM (
    SELECT
        e.client_id,
        count(*) FILTER (WHERE e.event_timestamp >= $from_at AND e.event_timestamp < $to_at) AS events,
        min(e.event_timestamp) >= $from_at AND min(e.event_timestamp) < $to_at AS is_in,
        bool_or(e.event_name = 'checkout_complete') AS is_completed
    FROM events AS e
    WHERE
        e.event_timestamp >= $from_at::TIMESTAMP - INTERVAL 2 HOURS
        AND e.event_timestamp < $to_at::TIMESTAMP + INTERVAL 2 HOURS
    GROUP BY e.session_id, e.client_id
) AS s
