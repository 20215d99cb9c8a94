-- Revert clickstream_dw:browsing from pg
BEGIN;

SET LOCAL client_min_messages = warning;
SET LOCAL ROLE dwh_owner;

DROP FUNCTION dashboard.event_source(uuid);
DROP FUNCTION etl.event_lineage(uuid);
DROP FUNCTION dashboard.rejects(text, integer);
DROP FUNCTION etl.sample_text(bytea);
DROP FUNCTION dashboard.event_export(timestamptz, timestamptz, text, jsonb);
DROP FUNCTION etl.cell(text);
DROP FUNCTION dashboard.event_list(timestamptz, timestamptz, text, jsonb, timestamptz, uuid, integer);
DROP FUNCTION etl.event_rows(timestamptz, uuid);
DROP FUNCTION dashboard.session_shapes(timestamptz, timestamptz, text, jsonb);
DROP FUNCTION dashboard.session_events(integer, integer);
DROP FUNCTION dashboard.session_list(timestamptz, timestamptz, text, jsonb, text, timestamptz, integer, integer);
DROP FUNCTION etl.windows_back(timestamptz, timestamptz, interval);
DROP FUNCTION etl.has_outcome(etl.session_facts, text, timestamptz);

COMMIT;
