-- Verify clickstream_dw:rollups on pg
BEGIN;
SELECT category_no, login_no, level, at, visitors FROM etl.segments WHERE false;
SELECT level, at, login_no, name_no, events FROM etl.name_counts WHERE false;
SELECT kind, level, at, item_no FROM etl.item_days WHERE false;
SELECT level, at, visitors FROM etl.first_seen WHERE false;
ROLLBACK;
