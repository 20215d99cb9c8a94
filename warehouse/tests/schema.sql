-- The seed's table, column by column, and what is said of everything.
BEGIN;
SELECT plan(6);

SELECT is(
    ARRAY(SELECT attname::text || ' ' || format_type(atttypid, atttypmod) || CASE WHEN attnotnull THEN ' NOT NULL' ELSE '' END
      FROM pg_attribute WHERE attrelid = 'public.clickstream_events'::regclass AND attnum > 0 ORDER BY attnum),
    ARRAY['event_id uuid NOT NULL', 'event_timestamp timestamp with time zone NOT NULL', 'event_name text NOT NULL', 'user_id text', 'user_login_state text', 'identity_source text', 'client_id text', 'session_id text', 'is_first_visit boolean', 'context_product_id text', 'context_product_name text', 'context_product_category text', 'context_product_brand text', 'context_product_price numeric', 'context_product_discount_price numeric', 'context_product_url_path text']::text[],
    'clickstream_events has exactly the seed''s sixteen columns in the seed''s order'
);
SELECT is(
    (SELECT partstrat::text FROM pg_partitioned_table WHERE partrelid = 'public.clickstream_events'::regclass),
    'r', 'clickstream_events is partitioned by range'
);
SELECT col_is_pk('etl', 'event_ids', 'event_id', 'an event id is unique over all partitions');
SELECT is_empty(
    $$SELECT c.oid::regclass FROM pg_class AS c INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace
      WHERE (n.nspname IN ('etl', 'dashboard') OR c.relname LIKE 'clickstream_events%') AND c.relkind IN ('r', 'p')
      AND obj_description(c.oid) IS NULL$$,
    'every table has a comment'
);
SELECT is_empty(
    $$SELECT p.oid::regprocedure FROM pg_proc AS p INNER JOIN pg_namespace AS n ON n.oid = p.pronamespace
      WHERE n.nspname IN ('etl', 'dashboard') AND obj_description(p.oid) IS NULL$$,
    'every function has a comment'
);
SELECT is(
    (SELECT count(*)::int FROM pg_inherits WHERE inhparent = 'public.clickstream_events'::regclass
        AND inhrelid::regclass::text = ANY(ARRAY[
            to_char(now() AT TIME ZONE 'UTC', '"clickstream_events_"YYYY_MM'),
            to_char(now() AT TIME ZONE 'UTC' + interval '1 month', '"clickstream_events_"YYYY_MM'),
            to_char(now() AT TIME ZONE 'UTC', '"public.clickstream_events_"YYYY_MM'),
            to_char(now() AT TIME ZONE 'UTC' + interval '1 month', '"public.clickstream_events_"YYYY_MM')
        ])),
    2, 'partitions of this and the next month are made ahead'
);

SELECT * FROM finish();
ROLLBACK;
