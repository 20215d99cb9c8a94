"""What the parts of the runtime tell each other."""

from __future__ import annotations

import json
import threading
import time
import uuid
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True)
class Function:
    """A function as its next environment will run it; `revision` changes with code and settings."""

    name: str
    arn: str
    handler: str
    runtime: str
    role: str
    timeout: int
    memory: int
    variables: dict[str, str]
    subnets: tuple[str, ...]
    groups: tuple[str, ...]
    revision: str
    reserved: int | None = None


@dataclass
class Reply:
    """How an invocation ended; `error` is empty or Lambda's function error kind."""

    payload: bytes
    error: str = ""


def failure(kind: str, message: str) -> Reply:
    """Return a reply that the service makes when the function could not."""
    body = json.dumps({"errorType": kind, "errorMessage": message})
    return Reply(body.encode(), "Unhandled")


@dataclass
class Invocation:
    """One event on its way through an environment."""

    payload: bytes
    arn: str
    timeout: int
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    started: float = 0.0
    ended: float = 0.0
    reply: Reply | None = None
    done: threading.Event = field(default_factory=threading.Event)
    taken: threading.Event = field(default_factory=threading.Event)

    def take(self) -> None:
        """Mark the moment at which the function gets the event."""
        self.started = time.monotonic()
        self.taken.set()

    def finish(self, reply: Reply) -> None:
        """Keep the first reply; a later one is ignored."""
        if not self.done.is_set():
            self.ended = time.monotonic()
            self.reply = reply
            self.done.set()


class Box(Protocol):
    """Where a runtime client runs: a container, or a process in tests."""

    def start(self) -> None:
        """Start the client; its Runtime API answers already."""

    def stop(self) -> None:
        """End the client and free what it used; safe to call twice."""

    def alive(self) -> bool:
        """Tell whether the client still runs."""

    def exit_status(self) -> str:
        """Return how the client ended, as Lambda words it."""

    def memory(self) -> int:
        """Return the bytes of memory that the client's processes hold now."""
