-- Revert clickstream_dw:events from pg
BEGIN;
DROP FUNCTION etl.ensure_partitions(timestamptz, timestamptz);
DROP TABLE etl.event_ids;
DROP TABLE public.clickstream_events;
COMMIT;
