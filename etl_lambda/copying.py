"""Rows become the text format of COPY, gathered into parts of bounded size."""

from __future__ import annotations

from typing import Any

import msgspec

from etl_lambda.decoding import Reject
from etl_lambda.fetching import Fetched
from etl_lambda.mapping import COLUMNS, Row

PART_BYTES = 8 * 2**20
EVENT_COLUMNS = ("object_no", "position", *COLUMNS)
REJECT_COLUMNS = ("object_no", "position", "reason_code", "sample")
OBJECT_COLUMNS = (
    "object_no",
    "object_key",
    "etag",
    "last_modified",
    "size_bytes",
    "key_hour",
    "status",
    "records_read",
)
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": ""})


def cell(value: Any) -> str:
    """Return a value in COPY's text format (PostgreSQL's manual, COPY, "Text Format").

    Takes None, text without lone surrogates, numbers, booleans, instants with an offset, and bytes.
    """
    if value is None:
        return "\\N"
    if isinstance(value, str):
        if value.isprintable() and "\\" not in value:
            return value
        return value.translate(_ESCAPES)
    if value is True or value is False:
        return "t" if value else "f"
    if isinstance(value, bytes):
        return "\\\\x" + value.hex()
    return str(value)


def line(values: tuple[Any, ...]) -> str:
    """Return one line of COPY's text format."""
    cells = [
        # Most are plain text or nothing, for which a call costs more than what it does.
        value
        if value.__class__ is str and value.isprintable() and "\\" not in value
        else cell(value)
        for value in values
    ]
    return "\t".join(cells) + "\n"


class Part(msgspec.Struct):
    """Lines for the three staging tables, not yet sent. `characters` is about their size."""

    objects: list[str] = []
    events: list[str] = []
    rejects: list[str] = []
    characters: int = 0

    def add_line(self, object_no: int, position: int, line: str) -> None:
        """Add one event whose columns are a line already."""
        text = f"{object_no}\t{position}\t{line}"
        self.events.append(text)
        self.characters += len(text)

    def add_row(self, object_no: int, row: Row) -> None:
        """Add one event."""
        text = f"{object_no}\t" + line(msgspec.structs.astuple(row))
        self.events.append(text)
        self.characters += len(text)

    def add_reject(self, object_no: int, reject: Reject) -> None:
        """Add one reject."""
        text = line((object_no, reject.position, reject.reason, reject.sample))
        self.rejects.append(text)
        self.characters += len(text)

    def add_object(self, object_no: int, fetched: Fetched, status: str, records: int) -> None:
        """Add the ledger's line of an object, after its events and rejects."""
        found = fetched.found
        text = (
            f"{object_no}\t{cell(found.key)}\t{cell(fetched.etag)}\t{fetched.last_modified}"
            f"\t{fetched.size}\t{found.hour}\t{status}\t{records}\n"
        )
        self.objects.append(text)
        self.characters += len(text)

    @property
    def full(self) -> bool:
        """Whether it is time to send the part."""
        return self.characters >= PART_BYTES
