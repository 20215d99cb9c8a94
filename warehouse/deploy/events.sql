-- Deploy clickstream_dw:events to pg
BEGIN;

SET LOCAL client_min_messages = warning;
SET LOCAL ROLE dwh_owner;

CREATE TABLE public.clickstream_events (
    event_id uuid NOT NULL,
    event_timestamp timestamptz NOT NULL,
    event_name text NOT NULL,
    user_id text,
    user_login_state text,
    identity_source text,
    client_id text,
    session_id text,
    is_first_visit boolean,
    context_product_id text,
    context_product_name text,
    context_product_category text,
    context_product_brand text,
    context_product_price numeric,
    context_product_discount_price numeric,
    context_product_url_path text
) PARTITION BY RANGE (event_timestamp);

COMMENT ON TABLE public.clickstream_events IS 'Every stored event once; the seed''s sixteen columns in the seed''s order.';
COMMENT ON COLUMN public.clickstream_events.event_id IS 'Identity of the event; unique over all partitions by etl.event_ids.';
COMMENT ON COLUMN public.clickstream_events.event_timestamp IS 'Instant of receipt, else the instant the event itself carries.';
COMMENT ON COLUMN public.clickstream_events.event_name IS 'What happened, as sent; "unknown" where the record had no name.';
COMMENT ON COLUMN public.clickstream_events.user_id IS 'Account of the visitor, where one was logged in.';
COMMENT ON COLUMN public.clickstream_events.user_login_state IS 'logged_in, anonymous, guest, or what was sent.';
COMMENT ON COLUMN public.clickstream_events.identity_source IS 'Where the identity came from; the publisher never sends it.';
COMMENT ON COLUMN public.clickstream_events.client_id IS 'The browser: what a visitor is counted by.';
COMMENT ON COLUMN public.clickstream_events.session_id IS 'The browser tab''s session, where sent.';
COMMENT ON COLUMN public.clickstream_events.is_first_visit IS 'The publisher''s claim; metrics do not use it.';
COMMENT ON COLUMN public.clickstream_events.context_product_id IS 'Product; a category_view writes the category here.';
COMMENT ON COLUMN public.clickstream_events.context_product_name IS 'Name of the product as shown.';
COMMENT ON COLUMN public.clickstream_events.context_product_category IS 'Category of the product as sent.';
COMMENT ON COLUMN public.clickstream_events.context_product_brand IS 'Brand of the product as sent.';
COMMENT ON COLUMN public.clickstream_events.context_product_price IS 'Price seen, in the shop''s currency (VND).';
COMMENT ON COLUMN public.clickstream_events.context_product_discount_price IS 'As sent: mostly a percentage, not a price. Never a unit of money by itself.';
COMMENT ON COLUMN public.clickstream_events.context_product_url_path IS 'Path of the product''s page.';

-- Time by BRIN: the heap is written nearly in time's order. Sessions are recounted by the other two.
CREATE INDEX clickstream_events_event_timestamp_idx ON public.clickstream_events
USING brin (event_timestamp) WITH (pages_per_range = 16, autosummarize = on);
CREATE INDEX clickstream_events_session_id_idx ON public.clickstream_events (session_id)
WHERE session_id IS NOT NULL;
CREATE INDEX clickstream_events_client_id_idx ON public.clickstream_events (client_id, event_timestamp)
WHERE session_id IS NULL AND client_id IS NOT NULL;

CREATE TABLE etl.event_ids (
    event_id uuid NOT NULL,
    event_timestamp timestamptz NOT NULL,
    object_id bigint NOT NULL,
    position integer NOT NULL,
    CONSTRAINT event_ids_pkey PRIMARY KEY (event_id)
);
COMMENT ON TABLE etl.event_ids IS 'One row an event over all partitions: the rule that an event is stored once, and where it came from.';
COMMENT ON COLUMN etl.event_ids.event_id IS 'The event.';
COMMENT ON COLUMN etl.event_ids.event_timestamp IS 'Its time, which names its partition.';
COMMENT ON COLUMN etl.event_ids.object_id IS 'Object that brought it (etl.objects).';
COMMENT ON COLUMN etl.event_ids.position IS 'Its place in that object, from 0.';

CREATE FUNCTION etl.ensure_partitions(from_at timestamptz, to_at timestamptz) RETURNS integer
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
COMMENT ON FUNCTION etl.ensure_partitions(timestamptz, timestamptz)
IS 'Makes the missing month partitions between two instants and returns how many.';

SELECT etl.ensure_partitions(now() - interval '1 month', now() + interval '2 months');

COMMIT;
