-- Verify clickstream_dw:autovacuum on pg
BEGIN;
SELECT 1 / (count(*) = 8)::int FROM pg_class AS c
WHERE
    c.oid IN (
        'etl.event_ids'::regclass, 'etl.event_facts'::regclass, 'etl.visitors'::regclass,
        'etl.session_facts'::regclass, 'etl.segments'::regclass, 'etl.name_counts'::regclass,
        'etl.item_days'::regclass, 'etl.first_seen'::regclass
    )
    AND array_to_string(c.reloptions, ' ') LIKE '%autovacuum%';
SELECT 1 / (NOT bool_or(c.reloptions IS NULL))::int
FROM pg_inherits AS i INNER JOIN pg_class AS c ON c.oid = i.inhrelid
WHERE i.inhparent = 'public.clickstream_events'::regclass;
SELECT has_function_privilege('etl.set_partition_autovacuum(regclass)', 'execute');
ROLLBACK;
