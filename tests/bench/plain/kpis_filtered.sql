-- Events and visitors: the event passes both. Sessions: one event has the category, any event is logged in.
WITH event AS (
    SELECT count(*) AS events, count(DISTINCT e.client_id) AS visitors
    FROM plain.events AS e
    WHERE
        e.event_timestamp >= %(from_at)s AND e.event_timestamp < %(to_at)s
        AND e.user_login_state = 'logged_in' AND e.context_product_category = %(category)s
),

candidate AS (
    SELECT DISTINCT e.session_id
    FROM plain.events AS e
    WHERE
        e.event_timestamp >= %(from_at)s AND e.event_timestamp < %(to_at)s::timestamptz + interval '2 hours'
        AND e.context_product_category = %(category)s
),

session AS (
    SELECT bool_or(e.event_name = 'checkout_complete') AS is_completed
    FROM candidate AS c
    INNER JOIN plain.events AS e ON e.session_id = c.session_id
    GROUP BY e.session_id
    HAVING
        bool_or(e.user_login_state = 'logged_in')
        AND min(e.event_timestamp) >= %(from_at)s AND min(e.event_timestamp) < %(to_at)s
)

SELECT
    e.events, e.visitors, count(s.is_completed) AS sessions,
    count(*) FILTER (WHERE s.is_completed) AS converted_sessions
FROM event AS e LEFT JOIN session AS s ON true
GROUP BY e.events, e.visitors
