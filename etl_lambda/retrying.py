"""Trying again, with jitter, what failed for a passing reason."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from etl_lambda.errors import TransientError

T = TypeVar("T")
FIRST_WAIT = 0.2
LONGEST_WAIT = 10.0


def wait_before(attempt: int, jitter: Callable[[], float] = random.random) -> float:
    """Return the seconds to wait after the failed attempt number `attempt` (from 1): full jitter."""
    return float(min(LONGEST_WAIT, FIRST_WAIT * 2**attempt) * jitter())


def retry(work: Callable[[], T], attempts: int, sleep: Callable[[float], object] = time.sleep) -> T:
    """Return what `work` returns, trying at most `attempts` times while it raises TransientError."""
    for attempt in range(1, attempts):
        try:
            return work()
        except TransientError:
            sleep(wait_before(attempt))
    return work()
