"""PostgreSQL's settings for hosts of known sizes, by the role's filter; values by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from ansible.errors import AnsibleFilterError

from tests.unit import scripts

PLUGIN = Path(__file__).resolve().parents[2] / "roles/postgresql/filter_plugins/postgresql.py"
GIB = 1024


def load() -> Callable[[int, int, int], dict[str, str]]:
    """Return the filter, from where Ansible takes it."""
    found: Callable[[int, int, int], dict[str, str]] = (
        scripts.load(PLUGIN).FilterModule().filters()["postgresql_settings_for"]
    )
    return found


settings_for = load()

MEMORY = {
    # GiB: shared_buffers, effective_cache_size, work_mem, maintenance_work_mem,
    # autovacuum_work_mem, wal_buffers
    0.5: ("128MB", "256MB", "8MB", "64MB", "32MB", "4MB"),
    1: ("256MB", "512MB", "16MB", "64MB", "32MB", "8MB"),
    2: ("512MB", "1024MB", "32MB", "128MB", "64MB", "16MB"),
    4: ("1024MB", "2048MB", "64MB", "256MB", "128MB", "16MB"),
    8: ("2048MB", "4096MB", "64MB", "512MB", "256MB", "16MB"),
    16: ("4096MB", "8192MB", "64MB", "1024MB", "256MB", "16MB"),
    32: ("8192MB", "16384MB", "64MB", "1024MB", "256MB", "16MB"),
}
CORES = {
    # cores: autovacuum_max_workers, autovacuum_vacuum_cost_limit, max_worker_processes,
    # max_parallel_workers, …_per_gather, max_parallel_maintenance_workers
    1: ("2", "400", "8", "1", "1", "1"),
    2: ("2", "400", "8", "2", "1", "1"),
    4: ("3", "600", "8", "4", "2", "2"),
    16: ("5", "1000", "16", "16", "8", "8"),
}
DISK = {
    # GiB: max_wal_size, min_wal_size
    1: ("64MB", "32MB"),
    4: ("256MB", "32MB"),
    8: ("512MB", "64MB"),
    30: ("1920MB", "240MB"),
    64: ("4096MB", "512MB"),
    500: ("4096MB", "512MB"),
}


@pytest.mark.parametrize(("gib", "expected"), MEMORY.items())
def test_memory_decides_buffers_and_work_memory(gib: float, expected: tuple[str, ...]) -> None:
    found = settings_for(int(gib * GIB), 2, 30 * GIB)
    names = (
        *("shared_buffers", "effective_cache_size", "work_mem", "maintenance_work_mem"),
        *("autovacuum_work_mem", "wal_buffers"),
    )
    assert tuple(found[name] for name in names) == expected


@pytest.mark.parametrize(("cores", "expected"), CORES.items())
def test_cores_decide_workers(cores: int, expected: tuple[str, ...]) -> None:
    found = settings_for(2 * GIB, cores, 30 * GIB)
    names = (
        *("autovacuum_max_workers", "autovacuum_vacuum_cost_limit", "max_worker_processes"),
        *("max_parallel_workers", "max_parallel_workers_per_gather"),
        "max_parallel_maintenance_workers",
    )
    assert tuple(found[name] for name in names) == expected


@pytest.mark.parametrize(("gib", "expected"), DISK.items())
def test_the_disk_decides_how_much_wal_may_lie_on_it(gib: int, expected: tuple[str, str]) -> None:
    found = settings_for(2 * GIB, 2, gib * GIB)
    assert (found["max_wal_size"], found["min_wal_size"]) == expected


@pytest.mark.parametrize("disk_mb", [1 * GIB, 4000, 12345, 30 * GIB, 47 * GIB, 2000 * GIB])
def test_wal_never_has_more_than_a_tenth_of_the_disk(disk_mb: int) -> None:
    assert int(settings_for(2 * GIB, 2, disk_mb)["max_wal_size"].removesuffix("MB")) * 10 <= disk_mb


def test_sizes_of_wal_are_whole_segments() -> None:
    found = settings_for(2 * GIB, 2, 30106)  # a 30 GiB volume as ext4 has it
    assert (found["max_wal_size"], found["min_wal_size"]) == ("1872MB", "224MB")


@pytest.mark.parametrize("host", [(0, 2, 30 * GIB), (2 * GIB, 0, 30 * GIB), (2 * GIB, 2, 0)])
def test_a_host_without_memory_core_or_disk_is_refused(host: tuple[int, int, int]) -> None:
    with pytest.raises(AnsibleFilterError, match="a host needs memory, a core and a disk"):
        settings_for(*host)
