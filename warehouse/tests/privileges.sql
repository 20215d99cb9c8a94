-- Exactly these privileges: an extra grant fails as well as a missing one.
BEGIN;
SELECT plan(7);

SELECT is(
    ARRAY(
        SELECT p.oid::regprocedure::text FROM pg_proc AS p
        INNER JOIN pg_namespace AS n ON n.oid = p.pronamespace
        WHERE n.nspname IN ('etl', 'dashboard') AND has_function_privilege('dashboard_reader', p.oid, 'EXECUTE')
        ORDER BY 1
    ),
    ARRAY(
        SELECT p.oid::regprocedure::text FROM pg_proc AS p
        INNER JOIN pg_namespace AS n ON n.oid = p.pronamespace WHERE n.nspname = 'dashboard' ORDER BY 1
    ),
    'dashboard_reader executes the functions of schema dashboard and no other'
);
SELECT is(
    ARRAY(
        SELECT p.proname::text FROM pg_proc AS p INNER JOIN pg_namespace AS n ON n.oid = p.pronamespace
        WHERE n.nspname IN ('etl', 'dashboard') AND has_function_privilege('etl_loader', p.oid, 'EXECUTE')
        ORDER BY 1
    ),
    ARRAY[
        'apply_chunk', 'begin_chunk', 'drop_expired', 'finish_run', 'last_full_listing', 'quarantined_objects',
        'record_listing', 'start_run', 'unknown_objects', 'unseen_objects', 'window_start'
    ],
    'etl_loader executes exactly the loader''s functions'
);
SELECT is_empty(
    $$SELECT c.oid::regclass, privilege FROM pg_class AS c
      INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace
      CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) AS privilege
      WHERE n.nspname IN ('etl', 'dashboard', 'public') AND c.relkind IN ('r', 'p', 'v')
      AND pg_get_userbyid(c.relowner) = 'dwh_owner'
      AND has_table_privilege('dashboard_reader', c.oid, privilege)$$,
    'dashboard_reader touches no table'
);
SELECT is(
    ARRAY(
        SELECT c.oid::regclass::text || ' ' || privilege FROM pg_class AS c
        INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace
        CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) AS privilege
        WHERE n.nspname IN ('etl', 'dashboard', 'public') AND c.relkind IN ('r', 'p', 'v')
        AND pg_get_userbyid(c.relowner) = 'dwh_owner'
        AND has_table_privilege('etl_loader', c.oid, privilege) ORDER BY 1
    ),
    ARRAY['etl.staged_events INSERT', 'etl.staged_objects INSERT', 'etl.staged_rejects INSERT'],
    'etl_loader inserts into staging and nothing else'
);
SELECT is_empty(
    $$SELECT rolname FROM pg_roles WHERE rolname IN ('dwh_owner', 'etl_loader', 'etl_loader_a', 'etl_loader_b',
      'dashboard_reader') AND (rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls)$$,
    'no role of the project has an attribute of power'
);
SELECT is_empty(
    $$SELECT rolname FROM pg_roles WHERE rolname IN ('dwh_owner', 'etl_loader') AND rolcanlogin$$,
    'dwh_owner and etl_loader have no login'
);
SELECT ok(
    NOT has_schema_privilege('dashboard_reader', 'etl', 'USAGE')
    AND NOT has_schema_privilege('etl_loader', 'dashboard', 'USAGE'),
    'neither role enters the other''s schema'
);

SELECT * FROM finish();
ROLLBACK;
