-- What the host notes of its file systems, and what the loader is told of it.
BEGIN;
SELECT plan(8);

SET ROLE dwh_owner;
DELETE FROM etl.disks;
SELECT etl.note_disk('/', 3, 9);
SELECT etl.note_disk('/var/lib/postgresql', 2, 1);
SELECT etl.note_disk('/', 1, 3);
RESET ROLE;

SELECT results_eq(
    $$SELECT d.path, d.used_bytes, d.free_bytes FROM etl.disks AS d ORDER BY 1$$,
    $$VALUES ('/', 1::bigint, 3::bigint), ('/var/lib/postgresql', 2, 1)$$,
    'each file system has one row, the last that was measured'
);
SELECT is_empty(
    $$SELECT d.path FROM etl.disks AS d WHERE d.measured_at NOT BETWEEN now() AND clock_timestamp()$$,
    'a row has the time of its measurement'
);
SET ROLE etl_loader;
SELECT results_eq(
    $$SELECT u.path, u.used_percent FROM etl.disk_usage() AS u ORDER BY 1$$,
    $$VALUES ('/', 25.00), ('/var/lib/postgresql', 66.67)$$,
    'the loader is told the percent of what is taken and what can still be taken'
);
SELECT throws_ok(
    $$SELECT etl.note_disk('/', 1, 1)$$, '42501', 'permission denied for function note_disk',
    'the loader notes none'
);
RESET ROLE;

UPDATE etl.disks SET measured_at = now() - interval '61 minutes' WHERE path = '/';
UPDATE etl.disks SET measured_at = now() - interval '59 minutes' WHERE path <> '/';
SELECT results_eq(
    $$SELECT u.path FROM etl.disk_usage() AS u$$, $$VALUES ('/var/lib/postgresql')$$,
    'what was measured over an hour ago is not told'
);
SELECT etl.note_disk('/empty', 0, 0);
SELECT is_empty(
    $$SELECT u.path FROM etl.disk_usage() AS u WHERE u.path = '/empty'$$,
    'a file system without size is none'
);
SELECT throws_ok(
    $$SELECT etl.note_disk('/', -1, 1)$$, '23514',
    'new row for relation "disks" violates check constraint "disks_used_bytes_check"',
    'bytes are never negative'
);
SELECT throws_ok(
    $$SELECT etl.note_disk('data', 1, 1)$$, '23514',
    'new row for relation "disks" violates check constraint "disks_path_check"',
    'a path is a whole one'
);

SELECT * FROM finish();
ROLLBACK;
