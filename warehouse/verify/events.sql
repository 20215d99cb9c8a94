-- Verify clickstream_dw:events on pg
BEGIN;
SELECT
    event_id, event_timestamp, event_name, user_id, user_login_state, identity_source, client_id,
    session_id, is_first_visit, context_product_id, context_product_name, context_product_category,
    context_product_brand, context_product_price, context_product_discount_price,
    context_product_url_path
FROM public.clickstream_events WHERE false;
SELECT event_id, event_timestamp, object_id, position FROM etl.event_ids WHERE false;
SELECT has_function_privilege('etl.ensure_partitions(timestamptz, timestamptz)', 'execute');
ROLLBACK;
