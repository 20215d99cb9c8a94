-- Deploy clickstream_dw:ledger to pg
BEGIN;

SET LOCAL client_min_messages = warning;
SET LOCAL ROLE dwh_owner;

CREATE FUNCTION etl.day_of_key(key text) RETURNS date
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN key ~ '^events/[0-9]{4}/[0-9]{2}/[0-9]{2}/'
        THEN make_date(substr(key, 8, 4)::integer, substr(key, 13, 2)::integer, substr(key, 16, 2)::integer)
    ELSE date '1970-01-01'
END;
COMMENT ON FUNCTION etl.day_of_key(text) IS 'UTC day that a key of the layout names; 1970-01-01 for any other key.';

-- With an event a file the ledger has as many rows as the events: each is written once, when its object was read.
CREATE SEQUENCE etl.object_numbers;
CREATE TABLE etl.object_versions (
    object_id bigint NOT NULL DEFAULT nextval('etl.object_numbers'),
    last_modified timestamptz NOT NULL,
    key_hour timestamptz NOT NULL,
    size_bytes bigint NOT NULL,
    run_id bigint NOT NULL,
    key_day date NOT NULL,
    records_read integer NOT NULL,
    is_superseded boolean NOT NULL DEFAULT false,
    is_cleaned boolean NOT NULL DEFAULT false,
    status text NOT NULL,
    object_key text NOT NULL,
    etag text NOT NULL,
    CONSTRAINT object_versions_pkey PRIMARY KEY (object_id, key_day),
    CONSTRAINT object_versions_key_etag_key UNIQUE (key_day, object_key, etag),
    CONSTRAINT object_versions_status_check CHECK (status IN ('loaded', 'quarantined', 'gone')),
    CONSTRAINT object_versions_key_day_check CHECK (key_day = etl.day_of_key(object_key))
) PARTITION BY RANGE (key_day);
ALTER SEQUENCE etl.object_numbers OWNED BY etl.object_versions.object_id;
CREATE INDEX object_versions_quarantined_idx ON etl.object_versions (object_id) WHERE status = 'quarantined';
COMMENT ON TABLE etl.object_versions IS 'The ledger: one row for each version (key, ETag) of an object that was read, or was gone before.';
COMMENT ON COLUMN etl.object_versions.object_id IS 'Number of the version.';
COMMENT ON COLUMN etl.object_versions.last_modified IS 'LastModified of that version when it was last read, or listed as the newest.';
COMMENT ON COLUMN etl.object_versions.key_hour IS 'UTC hour its key belongs to in the completeness book: the same for all versions.';
COMMENT ON COLUMN etl.object_versions.size_bytes IS 'Its size in bytes.';
COMMENT ON COLUMN etl.object_versions.run_id IS 'Run that brought it to this status.';
COMMENT ON COLUMN etl.object_versions.key_day IS 'Day of its key, which names its partition: that keeps (key, ETag) unique over all of them.';
COMMENT ON COLUMN etl.object_versions.records_read IS 'Records found in it.';
COMMENT ON COLUMN etl.object_versions.is_superseded IS 'Whether a newer version of the key is booked: by last_modified, then object_id; or pending.';
COMMENT ON COLUMN etl.object_versions.is_cleaned IS 'Whether the raw object was deleted or rewritten for an erasure: this version is read again should it come back.';
COMMENT ON COLUMN etl.object_versions.status IS 'loaded, quarantined (an open reject) or gone (deleted before it was loaded).';
COMMENT ON COLUMN etl.object_versions.object_key IS 'Key in the raw bucket.';
COMMENT ON COLUMN etl.object_versions.etag IS 'ETag of the GET that was read; of the listing when it was gone.';

CREATE TABLE etl.pending_objects (
    object_key text NOT NULL,
    etag text NOT NULL,
    last_modified timestamptz NOT NULL,
    size_bytes bigint NOT NULL,
    key_hour timestamptz NOT NULL,
    run_id bigint NOT NULL,
    listed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT pending_objects_pkey PRIMARY KEY (object_key)
);
CREATE INDEX pending_objects_key_hour_idx ON etl.pending_objects (key_hour);
COMMENT ON TABLE etl.pending_objects IS 'Keys whose newest version was listed and not read yet.';
COMMENT ON COLUMN etl.pending_objects.object_key IS 'Key in the raw bucket.';
COMMENT ON COLUMN etl.pending_objects.etag IS 'ETag of the listing.';
COMMENT ON COLUMN etl.pending_objects.last_modified IS 'LastModified of the listing.';
COMMENT ON COLUMN etl.pending_objects.size_bytes IS 'Its size in bytes.';
COMMENT ON COLUMN etl.pending_objects.key_hour IS 'UTC hour its key belongs to in the completeness book.';
COMMENT ON COLUMN etl.pending_objects.run_id IS 'The last run that listed it.';
COMMENT ON COLUMN etl.pending_objects.listed_at IS 'When this version was listed first.';

COMMENT ON COLUMN etl.event_ids.object_id IS 'Object that brought it (etl.object_versions).';
COMMENT ON COLUMN etl.duplicates.object_id IS 'Object that holds the copy (etl.object_versions).';
COMMENT ON COLUMN etl.quarantine.object_id IS 'Object that holds it (etl.object_versions).';

-- What pages ask is counted as it changes.
CREATE TABLE etl.object_counts (
    key_hour timestamptz NOT NULL,
    status text NOT NULL,
    objects bigint NOT NULL,
    CONSTRAINT object_counts_pkey PRIMARY KEY (key_hour, status)
) WITH (fillfactor = 50);
COMMENT ON TABLE etl.object_counts IS 'Keys by hour and what they are, kept by triggers of the ledger and of what is pending.';
COMMENT ON COLUMN etl.object_counts.key_hour IS 'UTC hour of the completeness book.';
COMMENT ON COLUMN etl.object_counts.status IS 'pending, or the status of the newest version.';
COMMENT ON COLUMN etl.object_counts.objects IS 'Keys.';

CREATE FUNCTION etl.count_versions() RETURNS trigger
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
COMMENT ON FUNCTION etl.count_versions() IS 'Adds what a statement changed in etl.object_versions to etl.object_counts.';
CREATE TRIGGER versions_inserted AFTER INSERT ON etl.object_versions
REFERENCING NEW TABLE AS now_there FOR EACH STATEMENT EXECUTE FUNCTION etl.count_versions();
CREATE TRIGGER versions_updated AFTER UPDATE ON etl.object_versions
REFERENCING OLD TABLE AS was_there NEW TABLE AS now_there FOR EACH STATEMENT EXECUTE FUNCTION etl.count_versions();
CREATE TRIGGER versions_deleted AFTER DELETE ON etl.object_versions
REFERENCING OLD TABLE AS was_there FOR EACH STATEMENT EXECUTE FUNCTION etl.count_versions();

-- A key keeps its hour while it is pending: an update changes no count.
CREATE FUNCTION etl.count_pending() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO etl.object_counts AS o (key_hour, status, objects)
    SELECT c.key_hour, 'pending', CASE tg_op WHEN 'INSERT' THEN count(*) ELSE -count(*) END
    FROM changed AS c GROUP BY c.key_hour
    ON CONFLICT (key_hour, status) DO UPDATE SET objects = o.objects + excluded.objects;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION etl.count_pending() IS 'Adds the keys that came to etl.pending_objects, or went, to etl.object_counts.';
CREATE TRIGGER pending_inserted AFTER INSERT ON etl.pending_objects
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION etl.count_pending();
CREATE TRIGGER pending_deleted AFTER DELETE ON etl.pending_objects
REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION etl.count_pending();

CREATE FUNCTION etl.ensure_ledger(days date[]) RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    month_on date;
    next_on date;
    name text;
    made integer := 0;
BEGIN
    FOR month_on IN SELECT DISTINCT date_trunc('month', d.day)::date FROM unnest(days) AS d (day) ORDER BY 1 LOOP
        name := 'object_versions_' || to_char(month_on, 'YYYY_MM');
        CONTINUE WHEN to_regclass('etl.' || name) IS NOT NULL;
        next_on := month_on + interval '1 month';
        -- Of a month that retention dropped the counts were left: its keys are read again and counted anew.
        DELETE FROM etl.object_counts AS o
        WHERE
            o.key_hour >= month_on::timestamp AT TIME ZONE 'UTC' AND o.key_hour < next_on::timestamp AT TIME ZONE 'UTC'
            AND o.status <> 'pending';
        -- Made apart and attached: CREATE … PARTITION OF would wait for every reader of the table.
        EXECUTE format(
            'CREATE TABLE etl.%I (LIKE etl.object_versions INCLUDING DEFAULTS INCLUDING CONSTRAINTS) '
            'WITH (autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 20000)',
            name
        );
        EXECUTE format(
            'ALTER TABLE etl.object_versions ATTACH PARTITION etl.%I FOR VALUES FROM (%L) TO (%L)', name, month_on, next_on
        );
        EXECUTE format('COMMENT ON TABLE etl.%I IS %L', name, 'The ledger of one month of keys.');
        made := made + 1;
    END LOOP;
    RETURN made;
END
$$;
COMMENT ON FUNCTION etl.ensure_ledger(date[]) IS 'Makes the missing partitions of the ledger for days of keys and returns how many.';

CREATE FUNCTION etl.settle_versions(keys text[]) RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    UPDATE etl.object_versions AS o SET is_superseded = v.is_superseded
    FROM (
        SELECT
            n.object_id, n.key_day,
            EXISTS (SELECT FROM etl.pending_objects AS p WHERE p.object_key = n.object_key)
            OR row_number() OVER (PARTITION BY n.object_key ORDER BY n.last_modified DESC, n.object_id DESC) > 1
                AS is_superseded
        FROM (SELECT DISTINCT unnest(settle_versions.keys) AS object_key) AS k
        INNER JOIN etl.object_versions AS n
            ON n.key_day = etl.day_of_key(k.object_key) AND n.object_key = k.object_key
    ) AS v
    WHERE o.object_id = v.object_id AND o.key_day = v.key_day AND o.is_superseded <> v.is_superseded;
END;
COMMENT ON FUNCTION etl.settle_versions(text[]) IS 'Says anew which version of each key is the newest.';

COMMIT;
