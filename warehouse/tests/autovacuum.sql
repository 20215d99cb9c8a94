-- What autovacuum is told, table by table.
BEGIN;
SELECT plan(6);

SELECT is(
    ARRAY(
        SELECT c.oid::regclass::text || ' ' || o.option
        FROM pg_class AS c CROSS JOIN LATERAL unnest(c.reloptions) AS o (option)
        WHERE
            c.relnamespace = 'etl'::regnamespace AND c.relpersistence = 'p' AND NOT c.relispartition
            AND o.option LIKE 'autovacuum%'
        ORDER BY 1
    ),
    ARRAY[
        'etl.event_facts autovacuum_analyze_scale_factor=0.02',
        'etl.event_facts autovacuum_vacuum_insert_scale_factor=0',
        'etl.event_facts autovacuum_vacuum_insert_threshold=100000',
        'etl.event_facts autovacuum_vacuum_scale_factor=0.02',
        'etl.event_ids autovacuum_freeze_min_age=0',
        'etl.event_ids autovacuum_vacuum_insert_scale_factor=0',
        'etl.event_ids autovacuum_vacuum_insert_threshold=100000',
        'etl.first_seen autovacuum_vacuum_scale_factor=0.01',
        'etl.first_seen autovacuum_vacuum_threshold=1000',
        'etl.item_days autovacuum_vacuum_scale_factor=0.01',
        'etl.item_days autovacuum_vacuum_threshold=1000',
        'etl.name_counts autovacuum_vacuum_scale_factor=0.01',
        'etl.name_counts autovacuum_vacuum_threshold=1000',
        'etl.segments autovacuum_vacuum_scale_factor=0.01',
        'etl.segments autovacuum_vacuum_threshold=1000',
        'etl.session_facts autovacuum_analyze_scale_factor=0.02',
        'etl.session_facts autovacuum_vacuum_insert_scale_factor=0',
        'etl.session_facts autovacuum_vacuum_insert_threshold=20000',
        'etl.session_facts autovacuum_vacuum_scale_factor=0.02',
        'etl.visitors autovacuum_vacuum_insert_scale_factor=0',
        'etl.visitors autovacuum_vacuum_insert_threshold=20000'
    ],
    'stored tables that grow, or are written again and again, are vacuumed by steps of their own'
);
SELECT isnt_empty(
    $$SELECT c.oid FROM pg_class AS c
      WHERE c.relnamespace = 'etl'::regnamespace AND c.relkind = 'r' AND c.relpersistence = 'u'$$,
    'there is staging'
);
SELECT is_empty(
    $$SELECT c.oid::regclass FROM pg_class AS c
      WHERE c.relnamespace = 'etl'::regnamespace AND c.relkind = 'r' AND c.relpersistence = 'u'
      AND NOT coalesce('autovacuum_enabled=false' = ANY(c.reloptions), false)$$,
    'staging is not vacuumed'
);
-- One that is there since the deployment, and one that is made now.
SELECT etl.ensure_partitions('2001-02-03', '2001-02-03');
SELECT is(
    (
        SELECT c.reloptions FROM pg_class AS c
        WHERE c.oid = ('public.clickstream_events_' || to_char(now() AT TIME ZONE 'UTC', 'YYYY_MM'))::regclass
    ),
    ARRAY['autovacuum_vacuum_insert_scale_factor=0', 'autovacuum_vacuum_insert_threshold=100000', 'autovacuum_freeze_min_age=0'],
    'this month''s partition is vacuumed by steps of rows'
);
SELECT is(
    (SELECT c.reloptions FROM pg_class AS c WHERE c.oid = 'public.clickstream_events_2001_02'::regclass),
    ARRAY['autovacuum_vacuum_insert_scale_factor=0', 'autovacuum_vacuum_insert_threshold=100000', 'autovacuum_freeze_min_age=0'],
    'a new partition is vacuumed by steps of rows'
);
SELECT etl.ensure_ledger('{2001-02-03}');
SELECT is(
    (SELECT c.reloptions FROM pg_class AS c WHERE c.oid = 'etl.object_versions_2001_02'::regclass),
    ARRAY['autovacuum_vacuum_insert_scale_factor=0', 'autovacuum_vacuum_insert_threshold=20000'],
    'and a new month of the ledger'
);

SELECT * FROM finish();
ROLLBACK;
