WITH product AS (
    SELECT
        e.context_product_id AS product_id,
        count(*) FILTER (WHERE e.event_name = 'product_view') AS views,
        count(*) FILTER (WHERE e.event_name = 'add_to_cart_click') AS adds,
        count(*) FILTER (WHERE e.event_name = 'remove_from_cart_click') AS removals,
        count(*) FILTER (WHERE e.event_name = 'wishlist_toggle') AS wishlisted,
        arg_max(e.context_product_name, e.event_timestamp) AS name,
        arg_max(e.context_product_category, e.event_timestamp) AS category,
        arg_max(e.context_product_brand, e.event_timestamp) AS brand,
        arg_max(e.context_product_price, e.event_timestamp) AS price_seen
    FROM events AS e
    WHERE
        e.event_timestamp >= $from_at AND e.event_timestamp < $to_at
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
    FROM events AS e
    WHERE
        e.event_timestamp >= $from_at::TIMESTAMP - INTERVAL 2 HOURS
        AND e.event_timestamp < $to_at::TIMESTAMP + INTERVAL 2 HOURS
    GROUP BY e.session_id, e.context_product_id
),

session AS (
    SELECT e.session_id, max(e.completed_at) AS completed_at
    FROM event AS e
    GROUP BY e.session_id
    HAVING min(e.first_at) >= $from_at AND min(e.first_at) < $to_at
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
    p.product_id, p.name, p.category, p.brand, p.price_seen, p.views, p.adds, p.removals, p.wishlisted,
    coalesce(r.view_sessions, 0) AS view_sessions, coalesce(r.add_sessions, 0) AS add_sessions,
    coalesce(r.bought_sessions, 0) AS bought_sessions,
    r.add_sessions::DOUBLE / nullif(r.view_sessions, 0) AS add_to_cart_rate
FROM product AS p
LEFT JOIN rated AS r ON r.product_id = p.product_id
ORDER BY p.views DESC, p.adds DESC, p.product_id
