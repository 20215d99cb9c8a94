-- Deploy clickstream_dw:disks to pg
BEGIN;

SET LOCAL client_min_messages = warning;
SET LOCAL ROLE dwh_owner;

CREATE TABLE etl.disks (
    path text,
    used_bytes bigint NOT NULL,
    free_bytes bigint NOT NULL,
    measured_at timestamptz NOT NULL,
    CONSTRAINT disks_pkey PRIMARY KEY (path),
    CONSTRAINT disks_path_check CHECK (path LIKE '/%'),
    CONSTRAINT disks_used_bytes_check CHECK (used_bytes >= 0),
    CONSTRAINT disks_free_bytes_check CHECK (free_bytes >= 0)
);
COMMENT ON TABLE etl.disks IS 'How full the host''s file systems are: one row each, written anew by a timer of the host.';
COMMENT ON COLUMN etl.disks.path IS 'A directory of the file system: / or that of the data.';
COMMENT ON COLUMN etl.disks.used_bytes IS 'Bytes that are taken.';
COMMENT ON COLUMN etl.disks.free_bytes IS 'Bytes that the server can still take, without what is kept for root.';
COMMENT ON COLUMN etl.disks.measured_at IS 'When the host measured them last.';

-- With the rights of who calls it: the owner's alone.
CREATE FUNCTION etl.note_disk(path text, used_bytes bigint, free_bytes bigint) RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
INSERT INTO etl.disks AS d (path, used_bytes, free_bytes, measured_at)
VALUES (note_disk.path, note_disk.used_bytes, note_disk.free_bytes, clock_timestamp())
ON CONFLICT ON CONSTRAINT disks_pkey DO UPDATE SET
used_bytes = excluded.used_bytes, free_bytes = excluded.free_bytes, measured_at = excluded.measured_at;
END;
COMMENT ON FUNCTION etl.note_disk(text, bigint, bigint)
IS 'Notes how full the file system of a path is now.';

-- A figure that nobody renews says nothing: after an hour, six times the timer's period, it is none.
CREATE FUNCTION etl.disk_usage() RETURNS TABLE (path text, used_percent numeric)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
SELECT
    d.path,
    round(100.0 * d.used_bytes / (d.used_bytes + d.free_bytes), 2)
FROM etl.disks AS d
WHERE d.measured_at > statement_timestamp() - interval '1 hour' AND d.used_bytes + d.free_bytes > 0;
END;
COMMENT ON FUNCTION etl.disk_usage()
IS 'How full each file system of the host was within the last hour, in percent of what the server can use.';
GRANT EXECUTE ON FUNCTION etl.disk_usage() TO etl_loader;

COMMIT;
