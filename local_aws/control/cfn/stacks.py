"""What the engine remembers: stacks, their resources, events, outputs and change sets."""

from __future__ import annotations

import datetime
import secrets
import string
import uuid
from dataclasses import dataclass, field
from typing import Any

from local_aws.control.cfn.template import Template


def now() -> datetime.datetime:
    """Return the present instant in UTC."""
    return datetime.datetime.now(datetime.UTC)


def random_name(length: int = 12) -> str:
    """Return capital letters and digits, as CloudFormation appends them to names."""
    return "".join(secrets.choice(string.ascii_uppercase + string.digits) for _ in range(length))


@dataclass
class StackResource:
    """One resource that exists; `properties` hold dynamic references unresolved."""

    logical_id: str
    type: str
    physical_id: str
    properties: dict[str, Any]
    definition: dict[str, Any]
    attributes: dict[str, Any] = field(default_factory=dict)
    status: str = "CREATE_COMPLETE"
    reason: str = ""
    updated_at: datetime.datetime = field(default_factory=now)


@dataclass(frozen=True)
class Event:
    """One line of a stack's history."""

    logical_id: str
    physical_id: str
    type: str
    status: str
    reason: str
    token: str
    at: datetime.datetime = field(default_factory=now)
    id: str = field(default_factory=lambda: str(uuid.uuid4()))


@dataclass
class Output:
    """A stack's output; `export` is its name across stacks, or empty."""

    key: str
    value: str
    description: str
    export: str


@dataclass
class Stack:
    """A stack and everything that the API tells of it."""

    name: str
    id: str
    body: str = ""
    template: Template = field(default_factory=dict)
    supplied: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, Any] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    capabilities: list[str] = field(default_factory=list)
    notification_arns: list[str] = field(default_factory=list)
    role_arn: str = ""
    protected: bool = False
    disable_rollback: bool = False
    status: str = "REVIEW_IN_PROGRESS"
    reason: str = ""
    created_at: datetime.datetime = field(default_factory=now)
    updated_at: datetime.datetime | None = None
    deleted_at: datetime.datetime | None = None
    resources: dict[str, StackResource] = field(default_factory=dict)
    outputs: dict[str, Output] = field(default_factory=dict)
    imports: set[str] = field(default_factory=set)
    events: list[Event] = field(default_factory=list)
    token: str = ""

    def record(
        self, logical_id: str, kind: str, status: str, physical_id: str = "", reason: str = ""
    ) -> None:
        """Append an event."""
        self.events.append(Event(logical_id, physical_id, kind, status, reason, self.token))

    def set_status(self, status: str, reason: str = "") -> None:
        """Change the stack's status and append the event that tells of it."""
        self.status, self.reason = status, reason
        self.record(self.name, "AWS::CloudFormation::Stack", status, self.id, reason)


@dataclass(frozen=True)
class Change:
    """What an update would do to one resource."""

    action: str  # Add, Modify, Remove
    logical_id: str
    physical_id: str
    type: str
    replacement: bool = False
    names: tuple[str, ...] = ()


@dataclass
class ChangeSet:
    """A planned change of a stack, kept until executed or deleted."""

    id: str
    name: str
    stack: Stack
    kind: str  # CREATE, UPDATE
    body: str
    supplied: dict[str, str]
    tags: dict[str, str]
    capabilities: list[str]
    changes: list[Change]
    status: str
    reason: str = ""
    execution_status: str = "AVAILABLE"
    created_at: datetime.datetime = field(default_factory=now)
