WITH product AS (
    SELECT
        e.context_product_id AS product_id,
        count(*) FILTER (WHERE e.event_name = 'product_view') AS views,
        count(*) FILTER (WHERE e.event_name = 'add_to_cart_click') AS adds,
        count(*) FILTER (WHERE e.event_name = 'remove_from_cart_click') AS removals,
        count(*) FILTER (WHERE e.event_name = 'wishlist_toggle') AS wishlisted
    FROM plain.events AS e
    WHERE
        e.event_timestamp >= %(from_at)s AND e.event_timestamp < %(to_at)s
        AND e.context_product_id IS NOT NULL AND e.event_name <> 'category_view'
    GROUP BY e.context_product_id
    ORDER BY views DESC, adds DESC, product_id
    LIMIT 50
),

event AS (
    SELECT
        e.session_id, e.context_product_id AS product_id,
        min(e.event_timestamp) AS first_at,
        bool_or(e.event_name = 'product_view') AS has_view,
        min(e.event_timestamp) FILTER (WHERE e.event_name = 'add_to_cart_click') AS added_at,
        max(e.event_timestamp) FILTER (WHERE e.event_name = 'checkout_complete') AS completed_at
    FROM plain.events AS e
    WHERE
        e.event_timestamp >= %(from_at)s::timestamptz - interval '2 hours'
        AND e.event_timestamp < %(to_at)s::timestamptz + interval '2 hours'
    GROUP BY e.session_id, e.context_product_id
),

session AS (
    SELECT e.session_id, max(e.completed_at) AS completed_at
    FROM event AS e
    GROUP BY e.session_id
    HAVING min(e.first_at) >= %(from_at)s AND min(e.first_at) < %(to_at)s
),

rated AS (
    SELECT
        e.product_id, count(*) FILTER (WHERE e.has_view) AS view_sessions,
        count(*) FILTER (WHERE e.has_view AND e.added_at IS NOT NULL) AS add_sessions,
        count(*) FILTER (WHERE e.added_at <= s.completed_at) AS bought_sessions
    FROM event AS e
    INNER JOIN product AS p ON p.product_id = e.product_id
    INNER JOIN session AS s ON s.session_id = e.session_id
    GROUP BY e.product_id
)

SELECT
    p.product_id, l.name, l.category, l.brand, l.price_seen, p.views, p.adds, p.removals, p.wishlisted,
    coalesce(r.view_sessions, 0) AS view_sessions, coalesce(r.add_sessions, 0) AS add_sessions,
    coalesce(r.bought_sessions, 0) AS bought_sessions,
    r.add_sessions::float8 / nullif(r.view_sessions, 0) AS add_to_cart_rate
FROM product AS p
LEFT JOIN rated AS r ON r.product_id = p.product_id
CROSS JOIN LATERAL (
    SELECT
        e.context_product_name AS name, e.context_product_category AS category, e.context_product_brand AS brand,
        e.context_product_price AS price_seen
    FROM plain.events AS e
    WHERE e.context_product_id = p.product_id AND e.event_timestamp < %(to_at)s
    ORDER BY e.event_timestamp DESC
    LIMIT 1
) AS l
ORDER BY p.views DESC, p.adds DESC, p.product_id
