-- Revert clickstream_dw:disks from pg
BEGIN;

SET LOCAL client_min_messages = warning;
SET LOCAL ROLE dwh_owner;

DROP FUNCTION etl.disk_usage();
DROP FUNCTION etl.note_disk(text, bigint, bigint);
DROP TABLE etl.disks;

COMMIT;
