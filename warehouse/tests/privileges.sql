-- Exactly these privileges: an extra grant fails as well as a missing one.
BEGIN;
SELECT plan(19);

CREATE TEMPORARY VIEW own_schemas AS
SELECT n.oid, n.nspname AS name FROM pg_namespace AS n
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema';

CREATE TEMPORARY VIEW extension_members AS
SELECT d.classid, d.objid FROM pg_depend AS d WHERE d.deptype = 'e';

-- Every privilege of somebody who is not the owner; an object without a list of its own has PostgreSQL's.
CREATE TEMPORARY VIEW granted AS
SELECT
    o.kind, o.schema_id, o.name,
    CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END AS grantee,
    a.privilege_type || CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END AS privilege
FROM (
    SELECT 'schema' AS kind, n.oid AS schema_id, n.nspname::text AS name, n.nspowner AS owner_id,
        coalesce(n.nspacl, acldefault('n', n.nspowner)) AS acl
    FROM pg_namespace AS n
    UNION ALL
    SELECT 'sequence', c.relnamespace, c.oid::regclass::text, c.relowner,
        coalesce(c.relacl, acldefault('s', c.relowner))
    FROM pg_class AS c WHERE c.relkind = 'S'
    UNION ALL
    SELECT 'table', c.relnamespace, c.oid::regclass::text, c.relowner,
        coalesce(c.relacl, acldefault('r', c.relowner))
    FROM pg_class AS c
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND (1259, c.oid) NOT IN (SELECT e.classid, e.objid FROM extension_members AS e)
    UNION ALL
    SELECT 'column', c.relnamespace, c.oid::regclass || '.' || k.attname, c.relowner, k.attacl
    FROM pg_attribute AS k INNER JOIN pg_class AS c ON c.oid = k.attrelid WHERE k.attacl IS NOT NULL
    UNION ALL
    SELECT 'function', p.pronamespace, p.oid::regprocedure::text, p.proowner,
        coalesce(p.proacl, acldefault('f', p.proowner))
    FROM pg_proc AS p WHERE (1255, p.oid) NOT IN (SELECT e.classid, e.objid FROM extension_members AS e)
    UNION ALL
    SELECT 'type', t.typnamespace, t.oid::regtype::text, t.typowner, t.typacl
    FROM pg_type AS t WHERE t.typacl IS NOT NULL
) AS o
CROSS JOIN LATERAL aclexplode(o.acl) AS a
WHERE a.grantee <> o.owner_id;

SELECT is(
    ARRAY(
        SELECT a.grantee::regrole || ' ' || a.privilege_type || CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END
        FROM pg_database AS d
        CROSS JOIN LATERAL aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) AS a
        WHERE d.datname = current_database() AND a.grantee <> d.datdba
        ORDER BY 1
    ),
    ARRAY['dashboard_reader CONNECT', 'etl_loader CONNECT'],
    'etl_loader and dashboard_reader connect to the database, and make no temporary tables'
);
SELECT is(
    ARRAY(
        SELECT g.name || ' ' || g.grantee || ' ' || g.privilege FROM granted AS g
        WHERE g.kind = 'schema' AND g.schema_id IN (SELECT s.oid FROM own_schemas AS s) ORDER BY 1
    ),
    ARRAY[
        'dashboard dashboard_reader USAGE',
        'etl etl_loader USAGE',
        'public dwh_owner CREATE',
        'public dwh_owner USAGE',
        'public etl_loader USAGE'
    ],
    'each role enters its own schema, and nobody but the owner makes anything in one'
);

-- Functions: a line for each, in the order of the bytes.
SELECT is(
    ARRAY(
        SELECT g.name FROM granted AS g
        WHERE g.kind = 'function' AND g.grantee = 'etl_loader' AND g.privilege = 'EXECUTE' ORDER BY 1
    ),
    ARRAY[
        'etl.apply_chunk(bigint,boolean)',
        'etl.begin_chunk()',
        'etl.disk_usage()',
        'etl.drop_expired()',
        'etl.finish_run(bigint,text,jsonb,jsonb,text)',
        'etl.last_full_listing()',
        'etl.quarantined_objects()',
        'etl.record_listing(bigint,timestamp with time zone[],text[],text[],timestamp with time zone[],bigint[],timestamp with time zone[])',
        'etl.start_run(jsonb)',
        'etl.unknown_objects(text[],text[])',
        'etl.unseen_objects(bigint,timestamp with time zone[])',
        'etl.window_start(timestamp with time zone)'
    ],
    'etl_loader executes exactly the loader''s functions'
);
SELECT is(
    ARRAY(
        SELECT g.name FROM granted AS g
        WHERE g.kind = 'function' AND g.grantee = 'dashboard_reader' AND g.privilege = 'EXECUTE' ORDER BY 1
    ),
    ARRAY[
        'dashboard.completeness(timestamp with time zone,timestamp with time zone)',
        'dashboard.event_export(timestamp with time zone,timestamp with time zone,text,jsonb)',
        'dashboard.event_list(timestamp with time zone,timestamp with time zone,text,jsonb,timestamp with time zone,uuid,integer)',
        'dashboard.event_mix(timestamp with time zone,timestamp with time zone,text,jsonb)',
        'dashboard.event_source(uuid)',
        'dashboard.filter_values(text)',
        'dashboard.freshness()',
        'dashboard.funnel(timestamp with time zone,timestamp with time zone,text,jsonb,text[])',
        'dashboard.funnel_series(timestamp with time zone,timestamp with time zone,text,jsonb,text[],text)',
        'dashboard.funnel_split(timestamp with time zone,timestamp with time zone,text,jsonb,text,integer)',
        'dashboard.heatmap(timestamp with time zone,timestamp with time zone,text,jsonb)',
        'dashboard.kpis(timestamp with time zone,timestamp with time zone,text,jsonb)',
        'dashboard.load_marker()',
        'dashboard.login_states(timestamp with time zone,timestamp with time zone,text,jsonb)',
        'dashboard.new_returning(timestamp with time zone,timestamp with time zone,text,jsonb,text)',
        'dashboard.product_labels(text)',
        'dashboard.product_list(timestamp with time zone,timestamp with time zone,text,jsonb,text,text,boolean,integer,integer)',
        'dashboard.product_prices(timestamp with time zone,timestamp with time zone,text,jsonb,text)',
        'dashboard.product_series(timestamp with time zone,timestamp with time zone,text,jsonb,text,text)',
        'dashboard.product_totals(timestamp with time zone,timestamp with time zone,text,jsonb,text)',
        'dashboard.quarantine_summary()',
        'dashboard.rejects(text,integer)',
        'dashboard.retention(timestamp with time zone,timestamp with time zone,text,jsonb,text)',
        'dashboard.runs(integer)',
        'dashboard.series(timestamp with time zone,timestamp with time zone,text,jsonb,text)',
        'dashboard.session_events(integer,integer)',
        'dashboard.session_list(timestamp with time zone,timestamp with time zone,text,jsonb,text,timestamp with time zone,integer,integer)',
        'dashboard.session_shapes(timestamp with time zone,timestamp with time zone,text,jsonb)',
        'dashboard.top_brands(timestamp with time zone,timestamp with time zone,text,jsonb,integer)',
        'dashboard.top_categories(timestamp with time zone,timestamp with time zone,text,jsonb,integer)',
        'dashboard.top_products(timestamp with time zone,timestamp with time zone,text,jsonb,integer)',
        'dashboard.visitor_facts(timestamp with time zone,timestamp with time zone,text,jsonb)'
    ],
    'dashboard_reader executes exactly the dashboard''s functions'
);
SELECT is_empty(
    $$SELECT g.name, g.grantee, g.privilege FROM granted AS g
      WHERE g.kind = 'function' AND g.schema_id IN (SELECT s.oid FROM own_schemas AS s)
      AND (g.grantee NOT IN ('etl_loader', 'dashboard_reader') OR g.privilege <> 'EXECUTE')$$,
    'no function is open to anybody else, or may be passed on'
);

SELECT is(
    ARRAY(
        SELECT g.name || ' ' || g.grantee || ' ' || g.privilege FROM granted AS g
        WHERE
            g.kind = 'table'
            AND (g.schema_id IN (SELECT s.oid FROM own_schemas AS s) OR g.grantee IN ('etl_loader', 'dashboard_reader'))
        ORDER BY 1
    ),
    ARRAY[
        'etl.staged_events etl_loader INSERT',
        'etl.staged_objects etl_loader INSERT',
        'etl.staged_rejects etl_loader INSERT'
    ],
    'etl_loader inserts into staging, and nobody touches any other table'
);
SELECT is_empty(
    $$SELECT g.name, g.grantee, g.privilege FROM granted AS g WHERE g.kind IN ('column', 'sequence', 'type')
      AND (g.schema_id IN (SELECT s.oid FROM own_schemas AS s) OR g.grantee IN ('etl_loader', 'dashboard_reader'))$$,
    'no column, sequence or type is granted to anybody'
);
SELECT is(
    ARRAY(
        SELECT
            d.defaclrole::regrole || ' ' || d.defaclnamespace || ' ' || d.defaclobjtype::text || ' ' || d.defaclacl::text
        FROM pg_default_acl AS d ORDER BY 1
    ),
    ARRAY['dwh_owner 0 f {dwh_owner=X/dwh_owner}'],
    'new functions of the owner are closed to everybody, and nothing else is given beforehand'
);
-- Whatever kind of object: large ones, settings, tablespaces, foreign servers.
SELECT is(
    ARRAY(
        SELECT DISTINCT d.refobjid::regrole || ' ' || d.deptype::text || ' ' || d.classid::regclass
        FROM pg_shdepend AS d
        WHERE
            d.refclassid = 'pg_authid'::regclass AND d.dbid IN (0, (SELECT b.oid FROM pg_database AS b WHERE b.datname = current_database()))
            AND d.refobjid IN (
                SELECT r.oid FROM pg_roles AS r
                WHERE r.rolname IN ('etl_loader', 'etl_loader_a', 'etl_loader_b', 'dashboard_reader')
            )
            -- Who is a member of what is asked below.
            AND d.classid <> 'pg_auth_members'::regclass
        ORDER BY 1
    ),
    ARRAY[
        'dashboard_reader a pg_database',
        'dashboard_reader a pg_namespace',
        'dashboard_reader a pg_proc',
        'etl_loader a pg_class',
        'etl_loader a pg_database',
        'etl_loader a pg_namespace',
        'etl_loader a pg_proc'
    ],
    'the roles own nothing, and have rights on no other kind of object'
);
SELECT is_empty(
    $$SELECT l.lanname FROM pg_language AS l WHERE l.lanacl IS NOT NULL OR l.lanname NOT IN ('internal', 'c', 'sql', 'plpgsql')$$,
    'no language is there or granted but those of PostgreSQL'
);

SELECT is(
    ARRAY(
        SELECT
            m.member::regrole || ' in ' || m.roleid::regrole || CASE WHEN m.admin_option THEN ' WITH ADMIN' ELSE '' END
        FROM pg_auth_members AS m
        WHERE
            m.member::regrole::text ~ '^(dwh_owner|etl_loader|dashboard_reader)'
            OR m.roleid::regrole::text ~ '^(dwh_owner|etl_loader|dashboard_reader)'
        ORDER BY 1
    ),
    ARRAY['etl_loader_a in etl_loader', 'etl_loader_b in etl_loader'],
    'the loader''s logins are members of etl_loader, and nobody is of anything else'
);
SELECT is_empty(
    $$SELECT rolname FROM pg_roles WHERE rolname IN ('dwh_owner', 'etl_loader', 'etl_loader_a', 'etl_loader_b',
      'dashboard_reader') AND (rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls)$$,
    'no role of the project has an attribute of power'
);
SELECT is(
    ARRAY(
        SELECT r.rolname::text FROM pg_roles AS r
        WHERE r.rolcanlogin AND r.rolname ~ '^(dwh_owner|etl_loader|dashboard_reader)' ORDER BY 1
    ),
    ARRAY['dashboard_reader', 'etl_loader_a', 'etl_loader_b'],
    'dwh_owner and etl_loader have no login'
);

SELECT is(
    (SELECT d.datdba::regrole::text FROM pg_database AS d WHERE d.datname = current_database()),
    'dwh_owner', 'dwh_owner owns the database'
);
SELECT is(
    ARRAY(
        SELECT n.nspname || ' ' || n.nspowner::regrole FROM pg_namespace AS n
        WHERE n.oid IN (SELECT s.oid FROM own_schemas AS s) ORDER BY 1
    ),
    ARRAY['dashboard dwh_owner', 'etl dwh_owner', 'public pg_database_owner', 'sqitch postgres'],
    'these schemas are there, and these roles own them'
);
SELECT is_empty(
    $$SELECT c.classid::regclass, c.objid, c.owner_id::regrole FROM (
        SELECT 'pg_class'::regclass::oid AS classid, r.oid AS objid, r.relnamespace AS schema_id, r.relowner AS owner_id
        FROM pg_class AS r
        UNION ALL SELECT 'pg_proc'::regclass, p.oid, p.pronamespace, p.proowner FROM pg_proc AS p
        UNION ALL SELECT 'pg_type'::regclass, t.oid, t.typnamespace, t.typowner FROM pg_type AS t
      ) AS c
      WHERE c.schema_id IN ('etl'::regnamespace, 'dashboard'::regnamespace, 'public'::regnamespace)
      AND c.owner_id <> 'dwh_owner'::regrole
      AND NOT EXISTS (SELECT FROM extension_members AS e WHERE e.classid = c.classid AND e.objid = c.objid)
      -- Types of an extension's views and arrays hang on these.
      AND NOT EXISTS (
        SELECT FROM pg_depend AS d INNER JOIN extension_members AS e ON e.classid = d.refclassid AND e.objid = d.refobjid
        WHERE d.classid = c.classid AND d.objid = c.objid AND d.deptype = 'i'
      )$$,
    'dwh_owner owns every table, sequence, function and type'
);
SELECT is_empty(
    $$SELECT p.oid::regprocedure FROM pg_proc AS p
      WHERE p.pronamespace IN (SELECT s.oid FROM own_schemas AS s) AND p.prosecdef
      AND NOT coalesce('search_path=pg_catalog, pg_temp' = ANY(p.proconfig), false)
      AND (1255, p.oid) NOT IN (SELECT e.classid, e.objid FROM extension_members AS e)$$,
    'every definer-rights function pins its search path'
);
SELECT is_empty(
    $$SELECT p.oid::regprocedure FROM pg_proc AS p
      WHERE p.pronamespace = 'dashboard'::regnamespace AND NOT p.prosecdef$$,
    'the dashboard reads by the owner''s rights alone'
);
SELECT set_eq(
    $$SELECT t.evtname::text FROM pg_event_trigger AS t UNION ALL
      SELECT g.tgrelid::regclass || ' ' || g.tgfoid::regprocedure || ' ' || g.tgname FROM pg_trigger AS g WHERE NOT g.tgisinternal$$,
    ARRAY[
        'etl.object_versions etl.count_versions() versions_deleted',
        'etl.object_versions etl.count_versions() versions_inserted',
        'etl.object_versions etl.count_versions() versions_updated',
        'etl.pending_objects etl.count_pending() pending_deleted',
        'etl.pending_objects etl.count_pending() pending_inserted'
    ],
    'nothing but the count of objects runs by itself when somebody writes'
);

SELECT * FROM finish();
ROLLBACK;
