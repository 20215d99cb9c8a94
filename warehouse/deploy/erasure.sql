-- Deploy clickstream_dw:erasure to pg
BEGIN;

SET LOCAL client_min_messages = warning;
SET LOCAL ROLE dwh_owner;

CREATE FUNCTION etl.forget_visitors(numbers integer[]) RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    -- Days before the retention edge are not counted anew: there only the visitor's bit goes.
    UPDATE etl.segments AS s SET visitors = public.rb_andnot(s.visitors, public.rb_build(forget_visitors.numbers))
    WHERE public.rb_intersect(s.visitors, public.rb_build(forget_visitors.numbers));
    UPDATE etl.first_seen AS f SET visitors = public.rb_andnot(f.visitors, public.rb_build(forget_visitors.numbers))
    WHERE public.rb_intersect(f.visitors, public.rb_build(forget_visitors.numbers));
END;
COMMENT ON FUNCTION etl.forget_visitors(integer[]) IS 'Takes erased visitors out of every bitmap.';

CREATE FUNCTION etl.stage_labels(
    begins_at timestamptz, ends_at timestamptz, names smallint[], categories smallint[], brands smallint[],
    logins smallint[], products integer[]
) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM etl.begin_deriving();
    TRUNCATE etl.staged_events;
    INSERT INTO etl.staged_events
    SELECT 0, 0, e.*
    FROM etl.event_facts AS f
    INNER JOIN public.clickstream_events AS e
        ON
            e.event_id = f.event_id AND e.event_timestamp = f.event_at
            AND e.event_timestamp >= begins_at AND e.event_timestamp < ends_at
    WHERE
        f.event_at >= begins_at AND f.event_at < ends_at
        AND (
            f.name_no = ANY (names) OR f.category_no = ANY (categories) OR f.brand_no = ANY (brands)
            OR f.login_no = ANY (logins) OR f.product_no = ANY (products)
        );
    ANALYZE etl.staged_events;
    PERFORM etl.number_terms(), etl.number_products();
END
$$;
COMMENT ON FUNCTION etl.stage_labels(timestamptz, timestamptz, smallint[], smallint[], smallint[], smallint[], integer[])
IS 'Reads the events in a span that have one of some values or products as if they came now: they give their labels.';

CREATE FUNCTION etl.relabel(ids uuid[]) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    from_at timestamptz := (SELECT min(p.month_at) FROM etl.expired_partitions('infinity') AS p);
    to_at timestamptz;
    terms text[];
    nameless integer[];
    unsorted integer[];
    unbranded integer[];
    unpriced integer[];
    lost integer[];
    part record;
BEGIN
    -- Nothing that is left is newer than what the lost labels were of.
    WITH stripped AS (
        UPDATE etl.terms AS t SET label = NULL, labelled_at = NULL, labelled_by = NULL
        FROM (SELECT o.field, o.term_no, o.labelled_at FROM etl.terms AS o WHERE o.labelled_by = ANY (ids) AND o.key <> 'not set') AS w
        WHERE t.field = w.field AND t.term_no = w.term_no
        RETURNING w.labelled_at AS at, t.field || ' ' || t.term_no AS term
    ),

    stripped_products AS (
        UPDATE etl.product_labels AS l
        SET
            name = CASE WHEN (l.name).labelled_by = ANY (ids) THEN NULL ELSE l.name END,
            category = CASE WHEN (l.category).labelled_by = ANY (ids) THEN NULL ELSE l.category END,
            brand = CASE WHEN (l.brand).labelled_by = ANY (ids) THEN NULL ELSE l.brand END,
            price = CASE WHEN (l.price).labelled_by = ANY (ids) THEN NULL ELSE l.price END
        FROM (
            SELECT
                o.product_no, (o.name).labelled_by = ANY (ids) AS nameless, (o.category).labelled_by = ANY (ids) AS unsorted,
                (o.brand).labelled_by = ANY (ids) AS unbranded, (o.price).labelled_by = ANY (ids) AS unpriced,
                greatest(
                    (o.name).labelled_at, (o.category).labelled_at, (o.brand).labelled_at, (o.price).labelled_at
                ) AS at
            FROM etl.product_labels AS o
        ) AS w
        WHERE l.product_no = w.product_no AND (w.nameless OR w.unsorted OR w.unbranded OR w.unpriced)
        RETURNING w.*
    )

    SELECT
        greatest((SELECT max(s.at) FROM stripped AS s), max(p.at)) + interval '1 microsecond',
        ARRAY(SELECT s.term FROM stripped AS s),
        coalesce(array_agg(p.product_no), '{}'),
        array_agg(p.product_no) FILTER (WHERE p.nameless), array_agg(p.product_no) FILTER (WHERE p.unsorted),
        array_agg(p.product_no) FILTER (WHERE p.unbranded), array_agg(p.product_no) FILTER (WHERE p.unpriced)
    INTO to_at, terms, lost, nameless, unsorted, unbranded, unpriced
    FROM stripped_products AS p;

    FOR part IN SELECT w.begins_at, w.ends_at FROM etl.windows_back(from_at, to_at, '2 hours') AS w LOOP
        PERFORM etl.stage_labels(
            part.begins_at, part.ends_at,
            array_agg(t.term_no) FILTER (WHERE t.field = 'event_name'), array_agg(t.term_no) FILTER (WHERE t.field = 'category'),
            array_agg(t.term_no) FILTER (WHERE t.field = 'brand'), array_agg(t.term_no) FILTER (WHERE t.field = 'login_state'),
            lost
        )
        FROM etl.terms AS t WHERE t.label IS NULL AND t.field || ' ' || t.term_no = ANY (terms);
        lost := ARRAY(
            SELECT l.product_no FROM etl.product_labels AS l
            WHERE
                l.name IS NULL AND l.product_no = ANY (nameless) OR l.category IS NULL AND l.product_no = ANY (unsorted)
                OR l.brand IS NULL AND l.product_no = ANY (unbranded) OR l.price IS NULL AND l.product_no = ANY (unpriced)
        );
        EXIT WHEN lost = '{}' AND NOT EXISTS (
            SELECT FROM etl.terms AS t WHERE t.label IS NULL AND t.field || ' ' || t.term_no = ANY (terms)
        );
    END LOOP;
    DELETE FROM etl.product_labels AS l
    WHERE l.name IS NULL AND l.category IS NULL AND l.brand IS NULL AND l.price IS NULL;
    TRUNCATE etl.staged_events;
    PERFORM etl.begin_deriving();
END
$$;
COMMENT ON FUNCTION etl.relabel(uuid[])
IS 'Gives what was labelled by erased events the label of the newest event that is left.';

CREATE TABLE etl.erasures (
    receipt_id uuid NOT NULL,
    erased_at timestamptz NOT NULL,
    receipt jsonb NOT NULL,
    stored_at timestamptz,
    CONSTRAINT erasures_pkey PRIMARY KEY (receipt_id)
);
COMMENT ON TABLE etl.erasures IS 'Receipts of erasures; none says who was erased.';
COMMENT ON COLUMN etl.erasures.receipt_id IS 'Number of the receipt.';
COMMENT ON COLUMN etl.erasures.erased_at IS 'When it was carried out.';
COMMENT ON COLUMN etl.erasures.receipt IS 'Hashes, counts, ids of the events, rejects and objects.';
COMMENT ON COLUMN etl.erasures.stored_at IS 'When it was put where a restore finds it; NULL: not yet.';

CREATE FUNCTION etl.erasure_key_id() RETURNS text
LANGUAGE sql STABLE
RETURN encode(substr(etl.keyed_hash('key', ''), 1, 8), 'hex');
COMMENT ON FUNCTION etl.erasure_key_id() IS 'Tells keys apart and nothing of them: hashes of one key mean nothing under another.';

CREATE FUNCTION etl.is_named_in(id text, sample bytea) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    -- As such, as JSON has to escape it, and as JSON of ASCII alone does.
    quoted text := substr(to_json(id)::text, 2, length(to_json(id)::text) - 2);
    ascii_only text := (
        SELECT string_agg(CASE WHEN ascii(c.c) < 128 THEN c.c ELSE '\u' || lpad(to_hex(ascii(c.c)), 4, '0') END, '' ORDER BY c.n)
        FROM regexp_split_to_table(quoted, '') WITH ORDINALITY AS c (c, n)
    );
    spelling bytea;
    ends_at integer;
    found_at integer;
    word constant bytea := '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz-';
BEGIN
    IF coalesce(id, '') = '' THEN
        RETURN false;
    END IF;
    FOREACH spelling IN ARRAY ARRAY[convert_to(id, 'UTF8'), convert_to(quoted, 'UTF8'), convert_to(ascii_only, 'UTF8')] LOOP
        ends_at := 0;
        LOOP
            found_at := position(spelling IN substr(sample, ends_at + 1));
            EXIT WHEN found_at = 0;
            found_at := ends_at + found_at;
            ends_at := found_at + length(spelling) - 1;
            -- Not a part of a longer id.
            IF
                position(substr(sample, found_at - 1, (found_at > 1)::integer) IN word) <= (found_at = 1)::integer
                AND position(substr(sample, ends_at + 1, 1) IN word) <= (ends_at >= length(sample))::integer
            THEN
                RETURN true;
            END IF;
        END LOOP;
    END LOOP;
    RETURN false;
END
$$;
COMMENT ON FUNCTION etl.is_named_in(text, bytea) IS 'Whether a sample holds an id by itself, not as a part of a longer one.';

CREATE FUNCTION etl.note_copies(ids uuid[], rejects bigint[]) RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    INSERT INTO etl.erased_copies (object_id, event_id, sample_hash)
    SELECT i.object_id, i.event_id, NULL::bytea FROM etl.event_ids AS i WHERE i.event_id IN (SELECT unnest(note_copies.ids))
    UNION
    SELECT d.object_id, d.event_id, NULL FROM etl.duplicates AS d WHERE d.event_id IN (SELECT unnest(note_copies.ids))
    UNION
    SELECT q.object_id, NULL, sha256(q.sample) FROM etl.quarantine AS q WHERE q.quarantine_id IN (SELECT unnest(note_copies.rejects))
    ON CONFLICT (object_id, event_id, sample_hash) DO NOTHING;
END;
COMMENT ON FUNCTION etl.note_copies(uuid[], bigint[]) IS 'Notes which objects hold events and rejects that are about to be erased.';

CREATE FUNCTION etl.remove_events(ids uuid[], rejects bigint[]) RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    events bigint;
    copies bigint;
    samples bigint;
    from_at timestamptz;
    to_at timestamptz;
BEGIN
    SELECT min(i.event_timestamp), max(i.event_timestamp) INTO from_at, to_at
    FROM etl.event_ids AS i WHERE i.event_id = ANY (ids);
    INSERT INTO etl.erased_events (event_id) SELECT DISTINCT unnest(ids) ON CONFLICT (event_id) DO NOTHING;
    -- The span leaves out partitions and blocks; neither table is indexed by event.
    DELETE FROM public.clickstream_events AS e USING unnest(ids) AS i (event_id)
    WHERE e.event_id = i.event_id AND e.event_timestamp BETWEEN from_at AND to_at;
    GET DIAGNOSTICS events = ROW_COUNT;
    DELETE FROM etl.event_facts AS f USING unnest(ids) AS i (event_id)
    WHERE f.event_id = i.event_id AND f.event_at BETWEEN from_at AND to_at;
    DELETE FROM etl.duplicates AS d WHERE d.event_id = ANY (ids);
    GET DIAGNOSTICS copies = ROW_COUNT;
    DELETE FROM etl.event_ids AS i WHERE i.event_id = ANY (ids);
    UPDATE etl.quarantine AS q SET sample = '' WHERE q.quarantine_id = ANY (rejects);
    GET DIAGNOSTICS samples = ROW_COUNT;
    RETURN jsonb_build_object('events', events, 'copies', copies, 'quarantine_samples', samples);
END
$$;
COMMENT ON FUNCTION etl.remove_events(uuid[], bigint[])
IS 'Removes events with their lineage and empties samples of the quarantine; returns how many of each.';

CREATE FUNCTION etl.remove_visitors(numbers integer[], clients text[], ids uuid[], OUT gone integer[], OUT days date[])
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    zone text := etl.shop_zone();
BEGIN
    -- First-seen is raised only where the event that it is of was erased, never for one that retention dropped.
    WITH seen AS (
        SELECT DISTINCT ON (v.visitor_no)
            v.visitor_no, v.first_seen_at AS first_at, e.event_timestamp AS at, e.event_id,
            coalesce(v.first_event_id = ANY (ids), false) OR v.client_id = ANY (clients) AS is_changed,
            EXISTS (SELECT FROM etl.session_facts AS s WHERE s.visitor_no = v.visitor_no AND s.is_frozen) AS is_frozen
        FROM etl.visitors AS v LEFT JOIN public.clickstream_events AS e ON e.client_id = v.client_id
        WHERE v.visitor_no = ANY (numbers) OR v.client_id = ANY (clients)
        ORDER BY v.visitor_no, e.event_timestamp, e.event_id
    ),

    lost AS (
        DELETE FROM etl.visitors AS v USING seen AS s
        WHERE v.visitor_no = s.visitor_no AND s.at IS NULL AND NOT s.is_frozen
        RETURNING v.visitor_no
    ),

    kept AS (
        UPDATE etl.visitors AS v SET first_seen_at = s.at, first_event_id = s.event_id FROM seen AS s
        WHERE v.visitor_no = s.visitor_no AND s.at IS NOT NULL AND s.is_changed
    )

    SELECT
        coalesce((SELECT array_agg(l.visitor_no) FROM lost AS l), '{}'),
        coalesce(array_agg(DISTINCT (d.at AT TIME ZONE zone)::date), '{}')
    INTO gone, days
    FROM seen AS s CROSS JOIN LATERAL unnest(ARRAY[s.first_at, s.at]) AS d (at)
    WHERE s.is_changed AND d.at IS NOT NULL;
END
$$;
COMMENT ON FUNCTION etl.remove_visitors(integer[], text[], uuid[])
IS 'After events are gone: removes visitors left without any, sets first-seen of the others, and returns who is gone and which days change.';

CREATE FUNCTION etl.erase_events(ids uuid[], clients text[], rejects bigint[]) RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    zone text := etl.shop_zone();
    days date[];
    numbers integer[];
    counts jsonb;
    removed bigint;
    recounted bigint;
    frozen bigint;
    gone integer[];
    changed date[];
BEGIN
    PERFORM etl.note_copies(ids, rejects);
    PERFORM etl.begin_deriving();
    INSERT INTO etl.staged_facts
    SELECT f.*
    FROM (
        SELECT min(i.event_timestamp) AS from_at, max(i.event_timestamp) AS to_at
        FROM etl.event_ids AS i WHERE i.event_id = ANY (ids)
    ) AS span
    INNER JOIN etl.event_facts AS f ON f.event_at BETWEEN span.from_at AND span.to_at
    INNER JOIN unnest(ids) AS i (event_id) ON i.event_id = f.event_id;
    SELECT
        coalesce(array_agg(DISTINCT (f.event_at AT TIME ZONE zone)::date), '{}'),
        coalesce(array_agg(DISTINCT f.visitor_no) FILTER (WHERE f.visitor_no IS NOT NULL), '{}')
    INTO days, numbers
    FROM etl.staged_facts AS f;
    INSERT INTO etl.touched_sessions (session_no, is_new)
    SELECT DISTINCT f.session_no, false
    FROM etl.staged_facts AS f INNER JOIN etl.session_facts AS s ON s.session_no = f.session_no
    WHERE NOT s.is_frozen;
    INSERT INTO etl.staged_loose (visitor_no, from_at, to_at)
    SELECT f.visitor_no, min(f.event_at), max(f.event_at)
    FROM etl.staged_facts AS f
    WHERE NOT f.has_session_id AND f.visitor_no IS NOT NULL
    GROUP BY f.visitor_no;
    TRUNCATE etl.staged_facts;
    PERFORM etl.touch_loose();

    counts := etl.remove_events(ids, rejects);
    PERFORM etl.split_loose();
    PERFORM etl.recount_sessions();
    SELECT count(s.session_no), count(*) - count(s.session_no) INTO recounted, removed
    FROM etl.former_sessions AS t LEFT JOIN etl.session_facts AS s ON s.session_no = t.session_no;
    -- Frozen sessions outlive their events: the visitor may be known by them alone.
    DELETE FROM etl.session_facts AS s USING etl.visitors AS v, etl.tombstones AS t
    WHERE
        v.client_id = ANY (clients) AND s.visitor_no = v.visitor_no AND s.is_frozen
        AND t.field = 'client_id' AND t.hash = etl.keyed_hash('client_id', v.client_id) AND s.started_at <= t.erased_at;
    GET DIAGNOSTICS frozen = ROW_COUNT;

    SELECT r.gone, r.days INTO gone, changed FROM etl.remove_visitors(numbers, clients, ids) AS r;
    PERFORM etl.recount_days(days || changed || etl.touched_days());
    PERFORM etl.forget_visitors(gone);
    PERFORM etl.relabel(ids);
    RETURN counts || jsonb_build_object(
        'sessions_removed', removed + frozen, 'sessions_recounted', recounted, 'visitors', cardinality(gone)
    );
END
$$;
COMMENT ON FUNCTION etl.erase_events(uuid[], text[], bigint[])
IS 'Erases events, and clients as a whole, from everything that was made of them; returns the counts of a receipt.';

CREATE FUNCTION etl.erase(client_id text DEFAULT NULL, user_id text DEFAULT NULL, with_clients boolean DEFAULT false)
RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    -- Compared as sent; only a blank one is none.
    client text := CASE WHEN btrim(erase.client_id) <> '' THEN erase.client_id END;
    account text := CASE WHEN btrim(erase.user_id) <> '' THEN erase.user_id END;
    clients text[];
    ids uuid[];
    rejects bigint[];
    counts jsonb;
    made etl.erasures;
BEGIN
    IF (client IS NULL) = (account IS NULL) THEN
        RAISE EXCEPTION 'whom to erase is not clear' USING HINT = 'Give either client_id or user_id.';
    END IF;
    IF with_clients AND account IS NULL THEN
        RAISE EXCEPTION 'with_clients goes with a user_id' USING HINT = 'A client_id is erased as a whole anyway.';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('etl_loader'));

    clients := array_remove(ARRAY[client], NULL) || ARRAY(
        SELECT DISTINCT e.client_id FROM public.clickstream_events AS e
        WHERE with_clients AND e.user_id = account AND e.client_id IS NOT NULL
    );
    ids := ARRAY(
        SELECT e.event_id FROM public.clickstream_events AS e
        WHERE e.client_id = ANY (clients) OR e.user_id = account
    );
    rejects := ARRAY(
        SELECT q.quarantine_id FROM etl.quarantine AS q
        WHERE EXISTS (
            SELECT FROM unnest(clients || account) AS i (id)
            WHERE etl.is_named_in(i.id, q.sample)
        )
    );

    made.receipt_id := gen_random_uuid();
    made.erased_at := clock_timestamp();
    INSERT INTO etl.tombstones AS o (field, hash, erased_at)
    SELECT t.field, etl.keyed_hash(t.field, t.id), made.erased_at
    FROM (
        SELECT 'client_id' AS field, unnest(clients) AS id
        UNION ALL
        SELECT 'user_id', account WHERE account IS NOT NULL
    ) AS t
    ON CONFLICT (field, hash) DO UPDATE SET erased_at = excluded.erased_at;
    made.receipt := jsonb_build_object(
        'version', 1,
        'receipt_id', made.receipt_id,
        'erased_at', made.erased_at,
        'key_id', etl.erasure_key_id(),
        'tombstones', (
            SELECT jsonb_agg(
                jsonb_build_object('field', t.field, 'hash', encode(t.hash, 'hex')) ORDER BY t.field, t.hash
            )
            FROM etl.tombstones AS t WHERE t.erased_at = made.erased_at
        ),
        'event_ids', to_jsonb(ids),
        'rejects', (
            SELECT coalesce(jsonb_agg(
                jsonb_build_object('key', o.object_key, 'etag', o.etag, 'position', q.position) ORDER BY q.quarantine_id
            ), '[]')
            FROM etl.quarantine AS q INNER JOIN etl.object_versions AS o ON o.object_id = q.object_id
            WHERE q.quarantine_id = ANY (rejects)
        )
    );
    counts := etl.erase_events(ids, clients, rejects);
    made.receipt := made.receipt || jsonb_build_object(
        'counts', counts,
        'objects', (
            SELECT coalesce(jsonb_agg(jsonb_build_object('key', o.object_key, 'etag', o.etag) ORDER BY o.object_id), '[]')
            FROM etl.object_versions AS o
            WHERE o.object_id IN (
                SELECT c.object_id FROM etl.erased_copies AS c WHERE c.event_id = ANY (ids)
                UNION
                SELECT q.object_id FROM etl.quarantine AS q WHERE q.quarantine_id = ANY (rejects)
            )
        )
    );
    INSERT INTO etl.erasures (receipt_id, erased_at, receipt) VALUES (made.receipt_id, made.erased_at, made.receipt);
    -- The pages' marker counts chunks: they ask again.
    INSERT INTO etl.runs (request, result, ended_at, chunks)
    VALUES ('{"erase": true}', 'loaded', clock_timestamp(), 1);
    RETURN made.receipt;
END
$$;
COMMENT ON FUNCTION etl.erase(text, text, boolean)
IS 'Erases a visitor (client_id) or the events of an account (user_id), with_clients its visitors as well, for good; returns the receipt, which names the raw objects to clean.';

CREATE FUNCTION etl.replay_erasures(receipts jsonb[]) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    foreign_keys bigint;
    unread text;
    clients text[];
    ids uuid[];
    rejects bigint[];
    counts jsonb;
BEGIN
    SELECT r.value ->> 'receipt_id' INTO unread
    FROM unnest(receipts) AS r (value)
    WHERE (r.value -> 'version') IS DISTINCT FROM '1' LIMIT 1;
    IF found THEN
        RAISE EXCEPTION 'receipt % is not one of version 1', coalesce(unread, '(without a number)')
            USING HINT = 'Nothing was replayed. Take it with the release that wrote it, or a newer one.';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('etl_loader'));

    SELECT count(*) INTO foreign_keys
    FROM unnest(receipts) AS r (value) WHERE r.value ->> 'key_id' <> etl.erasure_key_id();
    IF foreign_keys > 0 THEN
        RAISE WARNING '% receipts are hashed with the key of another warehouse', foreign_keys
            USING HINT = 'Their events are erased by number and stay out; events of the same people that none of the receipts lists do not.';
    END IF;
    INSERT INTO etl.tombstones AS o (field, hash, erased_at)
    SELECT t.value ->> 'field', decode(t.value ->> 'hash', 'hex'), max((r.value ->> 'erased_at')::timestamptz)
    FROM
        unnest(receipts) AS r (value)
        CROSS JOIN LATERAL jsonb_array_elements(r.value -> 'tombstones') AS t (value)
    WHERE r.value ->> 'key_id' = etl.erasure_key_id()
    GROUP BY 1, 2
    ON CONFLICT (field, hash) DO UPDATE SET erased_at = greatest(o.erased_at, excluded.erased_at);

    clients := ARRAY(
        SELECT v.client_id FROM etl.visitors AS v
        INNER JOIN etl.tombstones AS t ON t.field = 'client_id' AND t.hash = etl.keyed_hash('client_id', v.client_id)
    );
    ids := ARRAY(
        SELECT i.value::uuid
        FROM
            unnest(receipts) AS r (value)
            CROSS JOIN LATERAL jsonb_array_elements_text(r.value -> 'event_ids') AS i (value)
        UNION
        SELECT e.event_id
        FROM public.clickstream_events AS e
        INNER JOIN etl.tombstones AS t ON t.hash = etl.keyed_hash('client_id', e.client_id)
        WHERE t.field = 'client_id' AND e.client_id = ANY (clients) AND e.event_timestamp <= t.erased_at
        UNION
        SELECT e.event_id
        FROM (SELECT DISTINCT d.user_id FROM public.clickstream_events AS d) AS u
        INNER JOIN etl.tombstones AS t ON t.field = 'user_id' AND t.hash = etl.keyed_hash('user_id', u.user_id)
        INNER JOIN public.clickstream_events AS e ON e.user_id = u.user_id AND e.event_timestamp <= t.erased_at
    );
    rejects := ARRAY(
        SELECT q.quarantine_id
        FROM
            unnest(receipts) AS r (value)
            CROSS JOIN LATERAL jsonb_array_elements(r.value -> 'rejects') AS j (value)
            INNER JOIN etl.object_versions AS o
                ON
                    o.key_day = etl.day_of_key(j.value ->> 'key') AND o.object_key = j.value ->> 'key'
                    AND o.etag = j.value ->> 'etag'
            INNER JOIN etl.quarantine AS q
                ON q.object_id = o.object_id AND q.position IS NOT DISTINCT FROM (j.value ->> 'position')::integer
        WHERE q.sample <> ''
    );
    counts := etl.erase_events(ids, clients, rejects);
    INSERT INTO etl.erasures (receipt_id, erased_at, receipt, stored_at)
    SELECT (r.value ->> 'receipt_id')::uuid, (r.value ->> 'erased_at')::timestamptz, r.value, clock_timestamp()
    FROM unnest(receipts) AS r (value)
    ON CONFLICT (receipt_id) DO NOTHING;
    INSERT INTO etl.runs (request, result, ended_at, chunks)
    VALUES ('{"replay_erasures": true}', 'loaded', clock_timestamp(), 1);
    RETURN jsonb_build_object('receipts', cardinality(receipts), 'counts', counts);
END
$$;
COMMENT ON FUNCTION etl.replay_erasures(jsonb[])
IS 'Erases again what receipts say, as after a restore; returns the number of receipts and the counts of what was there.';

CREATE FUNCTION etl.list_uncleaned()
RETURNS TABLE (object_ids bigint[], object_key text, event_ids uuid[], sample_hashes text[])
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- What is noted from now on is not in the list.
    UPDATE etl.erased_copies AS c SET is_listed = true WHERE NOT c.is_listed;
    RETURN QUERY
    SELECT
        array_agg(DISTINCT o.object_id), o.object_key,
        coalesce(array_agg(DISTINCT c.event_id) FILTER (WHERE c.event_id IS NOT NULL), '{}'),
        coalesce(array_agg(DISTINCT encode(c.sample_hash, 'hex')) FILTER (WHERE c.sample_hash IS NOT NULL), '{}')
    FROM etl.erased_copies AS c INNER JOIN etl.object_versions AS o ON o.object_id = c.object_id
    GROUP BY o.object_key
    ORDER BY min(o.object_id);
END
$$;
COMMENT ON FUNCTION etl.list_uncleaned()
IS 'Keys of raw objects that hold something erased: which events, and the SHA-256 of samples of records in quarantine.';

CREATE FUNCTION etl.note_cleaned(ids bigint[], gone bigint[] DEFAULT '{}') RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- The loader changes statuses as well.
    PERFORM pg_advisory_xact_lock(hashtext('etl_loader'));
    DELETE FROM etl.erased_copies AS c WHERE c.object_id = ANY (ids) AND c.is_listed;
    -- A reject whose record is no more is none; only those of others stay.
    UPDATE etl.quarantine AS q SET resolved_at = clock_timestamp()
    WHERE q.object_id = ANY (ids) AND q.resolved_at IS NULL AND (q.sample = '' OR q.object_id = ANY (gone));
    -- Should the very bytes come back under the key, they are read again.
    UPDATE etl.object_versions AS o SET is_cleaned = true WHERE o.object_id = ANY (ids) AND NOT o.is_cleaned;
    UPDATE etl.object_versions AS o SET status = CASE WHEN o.object_id = ANY (gone) THEN 'gone' ELSE 'loaded' END
    WHERE
        o.object_id = ANY (ids) AND o.status = 'quarantined'
        AND NOT EXISTS (SELECT FROM etl.quarantine AS q WHERE q.object_id = o.object_id AND q.resolved_at IS NULL);
END
$$;
COMMENT ON FUNCTION etl.note_cleaned(bigint[], bigint[])
IS 'Notes that nothing of what was listed is in these objects any more, nor a record of it in quarantine, and which of them are gone.';

COMMIT;
