-- Deploy clickstream_dw:object_counts to pg
BEGIN;

SET LOCAL client_min_messages = warning;
SET LOCAL ROLE dwh_owner;

-- A run that is under way ends first: it uses the table that is changed here.
SELECT pg_advisory_xact_lock(hashtext('etl_loader'));

-- With an event a file the ledger has as many rows as the events: what pages ask is counted as it changes.
ALTER TABLE etl.objects ADD COLUMN is_superseded boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN etl.objects.is_superseded IS 'Whether a newer version of the key is booked: by last_modified, then object_id.';

CREATE OR REPLACE VIEW etl.newest_objects AS
SELECT o.object_id, o.object_key, o.etag, o.last_modified, o.size_bytes, o.key_hour, o.status, o.run_id, o.listed_at
FROM etl.objects AS o
WHERE NOT o.is_superseded;

CREATE TABLE etl.object_counts (
    key_hour timestamptz NOT NULL,
    status text NOT NULL,
    objects bigint NOT NULL,
    CONSTRAINT object_counts_pkey PRIMARY KEY (key_hour, status)
) WITH (fillfactor = 50);
COMMENT ON TABLE etl.object_counts IS 'Keys by hour and what they are, kept by triggers of etl.objects.';
COMMENT ON COLUMN etl.object_counts.key_hour IS 'UTC hour of the completeness book.';
COMMENT ON COLUMN etl.object_counts.status IS 'Status of the newest version.';
COMMENT ON COLUMN etl.object_counts.objects IS 'Keys.';

CREATE FUNCTION etl.count_objects() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF tg_op = 'INSERT' THEN
        INSERT INTO etl.object_counts AS o (key_hour, status, objects)
        SELECT n.key_hour, n.status, count(*) FROM now_there AS n WHERE NOT n.is_superseded
        GROUP BY n.key_hour, n.status
        ON CONFLICT (key_hour, status) DO UPDATE SET objects = o.objects + excluded.objects;
    ELSIF tg_op = 'UPDATE' THEN
        INSERT INTO etl.object_counts AS o (key_hour, status, objects)
        SELECT c.key_hour, c.status, sum(c.sign)
        FROM (
            SELECT n.key_hour, n.status, 1 AS sign FROM now_there AS n WHERE NOT n.is_superseded
            UNION ALL
            SELECT n.key_hour, n.status, -1 FROM was_there AS n WHERE NOT n.is_superseded
        ) AS c
        GROUP BY c.key_hour, c.status
        HAVING sum(c.sign) <> 0
        ON CONFLICT (key_hour, status) DO UPDATE SET objects = o.objects + excluded.objects;
    ELSE
        UPDATE etl.object_counts AS o SET objects = o.objects - c.objects
        FROM (
            SELECT n.key_hour, n.status, count(*) AS objects FROM was_there AS n WHERE NOT n.is_superseded
            GROUP BY n.key_hour, n.status
        ) AS c
        WHERE o.key_hour = c.key_hour AND o.status = c.status;
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION etl.count_objects() IS 'Adds what a statement changed in etl.objects to etl.object_counts.';
CREATE TRIGGER objects_inserted AFTER INSERT ON etl.objects
REFERENCING NEW TABLE AS now_there FOR EACH STATEMENT EXECUTE FUNCTION etl.count_objects();
CREATE TRIGGER objects_updated AFTER UPDATE ON etl.objects
REFERENCING OLD TABLE AS was_there NEW TABLE AS now_there FOR EACH STATEMENT EXECUTE FUNCTION etl.count_objects();
CREATE TRIGGER objects_deleted AFTER DELETE ON etl.objects
REFERENCING OLD TABLE AS was_there FOR EACH STATEMENT EXECUTE FUNCTION etl.count_objects();

CREATE FUNCTION etl.settle_versions(keys text[]) RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    UPDATE etl.objects AS o SET is_superseded = v.is_superseded
    FROM (
        SELECT
            n.object_id,
            row_number() OVER (PARTITION BY n.object_key ORDER BY n.last_modified DESC, n.object_id DESC) > 1 AS is_superseded
        FROM etl.objects AS n WHERE n.object_key IN (SELECT unnest(settle_versions.keys))
    ) AS v
    WHERE o.object_id = v.object_id AND o.is_superseded <> v.is_superseded;
END;
COMMENT ON FUNCTION etl.settle_versions(text[]) IS 'Says anew which version of each key is the newest.';

INSERT INTO etl.object_counts (key_hour, status, objects)
SELECT o.key_hour, o.status, count(*) FROM etl.objects AS o GROUP BY o.key_hour, o.status;
SELECT etl.settle_versions(ARRAY(
    SELECT o.object_key FROM etl.objects AS o GROUP BY o.object_key HAVING count(*) > 1
));

COMMIT;
