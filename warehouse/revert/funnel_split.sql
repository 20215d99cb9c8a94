-- Revert clickstream_dw:funnel_split from pg
BEGIN;

SET LOCAL client_min_messages = warning;
SET LOCAL ROLE dwh_owner;

DROP FUNCTION dashboard.funnel_split(timestamptz, timestamptz, text, jsonb, text, integer);
DROP FUNCTION etl.read_split(timestamptz, timestamptz, etl.numbers, boolean, smallint[]);
DROP FUNCTION etl.rolled_split(timestamptz, timestamptz, etl.numbers, boolean, smallint[]);
DROP TYPE etl.split_sums;

COMMIT;
