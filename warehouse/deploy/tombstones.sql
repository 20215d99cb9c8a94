-- Deploy clickstream_dw:tombstones to pg
BEGIN;

SET LOCAL client_min_messages = warning;
SET LOCAL ROLE dwh_owner;

CREATE TABLE etl.erasure_keys (
    only_row boolean NOT NULL DEFAULT true,
    inner_key bytea NOT NULL,
    outer_key bytea NOT NULL,
    CONSTRAINT erasure_keys_pkey PRIMARY KEY (only_row),
    CONSTRAINT erasure_keys_only_row_check CHECK (only_row)
);
COMMENT ON TABLE etl.erasure_keys IS 'What ids are hashed with, made here and never told: without it a hash could be guessed from a list of ids.';
COMMENT ON COLUMN etl.erasure_keys.only_row IS 'Always true.';
COMMENT ON COLUMN etl.erasure_keys.inner_key IS '64 bytes, before the id.';
COMMENT ON COLUMN etl.erasure_keys.outer_key IS '64 bytes, before the hash of both.';
-- Random numbers of the server's cryptographic source, 122 bits each.
INSERT INTO etl.erasure_keys (inner_key, outer_key)
SELECT
    sha512(string_agg(uuid_send(gen_random_uuid()), '') FILTER (WHERE n % 2 = 0)),
    sha512(string_agg(uuid_send(gen_random_uuid()), '') FILTER (WHERE n % 2 = 1))
FROM generate_series(1, 16) AS n;

-- A hash of a keyed hash, as HMAC is: from neither can another id's be made.
CREATE FUNCTION etl.hash_under(inner_key bytea, outer_key bytea, field text, id text) RETURNS bytea
LANGUAGE sql STABLE
RETURN sha256(outer_key || sha256(inner_key || convert_to(field || ':' || id, 'UTF8')));
COMMENT ON FUNCTION etl.hash_under(bytea, bytea, text, text)
IS 'Hash of an id in its field, under given keys: a plain expression, so that a query of many ids takes it in.';

CREATE FUNCTION etl.keyed_hash(field text, id text) RETURNS bytea
LANGUAGE sql STABLE
RETURN (SELECT etl.hash_under(k.inner_key, k.outer_key, keyed_hash.field, keyed_hash.id) FROM etl.erasure_keys AS k);
COMMENT ON FUNCTION etl.keyed_hash(text, text) IS 'Hash of an id in its field, keyed by etl.erasure_keys.';

CREATE TABLE etl.tombstones (
    field text NOT NULL,
    hash bytea NOT NULL,
    erased_at timestamptz NOT NULL,
    CONSTRAINT tombstones_pkey PRIMARY KEY (field, hash),
    CONSTRAINT tombstones_field_check CHECK (field IN ('client_id', 'user_id'))
);
COMMENT ON TABLE etl.tombstones IS 'Who was erased, as a keyed hash: their events up to then are not stored again.';
COMMENT ON COLUMN etl.tombstones.field IS 'client_id or user_id.';
COMMENT ON COLUMN etl.tombstones.hash IS 'etl.keyed_hash of the id.';
COMMENT ON COLUMN etl.tombstones.erased_at IS 'When: events after it are of somebody who came back.';

CREATE TABLE etl.erased_copies (
    object_id bigint NOT NULL,
    event_id uuid,
    sample_hash bytea,
    is_listed boolean NOT NULL DEFAULT false,
    CONSTRAINT erased_copies_key UNIQUE NULLS NOT DISTINCT (object_id, event_id, sample_hash),
    CONSTRAINT erased_copies_kind_check CHECK ((event_id IS NULL) <> (sample_hash IS NULL))
);
COMMENT ON TABLE etl.erased_copies IS 'Where erased events still lie in the raw bucket; rows go when the object was cleaned.';
COMMENT ON COLUMN etl.erased_copies.object_id IS 'Object that holds one (etl.object_versions).';
COMMENT ON COLUMN etl.erased_copies.event_id IS 'The event; NULL: a record in quarantine.';
COMMENT ON COLUMN etl.erased_copies.sample_hash IS 'SHA-256 of the sample of a record in quarantine.';
COMMENT ON COLUMN etl.erased_copies.is_listed IS 'Whether a cleaning of its object is under way.';

CREATE FUNCTION etl.set_aside_erased() RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    erased bigint;
BEGIN
    IF NOT EXISTS (SELECT FROM etl.erased_events) AND NOT EXISTS (SELECT FROM etl.tombstones) THEN
        RETURN 0;
    END IF;
    -- Each id is hashed once a chunk.
    WITH known AS MATERIALIZED (
        SELECT i.field, i.id, t.erased_at
        FROM (
            SELECT DISTINCT 'client_id' AS field, e.client_id AS id FROM etl.staged_events AS e
            UNION ALL
            SELECT DISTINCT 'user_id', e.user_id FROM etl.staged_events AS e
        ) AS i
        CROSS JOIN etl.erasure_keys AS k
        INNER JOIN etl.tombstones AS t
            ON t.field = i.field AND t.hash = etl.hash_under(k.inner_key, k.outer_key, i.field, i.id)
    ),

    gone AS (
        DELETE FROM etl.staged_events AS e
        WHERE
            EXISTS (SELECT FROM etl.erased_events AS x WHERE x.event_id = e.event_id)
            OR EXISTS (
                SELECT FROM known AS k
                WHERE
                    k.id = CASE k.field WHEN 'client_id' THEN e.client_id ELSE e.user_id END
                AND k.erased_at >= e.event_timestamp
            )
        RETURNING e.object_no, e.event_id
    ),

    noted AS (
        INSERT INTO etl.erased_events (event_id) SELECT DISTINCT g.event_id FROM gone AS g
        ON CONFLICT (event_id) DO NOTHING
    ),

    found AS (
        INSERT INTO etl.erased_copies (object_id, event_id)
        SELECT DISTINCT o.object_id, g.event_id
        FROM gone AS g INNER JOIN etl.staged_objects AS o ON o.object_no = g.object_no
        ON CONFLICT (object_id, event_id, sample_hash) DO NOTHING
    )

    SELECT count(*) INTO erased FROM gone;
    RETURN erased;
END
$$;
COMMENT ON FUNCTION etl.set_aside_erased()
IS 'Takes erased events out of staging, notes which objects hold them, and returns how many.';

COMMIT;
