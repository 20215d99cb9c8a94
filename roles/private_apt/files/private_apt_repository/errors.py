"""The one error that this program ends with."""

from __future__ import annotations


class RepositoryError(Exception):
    """What went wrong and what to do about it, in one line each."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(f"{message}: {remedy}")
