-- Revert clickstream_dw:loading from pg
BEGIN;
DROP FUNCTION etl.set_retention(integer, integer, boolean);
DROP FUNCTION etl.retention_plan(integer, integer);
DROP FUNCTION etl.drop_expired_rollups();
DROP FUNCTION etl.rollup_edge(timestamptz, integer);
DROP FUNCTION etl.expired_partitions(timestamptz);
DROP FUNCTION etl.drop_expired_ledger(timestamptz);
DROP FUNCTION etl.expired_ledger(timestamptz);
DROP FUNCTION etl.month_partitions(regclass);
DROP FUNCTION etl.book_copies();
DROP FUNCTION etl.note_stored(uuid[]);
DROP FUNCTION etl.last_full_listing();
DROP FUNCTION etl.drop_expired();
DROP FUNCTION etl.window_start(timestamptz);
DROP FUNCTION etl.quarantined_objects();
DROP FUNCTION etl.unseen_objects(bigint, timestamptz[]);
DROP FUNCTION etl.record_listing(bigint, timestamptz[], text[], text[], timestamptz[], bigint[], timestamptz[]);
DROP FUNCTION etl.apply_chunk(bigint, boolean);
DROP FUNCTION etl.begin_chunk();
DROP FUNCTION etl.book_objects(bigint);
DROP FUNCTION etl.versions_of(text[]);
DROP FUNCTION etl.unknown_objects(text[], text[]);
DROP FUNCTION etl.finish_run(bigint, text, jsonb, jsonb, text);
DROP FUNCTION etl.start_run(jsonb);
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
COMMIT;
\ir ../deploy/loading@v0.1.0.sql
