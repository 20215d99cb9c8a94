-- Revert clickstream_dw:facts from pg
BEGIN;
DROP FUNCTION etl.recount_sessions();
DROP FUNCTION etl.recounted_sessions();
DROP FUNCTION etl.split_loose();
DROP FUNCTION etl.derive_facts();
DROP FUNCTION etl.stage_facts();
DROP FUNCTION etl.touch_loose();
DROP FUNCTION etl.label_products();
DROP FUNCTION etl.number_products();
DROP FUNCTION etl.number_sessions();
DROP FUNCTION etl.number_visitors();
DROP FUNCTION etl.label_terms();
DROP FUNCTION etl.number_terms();
DROP FUNCTION etl.begin_deriving();
DROP VIEW etl.touched_facts;
DROP VIEW etl.current_sessions;
DROP TABLE etl.former_sessions, etl.touched_sessions, etl.staged_facts, etl.staged_loose, etl.staged_sessions,
etl.staged_products, etl.staged_visitors, etl.staged_values, etl.staged_terms;
DROP INDEX etl.visitors_first_seen_at_idx;
ALTER TABLE etl.visitors DROP COLUMN first_event_id;
DROP TABLE etl.session_facts, etl.event_facts, etl.product_labels, etl.products, etl.terms;
DROP TYPE etl.label;
DROP SEQUENCE etl.session_numbers;
DROP FUNCTION etl.name_no(text);
DROP FUNCTION etl.grid_origin();
DROP FUNCTION etl.shop_zone();
ALTER TABLE etl.settings
DROP COLUMN zone, DROP COLUMN rollups_enabled, DROP COLUMN rollup_retention_months,
DROP COLUMN max_event_names, DROP COLUMN max_categories, DROP COLUMN max_brands;
DROP EXTENSION roaringbitmap;
COMMIT;
