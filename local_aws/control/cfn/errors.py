"""What a stack operation can refuse or fail with."""

from __future__ import annotations


class StackError(Exception):
    """Refuse a call with an error code of CloudFormation's own, before anything was changed."""

    def __init__(self, message: str, code: str = "ValidationError", status: int = 400) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.status = status


class ResourceError(Exception):
    """A resource cannot be made, changed or removed; the message becomes the event's reason."""
