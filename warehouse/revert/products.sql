-- Revert clickstream_dw:products from pg
BEGIN;

SET LOCAL client_min_messages = warning;
SET LOCAL ROLE dwh_owner;

DROP FUNCTION dashboard.product_prices(timestamptz, timestamptz, text, jsonb, text);
DROP FUNCTION dashboard.product_series(timestamptz, timestamptz, text, jsonb, text, text);
DROP FUNCTION dashboard.product_totals(timestamptz, timestamptz, text, jsonb, text);
DROP FUNCTION etl.product_sums_between(timestamptz[], jsonb, integer);
DROP FUNCTION etl.rolled_product(timestamptz[], integer);
DROP FUNCTION etl.read_product(timestamptz[], etl.numbers, integer);
DROP TYPE etl.product_sums;
DROP FUNCTION dashboard.product_labels(text);
DROP FUNCTION dashboard.product_list(timestamptz, timestamptz, text, jsonb, text, text, boolean, integer, integer);
DROP FUNCTION etl.fold(text);

COMMIT;
