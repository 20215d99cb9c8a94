-- Revert clickstream_dw:autovacuum from pg
BEGIN;

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
DROP FUNCTION etl.set_partition_autovacuum(regclass);

DO $$
DECLARE
    stored regclass;
BEGIN
    FOR stored IN
        SELECT c.oid FROM pg_catalog.pg_class AS c
        WHERE
            c.relkind = 'r' AND array_to_string(c.reloptions, ' ') LIKE '%autovacuum%'
            AND c.relnamespace IN ('etl'::regnamespace, 'public'::regnamespace)
    LOOP
        EXECUTE format(
            'ALTER TABLE %s RESET (autovacuum_enabled, toast.autovacuum_enabled, autovacuum_vacuum_insert_scale_factor, '
            'autovacuum_vacuum_insert_threshold, autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold, '
            'autovacuum_analyze_scale_factor, autovacuum_freeze_min_age)',
            stored
        );
    END LOOP;
END
$$;

COMMIT;
