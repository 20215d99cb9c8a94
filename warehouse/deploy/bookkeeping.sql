-- Deploy clickstream_dw:bookkeeping to pg
BEGIN;

SET LOCAL client_min_messages = warning;
SET LOCAL ROLE dwh_owner;

CREATE TABLE etl.settings (
    only_row boolean NOT NULL DEFAULT true,
    retention_months integer,
    CONSTRAINT settings_pkey PRIMARY KEY (only_row),
    CONSTRAINT settings_only_row_check CHECK (only_row),
    CONSTRAINT settings_retention_months_check CHECK (retention_months > 0)
);
COMMENT ON TABLE etl.settings IS 'What the owner decides: one row.';
COMMENT ON COLUMN etl.settings.only_row IS 'Always true.';
COMMENT ON COLUMN etl.settings.retention_months IS 'Whole UTC months of events kept besides the current one; NULL: all of them.';
INSERT INTO etl.settings (retention_months) VALUES (NULL);

CREATE FUNCTION etl.retention_edge(at timestamptz DEFAULT now()) RETURNS timestamptz
LANGUAGE sql STABLE
RETURN (
    SELECT
        (date_trunc('month', at AT TIME ZONE 'UTC') - make_interval(months => s.retention_months))
        AT TIME ZONE 'UTC'
    FROM etl.settings AS s
);
COMMENT ON FUNCTION etl.retention_edge(timestamptz)
IS 'Events before this instant are not kept; NULL while retention is off.';

CREATE TABLE etl.runs (
    run_id bigint GENERATED ALWAYS AS IDENTITY,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at timestamptz,
    request jsonb NOT NULL,
    result text NOT NULL DEFAULT 'running',
    counts jsonb NOT NULL DEFAULT '{}',
    error text,
    objects_loaded bigint NOT NULL DEFAULT 0,
    objects_quarantined bigint NOT NULL DEFAULT 0,
    events_read bigint NOT NULL DEFAULT 0,
    events_stored bigint NOT NULL DEFAULT 0,
    events_duplicate bigint NOT NULL DEFAULT 0,
    events_conflict bigint NOT NULL DEFAULT 0,
    events_expired bigint NOT NULL DEFAULT 0,
    events_erased bigint NOT NULL DEFAULT 0,
    records_quarantined bigint NOT NULL DEFAULT 0,
    chunks bigint NOT NULL DEFAULT 0,
    CONSTRAINT runs_pkey PRIMARY KEY (run_id),
    CONSTRAINT runs_result_check CHECK (result IN ('running', 'loaded', 'partial', 'failed', 'busy'))
);
COMMENT ON TABLE etl.runs IS 'One row a run of the loader.';
COMMENT ON COLUMN etl.runs.run_id IS 'Number of the run.';
COMMENT ON COLUMN etl.runs.started_at IS 'When it began: *data until*, once it left nothing pending.';
COMMENT ON COLUMN etl.runs.ended_at IS 'When it ended; NULL while it runs or after it was killed.';
COMMENT ON COLUMN etl.runs.request IS 'What it was asked to do.';
COMMENT ON COLUMN etl.runs.result IS 'running, loaded, partial, failed or busy.';
COMMENT ON COLUMN etl.runs.counts IS 'The loader''s own counts.';
COMMENT ON COLUMN etl.runs.error IS 'Why it failed, without secrets.';
COMMENT ON COLUMN etl.runs.objects_loaded IS 'Objects it loaded.';
COMMENT ON COLUMN etl.runs.objects_quarantined IS 'Objects with at least one reject.';
COMMENT ON COLUMN etl.runs.events_read IS 'Event records read.';
COMMENT ON COLUMN etl.runs.events_stored IS 'Events stored.';
COMMENT ON COLUMN etl.runs.events_duplicate IS 'Events that were stored already.';
COMMENT ON COLUMN etl.runs.events_conflict IS 'Duplicates that differ in time, name, client or session.';
COMMENT ON COLUMN etl.runs.events_expired IS 'Events older than the retention edge.';
COMMENT ON COLUMN etl.runs.events_erased IS 'Events that were erased before and came again.';
COMMENT ON COLUMN etl.runs.records_quarantined IS 'Records put to quarantine.';
COMMENT ON COLUMN etl.runs.chunks IS 'Chunks committed; the dashboard''s marker counts them.';

CREATE TABLE etl.objects (
    object_id bigint GENERATED ALWAYS AS IDENTITY,
    object_key text NOT NULL,
    etag text NOT NULL,
    last_modified timestamptz NOT NULL,
    size_bytes bigint NOT NULL,
    key_hour timestamptz NOT NULL,
    status text NOT NULL,
    records_read integer NOT NULL DEFAULT 0,
    run_id bigint NOT NULL,
    listed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT objects_pkey PRIMARY KEY (object_id),
    CONSTRAINT objects_key_etag_key UNIQUE (object_key, etag),
    CONSTRAINT objects_status_check CHECK (status IN ('pending', 'loaded', 'quarantined', 'gone'))
);
CREATE INDEX objects_key_hour_idx ON etl.objects (key_hour);
CREATE INDEX objects_unloaded_idx ON etl.objects (status, key_hour) WHERE status <> 'loaded';
COMMENT ON TABLE etl.objects IS 'The ledger: one row for each version (key, ETag) of an object ever listed.';
COMMENT ON COLUMN etl.objects.object_id IS 'Number of the version.';
COMMENT ON COLUMN etl.objects.object_key IS 'Key in the raw bucket.';
COMMENT ON COLUMN etl.objects.etag IS 'ETag of the GET that was read; of the listing while pending.';
COMMENT ON COLUMN etl.objects.last_modified IS 'LastModified of that version when it was last read, or listed as the newest.';
COMMENT ON COLUMN etl.objects.size_bytes IS 'Its size in bytes.';
COMMENT ON COLUMN etl.objects.key_hour IS 'UTC hour its key belongs to in the completeness book: the same for all versions.';
COMMENT ON COLUMN etl.objects.status IS 'pending, loaded, quarantined (an open reject) or gone (deleted before it was loaded).';
COMMENT ON COLUMN etl.objects.records_read IS 'Records found in it.';
COMMENT ON COLUMN etl.objects.run_id IS 'Run that brought it to this status; while pending, the last one that listed it.';
COMMENT ON COLUMN etl.objects.listed_at IS 'When it was first booked, or listed again after it was gone.';

CREATE VIEW etl.newest_objects AS
SELECT o.object_id, o.object_key, o.etag, o.last_modified, o.size_bytes, o.key_hour, o.status, o.run_id, o.listed_at
FROM etl.objects AS o
WHERE
    NOT EXISTS (
        SELECT FROM etl.objects AS n
        WHERE
            n.object_key = o.object_key
            AND (n.last_modified, n.object_id) > (o.last_modified, o.object_id)
    );
COMMENT ON VIEW etl.newest_objects IS 'The newest version of each key: the one that decides what the key is.';

CREATE TABLE etl.listed_hours (
    hour_at timestamptz NOT NULL,
    listed_at timestamptz NOT NULL,
    run_id bigint NOT NULL,
    CONSTRAINT listed_hours_pkey PRIMARY KEY (hour_at)
);
COMMENT ON TABLE etl.listed_hours IS 'When each UTC hour of keys was last listed whole.';
COMMENT ON COLUMN etl.listed_hours.hour_at IS 'Start of the hour.';
COMMENT ON COLUMN etl.listed_hours.listed_at IS 'Start of the newest run that listed it whole.';
COMMENT ON COLUMN etl.listed_hours.run_id IS 'That run.';

CREATE TABLE etl.duplicates (
    event_id uuid NOT NULL,
    object_id bigint NOT NULL,
    position integer NOT NULL,
    is_conflict boolean NOT NULL,
    CONSTRAINT duplicates_pkey PRIMARY KEY (event_id, object_id, position)
);
COMMENT ON TABLE etl.duplicates IS 'Where else a stored event was seen: lineage of what was not stored again.';
COMMENT ON COLUMN etl.duplicates.event_id IS 'The event, stored once.';
COMMENT ON COLUMN etl.duplicates.object_id IS 'Object that holds the copy.';
COMMENT ON COLUMN etl.duplicates.position IS 'Its place in that object, from 0.';
COMMENT ON COLUMN etl.duplicates.is_conflict IS 'Whether the copy differs in time, name, client or session.';

CREATE TABLE etl.erased_events (
    event_id uuid NOT NULL,
    erased_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT erased_events_pkey PRIMARY KEY (event_id)
);
COMMENT ON TABLE etl.erased_events IS 'Ids of erased events, and nothing else of them: they are not stored again.';
COMMENT ON COLUMN etl.erased_events.event_id IS 'The event.';
COMMENT ON COLUMN etl.erased_events.erased_at IS 'When it was erased.';

CREATE TABLE etl.quarantine (
    quarantine_id bigint GENERATED ALWAYS AS IDENTITY,
    object_id bigint NOT NULL,
    position integer,
    reason_code text NOT NULL,
    sample bytea NOT NULL,
    run_id bigint NOT NULL,
    quarantined_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    resolved_at timestamptz,
    CONSTRAINT quarantine_pkey PRIMARY KEY (quarantine_id),
    CONSTRAINT quarantine_object_position_key UNIQUE NULLS NOT DISTINCT (object_id, position),
    CONSTRAINT quarantine_sample_check CHECK (octet_length(sample) <= 4096)
);
COMMENT ON TABLE etl.quarantine IS 'What could not be loaded, with its reason and a sample; open until resolved_at.';
COMMENT ON COLUMN etl.quarantine.quarantine_id IS 'Number of the reject.';
COMMENT ON COLUMN etl.quarantine.object_id IS 'Object that holds it (etl.objects).';
COMMENT ON COLUMN etl.quarantine.position IS 'Place in the object, from 0; NULL: the object as a whole.';
COMMENT ON COLUMN etl.quarantine.reason_code IS 'Why, as a word of the loader.';
COMMENT ON COLUMN etl.quarantine.sample IS 'Its first 4 KiB.';
COMMENT ON COLUMN etl.quarantine.run_id IS 'Run that met it first.';
COMMENT ON COLUMN etl.quarantine.quarantined_at IS 'When that was.';
COMMENT ON COLUMN etl.quarantine.resolved_at IS 'When a reload took it; NULL while open.';

CREATE UNLOGGED TABLE etl.staged_objects (
    object_no integer NOT NULL,
    object_key text NOT NULL,
    etag text NOT NULL,
    last_modified timestamptz NOT NULL,
    size_bytes bigint NOT NULL,
    key_hour timestamptz NOT NULL,
    status text NOT NULL,
    records_read integer NOT NULL,
    object_id bigint
);
COMMENT ON TABLE etl.staged_objects IS 'Objects of the chunk being loaded; emptied by etl.begin_chunk().';
CREATE UNLOGGED TABLE etl.staged_events (
    object_no integer NOT NULL,
    position integer NOT NULL,
    LIKE public.clickstream_events
);
COMMENT ON TABLE etl.staged_events IS 'Events of the chunk being loaded.';
CREATE UNLOGGED TABLE etl.staged_rejects (
    object_no integer NOT NULL,
    position integer,
    reason_code text NOT NULL,
    sample bytea NOT NULL
);
COMMENT ON TABLE etl.staged_rejects IS 'Rejects of the chunk being loaded.';
CREATE UNLOGGED TABLE etl.staged_stored (
    event_id uuid NOT NULL,
    object_no integer NOT NULL,
    position integer NOT NULL
);
COMMENT ON TABLE etl.staged_stored IS 'Which staged events turned out to be new.';

GRANT INSERT ON etl.staged_objects, etl.staged_events, etl.staged_rejects TO etl_loader;

COMMIT;
