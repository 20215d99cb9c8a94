"""Filter that computes PostgreSQL's settings from the size of its host."""

from __future__ import annotations

from collections.abc import Callable

from ansible.errors import AnsibleFilterError

SEGMENT_MB = 16  # of WAL


def _within(value: int, least: int, most: int) -> int:
    """Return the value, or the bound that it is beyond."""
    return max(least, min(value, most))


def _segments(megabytes: int) -> int:
    """Return that many MiB, or a little less, as whole segments of WAL: two at least."""
    return max(megabytes // SEGMENT_MB, 2) * SEGMENT_MB


def settings_for(memory_mb: int, cores: int, disk_mb: int) -> dict[str, str]:
    """Return the settings of postgresql.conf that follow from memory, cores and disk.

    Memory and the data's disk are in MiB. What each is computed by, and why, is the table of
    docs/operations.md. Raises AnsibleFilterError for a host without memory, core or disk.
    """
    if memory_mb < 1 or cores < 1 or disk_mb < 1:
        raise AnsibleFilterError(
            f"a host needs memory, a core and a disk, not {memory_mb} MiB, {cores}, {disk_mb} MiB"
        )
    shared = max(memory_mb // 4, 128)
    workers = _within(cores // 2 + 1, 2, 5)
    wal = _segments(_within(disk_mb // 16, 0, 4096))
    return {
        "shared_buffers": f"{shared}MB",
        "effective_cache_size": f"{max(memory_mb // 2, 256)}MB",
        "work_mem": f"{_within(memory_mb // 64, 8, 64)}MB",
        "maintenance_work_mem": f"{_within(memory_mb // 16, 64, 1024)}MB",
        "autovacuum_work_mem": f"{_within(memory_mb // 32, 32, 256)}MB",
        "wal_buffers": f"{_within(shared // 32, 4, 16)}MB",
        "max_wal_size": f"{wal}MB",
        "min_wal_size": f"{_segments(wal // 8)}MB",
        "autovacuum_max_workers": str(workers),
        "autovacuum_vacuum_cost_limit": str(workers * 200),
        "max_worker_processes": str(max(cores, 8)),
        "max_parallel_workers": str(cores),
        "max_parallel_workers_per_gather": str(max(cores // 2, 1)),
        "max_parallel_maintenance_workers": str(max(cores // 2, 1)),
    }


class FilterModule:
    """Ansible's entry to the filter."""

    def filters(self) -> dict[str, Callable[..., dict[str, str]]]:
        """Return the filters by name."""
        return {"postgresql_settings_for": settings_for}
