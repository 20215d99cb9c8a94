-- Revert clickstream_dw:visitor_ids from pg
BEGIN;
ALTER TABLE etl.visitors
DROP CONSTRAINT visitors_client_id_excl,
DROP CONSTRAINT visitors_pkey,
ADD CONSTRAINT visitors_pkey PRIMARY KEY (client_id),
ADD CONSTRAINT visitors_visitor_no_key UNIQUE (visitor_no);
COMMIT;
