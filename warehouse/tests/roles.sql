-- The cluster's roles, as the role clickstream_dw makes them on a host; for tests only.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'dwh_owner') THEN
        CREATE ROLE dwh_owner NOLOGIN;
        CREATE ROLE etl_loader NOLOGIN;
        CREATE ROLE dashboard_reader LOGIN;
        CREATE ROLE etl_loader_a LOGIN IN ROLE etl_loader;
        CREATE ROLE etl_loader_b LOGIN IN ROLE etl_loader;
    END IF;
END
$$;
DO $$
BEGIN
    EXECUTE format('ALTER DATABASE %I OWNER TO dwh_owner', current_database());
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO etl_loader, dashboard_reader', current_database());
END
$$;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO dwh_owner;
