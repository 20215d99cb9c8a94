-- Revert clickstream_dw:object_counts from pg
BEGIN;

SET LOCAL client_min_messages = warning;
SET LOCAL ROLE dwh_owner;

CREATE OR REPLACE VIEW etl.newest_objects AS
SELECT o.object_id, o.object_key, o.etag, o.last_modified, o.size_bytes, o.key_hour, o.status, o.run_id, o.listed_at
FROM etl.objects AS o
WHERE
    NOT EXISTS (
        SELECT FROM etl.objects AS n
        WHERE
            n.object_key = o.object_key
            AND (n.last_modified, n.object_id) > (o.last_modified, o.object_id)
    );
DROP FUNCTION etl.settle_versions(text[]);
DROP TRIGGER objects_inserted ON etl.objects;
DROP TRIGGER objects_updated ON etl.objects;
DROP TRIGGER objects_deleted ON etl.objects;
DROP FUNCTION etl.count_objects();
DROP TABLE etl.object_counts;
-- An INSERT … ON CONFLICT in a function's body depends on every column: the function is made again as it was.
DO $do$
DECLARE
    listing constant text := 'etl.record_listing(bigint, timestamptz[], text[], text[], timestamptz[], bigint[], timestamptz[])';
    body constant text := pg_get_functiondef(listing::regprocedure);
    said constant text := obj_description(listing::regprocedure, 'pg_proc');
BEGIN
    EXECUTE format('DROP FUNCTION %s', listing);
    ALTER TABLE etl.objects DROP COLUMN is_superseded;
    EXECUTE body;
    EXECUTE format('COMMENT ON FUNCTION %s IS %L', listing, said);
    EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO etl_loader', listing);
END
$do$;

COMMIT;
