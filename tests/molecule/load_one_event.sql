-- One event, the way the loader does it: as a member of etl_loader, by the functions of schema etl.
DO $$
DECLARE
    run bigint := etl.start_run('{"test": "molecule"}');
BEGIN
    PERFORM etl.begin_chunk();
    INSERT INTO etl.staged_objects (
        object_no, object_key, etag, last_modified, size_bytes, key_hour, status, records_read
    ) VALUES (
        1, 'events/2030/01/01/00/event-1.json', 'e1', now(), 1, '2030-01-01T00:00Z', 'loaded', 1
    );
    INSERT INTO etl.staged_events (object_no, position, event_id, event_timestamp, event_name, client_id, session_id)
    VALUES (1, 0, '00000000-0000-4000-8000-000000000001', now(), 'page_view', 'visitor', 'session');
    PERFORM etl.apply_chunk(run);
    PERFORM etl.finish_run(run, 'loaded', '{}', '[]', NULL);
END
$$;
