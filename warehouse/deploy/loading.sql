-- Deploy clickstream_dw:loading to pg
BEGIN;

SET LOCAL client_min_messages = warning;
SET LOCAL ROLE dwh_owner;

-- A run that is under way ends first; the next one finds the new functions.
SELECT pg_advisory_xact_lock(hashtext('etl_loader'));

-- The ledger moves. The old table goes with the last function that reads it.
SELECT etl.ensure_ledger(ARRAY(SELECT DISTINCT etl.day_of_key(o.object_key) FROM etl.objects AS o WHERE o.status <> 'pending'));
INSERT INTO etl.object_versions (
    object_id, last_modified, key_hour, size_bytes, run_id, key_day, records_read, status, object_key, etag
)
SELECT
    o.object_id, o.last_modified, o.key_hour, o.size_bytes, o.run_id, etl.day_of_key(o.object_key), o.records_read,
    o.status, o.object_key, o.etag
FROM etl.objects AS o
WHERE o.status <> 'pending'
ORDER BY o.object_id;
INSERT INTO etl.pending_objects (object_key, etag, last_modified, size_bytes, key_hour, run_id, listed_at)
SELECT o.object_key, o.etag, o.last_modified, o.size_bytes, o.key_hour, o.run_id, o.listed_at
FROM etl.newest_objects AS o
WHERE o.status = 'pending';
SELECT setval('etl.object_numbers', max(o.object_id)) FROM etl.objects AS o;
SELECT etl.settle_versions(ARRAY(
    SELECT o.object_key FROM etl.objects AS o GROUP BY o.object_key HAVING count(*) > 1
));
ANALYZE etl.object_versions, etl.pending_objects;

CREATE OR REPLACE VIEW etl.newest_objects AS
SELECT
    o.object_id, o.object_key, o.etag, o.last_modified, o.size_bytes, o.key_hour, o.status, o.run_id,
    NULL::timestamptz AS listed_at
FROM etl.object_versions AS o
WHERE NOT o.is_superseded
UNION ALL
SELECT NULL, p.object_key, p.etag, p.last_modified, p.size_bytes, p.key_hour, 'pending', p.run_id, p.listed_at
FROM etl.pending_objects AS p;

-- Made anew by a later change.
DROP FUNCTION etl.erase(text, text);

CREATE OR REPLACE FUNCTION etl.start_run(request jsonb) RETURNS bigint
LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    INSERT INTO etl.runs (request) VALUES (start_run.request) RETURNING run_id;
END;
COMMENT ON FUNCTION etl.start_run(jsonb) IS 'Books a new run and returns its number.';

CREATE OR REPLACE FUNCTION etl.finish_run(
    run_id bigint, result text, counts jsonb, listed jsonb, error text DEFAULT NULL
) RETURNS void
LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    UPDATE etl.runs AS r
    SET
        ended_at = clock_timestamp(), result = finish_run.result, error = left(finish_run.error, 2000),
        counts = coalesce(finish_run.counts, '{}') || jsonb_build_object('listed', finish_run.listed)
    WHERE r.run_id = finish_run.run_id;
END;
COMMENT ON FUNCTION etl.finish_run(bigint, text, jsonb, jsonb, text)
IS 'Closes a run; "loaded" moves *data until* to its start if it listed up to there.';

CREATE OR REPLACE FUNCTION etl.unknown_objects(keys text[], etags text[])
RETURNS TABLE (number integer, is_held boolean)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT k.number::integer, o.object_id IS NOT NULL
    FROM unnest(unknown_objects.keys, unknown_objects.etags) WITH ORDINALITY AS k (key, etag, number)
    LEFT JOIN etl.object_versions AS o
        ON o.key_day = etl.day_of_key(k.key) AND o.object_key = k.key AND o.etag = k.etag AND o.status <> 'gone'
        AND NOT o.is_cleaned
    WHERE
        o.object_id IS NULL
        OR o.is_superseded;
END;
COMMENT ON FUNCTION etl.unknown_objects(text[], text[])
IS 'Ordinals (from 1) of the versions that the ledger does not hold as loaded or quarantined, or holds (is_held) but not as the newest of their key.';

CREATE FUNCTION etl.versions_of(keys text[])
RETURNS TABLE (object_id bigint, object_key text, etag text, key_hour timestamptz, is_read boolean)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT o.object_id, o.object_key, o.etag, o.key_hour, o.status <> 'gone' AND NOT o.is_cleaned
    FROM (SELECT DISTINCT unnest(versions_of.keys) AS object_key) AS k
    INNER JOIN etl.object_versions AS o
        ON o.key_day = etl.day_of_key(k.object_key) AND o.object_key = k.object_key;
END;
COMMENT ON FUNCTION etl.versions_of(text[]) IS 'Every version of some keys that the ledger has.';

CREATE OR REPLACE FUNCTION etl.begin_chunk() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    TRUNCATE etl.staged_objects, etl.staged_events, etl.staged_rejects, etl.staged_stored;
END
$$;
COMMENT ON FUNCTION etl.begin_chunk() IS 'Empties staging inside the caller''s transaction.';

CREATE FUNCTION etl.book_objects(run bigint) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    known text[];
BEGIN
    PERFORM etl.ensure_ledger(ARRAY(SELECT DISTINCT etl.day_of_key(s.object_key) FROM etl.staged_objects AS s));
    -- A key stays in the hour that it was listed in first.
    UPDATE etl.staged_objects AS s SET key_hour = p.key_hour
    FROM etl.pending_objects AS p WHERE p.object_key = s.object_key AND p.key_hour <> s.key_hour;
    -- Hardly any key has been read before: what follows of other versions is for those alone.
    known := ARRAY(
        SELECT DISTINCT v.object_key
        FROM etl.versions_of(ARRAY(SELECT s.object_key FROM etl.staged_objects AS s)) AS v
    );
    IF cardinality(known) > 0 THEN
        UPDATE etl.staged_objects AS s SET key_hour = v.key_hour
        FROM etl.versions_of(known) AS v WHERE v.object_key = s.object_key;
        UPDATE etl.staged_objects AS s SET object_id = v.object_id
        FROM etl.versions_of(known) AS v WHERE v.object_key = s.object_key AND v.etag = s.etag;
        -- What was read before is not gone when it is deleted; read again with the same end it stays as it is.
        UPDATE etl.object_versions AS o
        SET
            status = s.status, records_read = s.records_read, is_cleaned = false,
            last_modified = greatest(o.last_modified, s.last_modified),
            run_id = CASE WHEN (o.status, o.records_read) = (s.status, s.records_read) THEN o.run_id ELSE run END
        FROM etl.staged_objects AS s
        WHERE
            o.object_id = s.object_id AND o.key_day = etl.day_of_key(s.object_key) AND s.status <> 'gone'
            AND (o.status, o.records_read, o.is_cleaned, o.last_modified)
            IS DISTINCT FROM (s.status, s.records_read, false, greatest(o.last_modified, s.last_modified));
    END IF;
    WITH added AS (
        INSERT INTO etl.object_versions AS o (
            last_modified, key_hour, size_bytes, run_id, key_day, records_read, status, object_key, etag
        )
        SELECT DISTINCT ON (s.object_key, s.etag)
            s.last_modified, s.key_hour, s.size_bytes, run, etl.day_of_key(s.object_key), s.records_read, s.status,
            s.object_key, s.etag
        FROM etl.staged_objects AS s
        WHERE s.object_id IS NULL
        ORDER BY s.object_key, s.etag
        RETURNING o.object_id, o.object_key, o.etag
    )

    UPDATE etl.staged_objects AS s SET object_id = a.object_id
    FROM added AS a WHERE a.object_key = s.object_key AND a.etag = s.etag;
    -- A version of the key that was never read has been replaced by this one.
    DELETE FROM etl.pending_objects AS p USING etl.staged_objects AS s WHERE p.object_key = s.object_key;
    IF cardinality(known) > 0 OR EXISTS (
        SELECT FROM etl.staged_objects AS s GROUP BY s.object_key HAVING count(DISTINCT s.etag) > 1
    ) THEN
        PERFORM etl.settle_versions(ARRAY(SELECT s.object_key FROM etl.staged_objects AS s));
    END IF;
END
$$;
COMMENT ON FUNCTION etl.book_objects(bigint)
IS 'Books the staged objects in the ledger, gives staging their numbers, and takes their keys out of what is pending.';

CREATE FUNCTION etl.note_stored(ids uuid[]) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- An object that is staged twice has the same events twice.
    INSERT INTO etl.staged_stored (event_id, object_no, position)
    SELECT DISTINCT ON (e.event_id) e.event_id, e.object_no, e.position
    FROM unnest(ids) AS n (event_id)
    INNER JOIN etl.event_ids AS i ON i.event_id = n.event_id
    INNER JOIN etl.staged_objects AS o ON o.object_id = i.object_id
    INNER JOIN etl.staged_events AS e
        ON e.object_no = o.object_no AND e.position = i.position AND e.event_id = i.event_id
    ORDER BY e.event_id, o.object_no;
    ANALYZE etl.staged_stored;
END
$$;
COMMENT ON FUNCTION etl.note_stored(uuid[])
IS 'Notes in etl.staged_stored which staged events took the new ids.';

CREATE OR REPLACE FUNCTION etl.book_copies() RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    conflict bigint;
BEGIN
    -- A copy is anything staged that is neither stored now nor the very record that was stored before.
    WITH copy AS (
        SELECT
            e.event_id, o.object_id, e.position,
            (c.event_timestamp, c.event_name, c.client_id, c.session_id)
            IS DISTINCT FROM (e.event_timestamp, e.event_name, e.client_id, e.session_id) AS is_conflict
        FROM etl.staged_events AS e
        INNER JOIN etl.staged_objects AS o ON o.object_no = e.object_no
        INNER JOIN etl.event_ids AS i ON i.event_id = e.event_id
        INNER JOIN public.clickstream_events AS c
            ON c.event_id = i.event_id AND c.event_timestamp = i.event_timestamp
        WHERE (i.object_id, i.position) IS DISTINCT FROM (o.object_id, e.position)
    ),

    booked AS (
        INSERT INTO etl.duplicates (event_id, object_id, position, is_conflict)
        SELECT event_id, object_id, position, is_conflict FROM copy
        ON CONFLICT (event_id, object_id, position) DO NOTHING
    )

    SELECT count(*) FILTER (WHERE is_conflict) INTO conflict FROM copy;
    -- What stays staged is what was stored now.
    DELETE FROM etl.staged_events AS e WHERE NOT EXISTS (
        SELECT FROM etl.staged_stored AS s WHERE s.object_no = e.object_no AND s.position = e.position
    );
    ANALYZE etl.staged_events;
    RETURN conflict;
END
$$;
COMMENT ON FUNCTION etl.book_copies()
IS 'Books the staged copies of events that are stored already, takes them out of staging, and returns how many differ.';

CREATE OR REPLACE FUNCTION etl.apply_chunk(run_id bigint, reload boolean DEFAULT false) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
SET default_statistics_target = 10
AS $$
#variable_conflict use_column
DECLARE
    run bigint := apply_chunk.run_id;
    counted jsonb;
    stored bigint;
    duplicate bigint;
    conflict bigint := 0;
    rejected bigint;
    others bigint := 0;
    expired bigint;
    erased bigint;
    edge timestamptz := etl.retention_edge();
    ids uuid[];
    span record;
BEGIN
    ANALYZE etl.staged_objects;

    -- The ledger first: everything below refers to its numbers.
    PERFORM etl.book_objects(run);
    erased := etl.set_aside_erased();
    DELETE FROM etl.staged_events AS e WHERE e.event_timestamp < edge;
    GET DIAGNOSTICS expired = ROW_COUNT;
    ANALYZE etl.staged_events;

    -- Ids in their own order: random inserts into the primary key cost several times as much. Of copies in
    -- the chunk the first takes the id, and the others find it taken.
    WITH added AS (
        INSERT INTO etl.event_ids (event_id, event_timestamp, object_id, position)
        SELECT e.event_id, e.event_timestamp, o.object_id, e.position
        FROM etl.staged_events AS e
        INNER JOIN etl.staged_objects AS o ON o.object_no = e.object_no
        ORDER BY e.event_id, o.last_modified, o.object_key, e.position
        ON CONFLICT (event_id) DO NOTHING
        RETURNING event_id
    )

    SELECT count(*), array_agg(a.event_id) INTO stored, ids FROM added AS a;
    SELECT count(*) - stored INTO duplicate FROM etl.staged_events;
    IF duplicate > 0 THEN
        PERFORM etl.note_stored(ids);
    END IF;

    FOR span IN
        SELECT DISTINCT date_trunc('month', e.event_timestamp) AS month_at
        FROM etl.staged_events AS e
        WHERE
            duplicate = 0 OR EXISTS (
                SELECT FROM etl.staged_stored AS s WHERE s.object_no = e.object_no AND s.position = e.position
            )
    LOOP
        PERFORM etl.ensure_partitions(span.month_at, span.month_at);
    END LOOP;

    INSERT INTO public.clickstream_events (
        event_id, event_timestamp, event_name, user_id, user_login_state, identity_source, client_id,
        session_id, is_first_visit, context_product_id, context_product_name, context_product_category,
        context_product_brand, context_product_price, context_product_discount_price,
        context_product_url_path
    )
    SELECT
        e.event_id, e.event_timestamp, e.event_name, e.user_id, e.user_login_state, e.identity_source,
        e.client_id, e.session_id, e.is_first_visit, e.context_product_id, e.context_product_name,
        e.context_product_category, e.context_product_brand, e.context_product_price,
        e.context_product_discount_price, e.context_product_url_path
    FROM etl.staged_events AS e
    WHERE
        duplicate = 0 OR EXISTS (
            SELECT FROM etl.staged_stored AS s WHERE s.object_no = e.object_no AND s.position = e.position
        )
    ORDER BY e.event_timestamp;

    IF duplicate > 0 THEN
        conflict := etl.book_copies();
    END IF;

    INSERT INTO etl.quarantine AS q (object_id, position, reason_code, sample, run_id)
    SELECT o.object_id, r.position, r.reason_code, r.sample, run
    FROM etl.staged_rejects AS r INNER JOIN etl.staged_objects AS o ON o.object_no = r.object_no
    ON CONFLICT (object_id, position) DO UPDATE
    SET
        reason_code = excluded.reason_code, resolved_at = NULL,
        -- An erasure emptied it.
        sample = CASE WHEN q.sample = '' THEN '' ELSE excluded.sample END;
    GET DIAGNOSTICS rejected = ROW_COUNT;
    UPDATE etl.quarantine AS q SET resolved_at = clock_timestamp()
    FROM etl.staged_objects AS o
    WHERE
        q.object_id = o.object_id AND q.resolved_at IS NULL AND o.status <> 'gone' AND NOT EXISTS (
            SELECT FROM etl.staged_rejects AS r
            WHERE r.object_no = o.object_no AND r.position IS NOT DISTINCT FROM q.position
        );

    IF (SELECT c.rollups_enabled FROM etl.settings AS c) THEN
        others := etl.apply_facts();
    END IF;

    SELECT
        jsonb_build_object(
            'objects_loaded', count(*) FILTER (WHERE o.status = 'loaded'),
            'objects_quarantined', count(*) FILTER (WHERE o.status = 'quarantined'),
            'events_read', coalesce(sum(o.records_read), 0),
            'events_stored', stored,
            'events_duplicate', duplicate,
            'events_conflict', conflict,
            'events_expired', expired,
            'events_erased', erased,
            'records_quarantined', rejected,
            'values_beyond_limit', others
        )
    INTO counted FROM etl.staged_objects AS o;

    UPDATE etl.runs AS r
    SET
        objects_loaded = r.objects_loaded + (counted ->> 'objects_loaded')::bigint,
        objects_quarantined = r.objects_quarantined + (counted ->> 'objects_quarantined')::bigint,
        events_read = r.events_read + (counted ->> 'events_read')::bigint,
        events_stored = r.events_stored + stored,
        events_duplicate = r.events_duplicate + duplicate,
        events_conflict = r.events_conflict + conflict,
        events_expired = r.events_expired + expired,
        events_erased = r.events_erased + erased,
        records_quarantined = r.records_quarantined + rejected,
        chunks = r.chunks + 1
    WHERE r.run_id = run;
    IF NOT found THEN
        RAISE EXCEPTION 'run % is not booked: call etl.start_run first', run;
    END IF;
    RETURN counted;
END
$$;
COMMENT ON FUNCTION etl.apply_chunk(bigint, boolean)
IS 'Moves staging into ids, events, lineage, quarantine, ledger, facts, sessions and rollups; the caller commits.';

CREATE OR REPLACE FUNCTION etl.record_listing(
    run_id bigint, hours timestamptz[], pending_keys text[], pending_etags text[],
    pending_last_modified timestamptz[], pending_sizes bigint[], pending_hours timestamptz[]
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    known text[] := ARRAY(SELECT DISTINCT v.object_key FROM etl.versions_of(pending_keys) AS v);
BEGIN
    IF cardinality(known) > 0 THEN
        -- A version that was read and comes back: what was pending of its key has been replaced.
        WITH back AS (
            UPDATE etl.object_versions AS o SET last_modified = greatest(o.last_modified, p.last_modified)
            FROM unnest(pending_keys, pending_etags, pending_last_modified) AS p (key, etag, last_modified)
            WHERE
                o.key_day = etl.day_of_key(p.key) AND o.object_key = p.key AND o.etag = p.etag AND o.status <> 'gone'
                AND NOT o.is_cleaned
            RETURNING o.object_key
        )

        DELETE FROM etl.pending_objects AS p USING back AS b WHERE p.object_key = b.object_key;
    END IF;
    INSERT INTO etl.pending_objects AS o (object_key, etag, last_modified, size_bytes, key_hour, run_id)
    SELECT DISTINCT ON (p.key)
        p.key, p.etag, p.last_modified, p.size_bytes, coalesce(v.key_hour, p.hour_at), record_listing.run_id
    FROM unnest(
        pending_keys, pending_etags, pending_last_modified, pending_sizes, pending_hours
    ) AS p (key, etag, last_modified, size_bytes, hour_at)
    LEFT JOIN (
        SELECT k.object_key, min(k.key_hour) AS key_hour, array_agg(k.etag) FILTER (WHERE k.is_read) AS read_etags
        FROM etl.versions_of(known) AS k GROUP BY k.object_key
    ) AS v ON v.object_key = p.key
    WHERE p.etag <> ALL (coalesce(v.read_etags, '{}'))
    ORDER BY p.key, p.last_modified DESC
    ON CONFLICT (object_key) DO UPDATE
    SET
        etag = excluded.etag, last_modified = excluded.last_modified, size_bytes = excluded.size_bytes,
        run_id = excluded.run_id,
        listed_at = CASE WHEN o.etag = excluded.etag THEN o.listed_at ELSE excluded.listed_at END;
    IF cardinality(known) > 0 THEN
        PERFORM etl.settle_versions(known);
    END IF;

    INSERT INTO etl.listed_hours AS l (hour_at, listed_at, run_id)
    SELECT DISTINCT h.hour_at, r.started_at, r.run_id
    FROM unnest(hours) AS h (hour_at)
    CROSS JOIN etl.runs AS r
    WHERE r.run_id = record_listing.run_id
    ON CONFLICT (hour_at) DO UPDATE SET listed_at = excluded.listed_at, run_id = excluded.run_id
    WHERE l.listed_at < excluded.listed_at;
END
$$;
COMMENT ON FUNCTION etl.record_listing(bigint, timestamptz[], text[], text[], timestamptz[], bigint[], timestamptz[])
IS 'Books the hours that a run listed whole, and the objects seen there but not loaded yet, or held but newest again.';

CREATE OR REPLACE FUNCTION etl.unseen_objects(run_id bigint, hours timestamptz[])
RETURNS TABLE (object_key text, etag text, last_modified timestamptz, size_bytes bigint, key_hour timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT o.object_key, o.etag, o.last_modified, o.size_bytes, o.key_hour
    FROM etl.pending_objects AS o
    WHERE o.key_hour IN (SELECT unnest(unseen_objects.hours)) AND o.run_id <> unseen_objects.run_id;
END;
COMMENT ON FUNCTION etl.unseen_objects(bigint, timestamptz[])
IS 'Pending objects that a run did not see although it listed their hours whole: only a read can tell what became of them.';

CREATE OR REPLACE FUNCTION etl.quarantined_objects()
RETURNS TABLE (object_key text, etag text, last_modified timestamptz, size_bytes bigint, key_hour timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT o.object_key, o.etag, o.last_modified, o.size_bytes, o.key_hour
    FROM etl.object_versions AS o
    WHERE o.status = 'quarantined' AND NOT o.is_superseded;
END;
COMMENT ON FUNCTION etl.quarantined_objects() IS 'Objects whose newest version has an open reject.';

CREATE OR REPLACE FUNCTION etl.window_start(at timestamptz DEFAULT now()) RETURNS timestamptz
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
BEGIN ATOMIC
    -- An hour is proven complete when it was listed whole two hours after its end and nothing is pending.
    SELECT coalesce(min(h.hour_at), date_trunc('hour', window_start.at))
    FROM generate_series(
        date_trunc('hour', window_start.at) - interval '48 hours', date_trunc('hour', window_start.at),
        interval '1 hour'
    ) AS h (hour_at)
    WHERE
        NOT EXISTS (
            SELECT FROM etl.listed_hours AS l
            WHERE l.hour_at = h.hour_at AND l.listed_at >= h.hour_at + interval '3 hours'
        )
        OR EXISTS (
            SELECT FROM etl.pending_objects AS o WHERE o.key_hour = h.hour_at
        );
END;
COMMENT ON FUNCTION etl.window_start(timestamptz)
IS 'Start of the default window: the oldest hour not proven complete, at latest 48 hours back.';

CREATE FUNCTION etl.month_partitions(parent regclass) RETURNS TABLE (name text, month_at timestamptz)
LANGUAGE sql STABLE
SET timezone = 'UTC'
BEGIN ATOMIC
    SELECT c.relname::text, to_timestamp(right(c.relname, 7), 'YYYY_MM')
    FROM pg_inherits AS i INNER JOIN pg_class AS c ON c.oid = i.inhrelid
    WHERE i.inhparent = month_partitions.parent;
END;
COMMENT ON FUNCTION etl.month_partitions(regclass) IS 'Partitions of a table by months, and the UTC month of each.';

CREATE FUNCTION etl.expired_partitions(edge timestamptz) RETURNS TABLE (name text, month_at timestamptz)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT m.name, m.month_at FROM etl.month_partitions('public.clickstream_events') AS m
    WHERE m.month_at < expired_partitions.edge
    ORDER BY m.month_at;
END;
COMMENT ON FUNCTION etl.expired_partitions(timestamptz) IS 'Month partitions before an edge: what retention drops.';

CREATE FUNCTION etl.rollup_edge(edge timestamptz, months integer) RETURNS timestamptz
LANGUAGE sql STABLE
RETURN (
    -- What the kept events say is kept as well.
    SELECT least(m.at, date_trunc('month', coalesce(edge, '-infinity'), etl.shop_zone()))
    FROM (SELECT date_trunc('month', now(), etl.shop_zone()) - make_interval(months => months) AS at) AS m
    WHERE m.at IS NOT NULL
);
COMMENT ON FUNCTION etl.rollup_edge(timestamptz, integer)
IS 'Rollups before this instant are dropped, by the edge of events and the months that rollups are kept; NULL: none.';

CREATE FUNCTION etl.drop_expired_rollups() RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    edge timestamptz := (
        SELECT etl.rollup_edge(etl.retention_edge(), s.rollup_retention_months) FROM etl.settings AS s
    );
BEGIN
    IF edge IS NULL OR NOT EXISTS (SELECT FROM etl.name_counts AS n WHERE n.level = 3 AND n.at < edge) THEN
        RETURN;
    END IF;
    DELETE FROM etl.segments AS s WHERE s.at < edge;
    DELETE FROM etl.name_counts AS n WHERE n.at < edge;
    DELETE FROM etl.item_days AS i WHERE i.at < edge;
    DELETE FROM etl.session_facts AS s WHERE s.started_at < edge AND s.is_frozen;
END
$$;
COMMENT ON FUNCTION etl.drop_expired_rollups()
IS 'Removes rollups of the months before the edge of their own setting, never of events that are kept; first-seen stays.';

CREATE FUNCTION etl.expired_ledger(edge timestamptz) RETURNS TABLE (name text, month_at timestamptz)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
DECLARE
    is_needed boolean;
BEGIN
    -- Two months more than the events: a key that the daily listing of weeks shows has to be known.
    FOR name, month_at IN
        SELECT p.name, p.month_at FROM etl.month_partitions('etl.object_versions') AS p
        WHERE p.month_at + interval '3 months' <= edge
        ORDER BY p.month_at
    LOOP
        -- No event is later than its object by more than five minutes: an object written since may hold kept ones.
        EXECUTE format(
            'SELECT EXISTS (SELECT FROM etl.%I AS o WHERE o.last_modified >= $1 - interval ''5 minutes'') '
            'OR EXISTS (SELECT FROM etl.%I AS o INNER JOIN etl.erased_copies AS c ON c.object_id = o.object_id)',
            name, name
        ) INTO is_needed USING edge;
        CONTINUE WHEN is_needed;
        RETURN NEXT;
    END LOOP;
END
$$;
COMMENT ON FUNCTION etl.expired_ledger(timestamptz)
IS 'Months of the ledger whose objects hold nothing that is kept before an edge, nor anything erased that has to be cleaned.';

CREATE FUNCTION etl.drop_expired_ledger(edge timestamptz) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    part text;
BEGIN
    -- Samples are raw data as well: a reject is kept as long as an event of its object would be.
    DELETE FROM etl.quarantine AS q USING etl.object_versions AS o
    WHERE o.object_id = q.object_id AND o.last_modified < edge;
    UPDATE etl.object_versions AS o SET status = 'loaded' WHERE o.status = 'quarantined' AND o.last_modified < edge;
    FOR part IN SELECT l.name FROM etl.expired_ledger(edge) AS l LOOP
        EXECUTE format('DROP TABLE etl.%I', part);
    END LOOP;
END
$$;
COMMENT ON FUNCTION etl.drop_expired_ledger(timestamptz)
IS 'Drops rejects of objects that were written before the retention edge, and the ledger''s months long before it; counts of keys stay.';

CREATE OR REPLACE FUNCTION etl.drop_expired() RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
DECLARE
    edge timestamptz := etl.retention_edge();
    part text;
    dropped integer := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('etl_loader'));
    FOR part IN SELECT p.name FROM etl.expired_partitions(edge) AS p LOOP
        EXECUTE format('DROP TABLE public.%I', part);
        dropped := dropped + 1;
    END LOOP;
    IF dropped > 0 THEN
        UPDATE etl.session_facts AS s SET is_frozen = true WHERE s.started_at < edge AND NOT s.is_frozen;
        DELETE FROM etl.event_facts AS f WHERE f.event_at < edge;
        DELETE FROM etl.duplicates AS d USING etl.event_ids AS i
        WHERE i.event_id = d.event_id AND i.event_timestamp < edge;
        DELETE FROM etl.event_ids AS i WHERE i.event_timestamp < edge;
    END IF;
    IF edge IS NOT NULL THEN
        PERFORM etl.drop_expired_ledger(edge);
    END IF;
    PERFORM etl.drop_expired_rollups();
    RETURN dropped;
END
$$;
COMMENT ON FUNCTION etl.drop_expired()
IS 'Drops the month partitions before the retention edge with their ids, freezes the sessions they belong to, and returns how many; rejects and ledger follow.';

CREATE FUNCTION etl.retention_plan(months integer, rollup_months integer DEFAULT NULL)
RETURNS TABLE (what text, name text, from_at timestamptz, to_at timestamptz, row_count bigint, bytes bigint)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
DECLARE
    edge timestamptz := date_trunc('month', now()) - make_interval(months => months);
    rollups timestamptz := etl.rollup_edge(edge, rollup_months);
    kept_in text;
    counted record;
BEGIN
    IF least(months, rollup_months) < 1 THEN
        RAISE EXCEPTION 'events and rollups are kept for a month at least' USING HINT = 'NULL keeps all of them.';
    END IF;
    FOR what, kept_in, name, from_at, to_at IN
        SELECT 'events', 'public', p.name, p.month_at, p.month_at + interval '1 month' FROM etl.expired_partitions(edge) AS p
        UNION ALL
        SELECT 'ledger', 'etl', l.name, l.month_at, l.month_at + interval '1 month' FROM etl.expired_ledger(edge) AS l
    LOOP
        EXECUTE format('SELECT count(*), pg_total_relation_size(%L) FROM %I.%I', kept_in || '.' || name, kept_in, name)
        INTO row_count, bytes;
        RETURN NEXT;
    END LOOP;
    FOR counted IN
        SELECT 'frozen' AS what, 'session_facts' AS name, min(s.started_at) AS since, edge AS until, count(*) AS row_count
        FROM etl.session_facts AS s WHERE s.started_at < edge AND NOT s.is_frozen
        UNION ALL
        SELECT 'rejects', 'quarantine', min(o.last_modified), edge, count(*)
        FROM etl.quarantine AS q INNER JOIN etl.object_versions AS o ON o.object_id = q.object_id
        WHERE o.last_modified < edge
        UNION ALL
        SELECT 'rollups', 'session_facts', min(s.started_at), rollups, count(*)
        FROM etl.session_facts AS s WHERE s.started_at < edge AND s.started_at < rollups
        UNION ALL
        SELECT 'rollups', 'segments', min(s.at), rollups, count(*) FROM etl.segments AS s WHERE s.at < rollups
        UNION ALL
        SELECT 'rollups', 'name_counts', min(n.at), rollups, count(*) FROM etl.name_counts AS n WHERE n.at < rollups
        UNION ALL
        SELECT 'rollups', 'item_days', min(i.at), rollups, count(*) FROM etl.item_days AS i WHERE i.at < rollups
    LOOP
        CONTINUE WHEN counted.row_count = 0;
        what := counted.what;
        name := counted.name;
        from_at := counted.since;
        to_at := counted.until;
        row_count := counted.row_count;
        bytes := NULL;
        RETURN NEXT;
    END LOOP;
END
$$;
COMMENT ON FUNCTION etl.retention_plan(integer, integer)
IS 'What a retention of so many months would drop now of events and ledger, by month, of rejects, what of sessions it would freeze, and what of rollups the second would drop. Changes nothing.';

CREATE FUNCTION etl.set_retention(months integer, rollup_months integer DEFAULT NULL, dry_run boolean DEFAULT true)
RETURNS TABLE (what text, name text, from_at timestamptz, to_at timestamptz, row_count bigint, bytes bigint)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY SELECT * FROM etl.retention_plan(months, rollup_months);
    IF NOT dry_run THEN
        UPDATE etl.settings SET retention_months = months, rollup_retention_months = rollup_months;
    END IF;
END
$$;
COMMENT ON FUNCTION etl.set_retention(integer, integer, boolean)
IS 'Shows what a retention would drop now; sets it if told that this is no dry run, and the next daily run drops.';

CREATE OR REPLACE FUNCTION etl.last_full_listing() RETURNS timestamptz
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT max(r.started_at) FROM etl.runs AS r
    WHERE r.result = 'loaded' AND (r.request ->> 'full_listing')::boolean;
END;
COMMENT ON FUNCTION etl.last_full_listing() IS 'When a run last listed the last weeks whole.';

DROP FUNCTION etl.hour_of_key(text, timestamptz);

GRANT EXECUTE ON FUNCTION
etl.start_run(jsonb),
etl.finish_run(bigint, text, jsonb, jsonb, text),
etl.unknown_objects(text[], text[]),
etl.begin_chunk(),
etl.apply_chunk(bigint, boolean),
etl.record_listing(bigint, timestamptz[], text[], text[], timestamptz[], bigint[], timestamptz[]),
etl.unseen_objects(bigint, timestamptz[]),
etl.quarantined_objects(),
etl.window_start(timestamptz),
etl.drop_expired(),
etl.last_full_listing()
TO etl_loader;

-- What is stored already: the sessions that retention froze as they are, all others from their events.
INSERT INTO etl.session_facts (
    session_no, session_id, visitor_no, started_at, ended_at, client_first_at, view_at, add_at, start_at,
    complete_at, events, views, cart_value_missing, login_no, is_engaged, has_add, is_completed, is_abandoned,
    has_product_view, has_checkout_start, is_frozen, cart_value, categories
)
SELECT
    nextval('etl.session_numbers'), s.session_id, v.visitor_no, s.started_at, s.ended_at, s.started_at AS client_first_at, s.view_at,
    s.add_at, s.start_at, s.complete_at, s.events, s.views, s.cart_value_missing, t.term_no, s.is_engaged,
    s.has_add, s.is_completed, s.is_abandoned, s.has_product_view, s.has_checkout_start, true, s.cart_value, '{}'
FROM etl.sessions AS s
INNER JOIN etl.terms AS t ON t.field = 'login_state' AND t.key = s.login_state
LEFT JOIN etl.visitors AS v ON v.client_id = s.client_id
WHERE s.is_frozen;
SELECT etl.rebuild('-infinity', 'infinity');

COMMIT;
