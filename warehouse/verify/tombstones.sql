-- Verify clickstream_dw:tombstones on pg
BEGIN;
SELECT 1 / (length(inner_key) = 64 AND length(outer_key) = 64)::int FROM etl.erasure_keys;
SELECT field, hash, erased_at FROM etl.tombstones WHERE false;
SELECT object_id, event_id, sample_hash, is_listed FROM etl.erased_copies WHERE false;
SELECT 1 / (length(etl.keyed_hash('client_id', 'c')) = 32)::int;
ROLLBACK;
