-- Deploy clickstream_dw:autovacuum to pg
BEGIN;

SET LOCAL client_min_messages = warning;
SET LOCAL ROLE dwh_owner;

-- A run that is under way ends first: it empties tables that are changed here.
SELECT pg_advisory_xact_lock(hashtext('etl_loader'));

-- Rows come and stay as they are. By the defaults a table is looked at once it has grown by a fifth: at 20M
-- events after weeks, then all of it at once. Here it is a step of rows, whatever the table's size, and pages that
-- are full are frozen at the same time: nothing has to be read again years later.
ALTER TABLE etl.event_ids SET (
    autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 100000,
    autovacuum_freeze_min_age = 0
);
-- Recent rows of clients without session ids are updated; the planner has to know the newest days too.
ALTER TABLE etl.event_facts SET (
    autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 100000,
    autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02
);
-- Smaller rows of the same kind: a client for some sessions.
ALTER TABLE etl.visitors SET (
    autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 20000
);

-- Sessions of the last hour are written anew by the next load, older ones hardly ever.
ALTER TABLE etl.session_facts SET (
    autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 20000,
    autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02
);

-- Each chunk writes the rows of its slots, day and month anew: many versions of few rows. A fifth of the table
-- would be a year of slots; their fillfactor keeps room for the versions until they are taken away.
ALTER TABLE etl.segments SET (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000);
ALTER TABLE etl.name_counts SET (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000);
ALTER TABLE etl.item_days SET (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000);
ALTER TABLE etl.first_seen SET (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000);

-- Staging is emptied for each chunk and analysed by hand: nothing is left to vacuum, and statistics of the chunk
-- before would be wrong.
DO $$
DECLARE
    staging regclass;
BEGIN
    FOR staging IN
        SELECT c.oid FROM pg_catalog.pg_class AS c
        WHERE c.relnamespace = 'etl'::regnamespace AND c.relkind = 'r' AND c.relpersistence = 'u'
    LOOP
        EXECUTE format('ALTER TABLE %s SET (autovacuum_enabled = false, toast.autovacuum_enabled = false)', staging);
    END LOOP;
END
$$;

-- As etl.event_ids. A partitioned table takes no such settings, and its partitions inherit none.
CREATE FUNCTION etl.set_partition_autovacuum(part regclass) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    EXECUTE format(
        'ALTER TABLE %s SET (autovacuum_vacuum_insert_scale_factor = 0, '
        'autovacuum_vacuum_insert_threshold = 100000, autovacuum_freeze_min_age = 0)',
        part
    );
END
$$;
COMMENT ON FUNCTION etl.set_partition_autovacuum(regclass)
IS 'Tells autovacuum that rows of a partition of public.clickstream_events come and stay as they are.';

SELECT etl.set_partition_autovacuum(i.inhrelid::regclass)
FROM pg_catalog.pg_inherits AS i WHERE i.inhparent = 'public.clickstream_events'::regclass;

-- As before, and the new partition gets its settings.
CREATE OR REPLACE FUNCTION etl.ensure_partitions(from_at timestamptz, to_at timestamptz) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
DECLARE
    month_at timestamptz := date_trunc('month', from_at);
    name text;
    made integer := 0;
BEGIN
    WHILE month_at <= to_at LOOP
        name := 'clickstream_events_' || to_char(month_at, 'YYYY_MM');
        IF to_regclass('public.' || name) IS NULL THEN
            -- Made apart and attached: CREATE … PARTITION OF would wait for every reader of the table.
            EXECUTE format(
                'CREATE TABLE public.%I (LIKE public.clickstream_events INCLUDING DEFAULTS INCLUDING CONSTRAINTS)',
                name
            );
            PERFORM etl.set_partition_autovacuum(to_regclass('public.' || name));
            EXECUTE format(
                'ALTER TABLE public.clickstream_events ATTACH PARTITION public.%I FOR VALUES FROM (%L) TO (%L)',
                name, month_at, month_at + interval '1 month'
            );
            EXECUTE format('COMMENT ON TABLE public.%I IS %L', name, 'Events of one UTC month.');
            made := made + 1;
        END IF;
        month_at := month_at + interval '1 month';
    END LOOP;
    RETURN made;
END
$$;

COMMIT;
