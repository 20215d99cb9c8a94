"""The objects that bring a shop's events into the raw bucket, awkward ones among them."""

from __future__ import annotations

import copy
import dataclasses
import datetime as dt
import gzip
import json
import random
import uuid
from collections.abc import Iterable, Sequence

from demo.traffic import Event, events_between

PREFIX = "events/"


@dataclasses.dataclass(frozen=True)
class RawObject:
    """One object to put: its key, its bytes, how many records they hold and what kind it is."""

    key: str
    body: bytes
    records: int
    kind: str  # single, export, posted_array, resent, late, broken


@dataclasses.dataclass(frozen=True)
class Delivery:
    """What is written at first, and what arrives later under keys of hours long gone."""

    first: list[RawObject]
    late: list[RawObject]


def _text(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _folder(at: dt.datetime, hourly: bool) -> str:
    return f"{PREFIX}{at:%Y/%m/%d/%H/}" if hourly else f"{PREFIX}{at:%Y/%m/%d/}"


class Writer:
    """Wraps events into objects the way the producers do; all its randomness comes from one seed."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)  # noqa: S311 - a simulation, not a secret

    def _name(self, suffix: str) -> str:
        return f"event-{uuid.UUID(int=self.draw.getrandbits(128), version=4)}{suffix}"

    def single(
        self, at: dt.datetime, event: Event, hourly: bool, kind: str = "single"
    ) -> RawObject:
        """Return one event as the ingest function stores it: one JSON object in a file."""
        return RawObject(_folder(at, hourly) + self._name(".json"), _text(event), 1, kind)

    def export(
        self,
        at: dt.datetime,
        events: Sequence[Event],
        suffix: str = ".json.gz",
        kind: str = "export",
    ) -> RawObject:
        """Return events as gzip NDJSON, as an export or a replay writes them."""
        lines = b"\n".join(_text(event) for event in events) + b"\n"
        body = gzip.compress(lines, compresslevel=6, mtime=0)
        return RawObject(_folder(at, True) + self._name(suffix), body, len(events), kind)

    def posted_array(self, at: dt.datetime, events: Sequence[Event]) -> RawObject:
        """Return what the ingest function makes of a posted array: numbered keys beside _ingest."""
        value: Event = {str(number): event for number, event in enumerate(events)}
        value["_ingest"] = events[0]["_ingest"]
        records = [{k: v for k, v in event.items() if k != "_ingest"} for event in events]
        value.update({str(number): record for number, record in enumerate(records)})
        return RawObject(
            _folder(at, True) + self._name(".json"), _text(value), len(events), "posted_array"
        )

    def broken(self, at: dt.datetime, event: Event) -> list[RawObject]:
        """Return one file of each kind that cannot be read, or not wholly."""
        whole = _text(event)
        packed = gzip.compress(whole * 40, mtime=0)
        bodies = [
            whole[: len(whole) // 2],  # a write that was cut off
            b"",
            b"<html><body>502 Bad Gateway</body></html>",
            packed[: len(packed) // 2],
            _text({"hello": "world"}),  # valid JSON that is no event
            _text("just a string"),
        ]
        folder = _folder(at, True)
        return [RawObject(folder + self._name(".json"), body, 0, "broken") for body in bodies]

    def roughen(self, event: Event) -> Event:
        """Return the event with one of the oddities that browsers and old clients send."""
        rough = copy.deepcopy(event)
        what = self.draw.randrange(5)
        if what == 0:
            rough["userId"] = "undefined"
        elif what == 1 and rough["product"]:
            rough["product"]["name"] = str(rough["product"].get("name", "")) + "\x00"
        elif what == 2:
            rough["isFirstVisit"] = str(rough["isFirstVisit"]).lower()
        elif what == 3 and rough["product"]:
            rough["product"]["brandName"] = rough["product"].pop("brand", None)
        else:
            rough["identitySource"] = ""
        return rough


def deliver(seed: int, start: dt.datetime, end: dt.datetime, wanted: int) -> Delivery:
    """Return the objects of a shop's traffic received in [start, end): at least `wanted` events.

    Most are one event a file, under day keys at first and hour keys after two fifths of the time,
    both for an hour in between. One event in ten comes by gzip NDJSON exports, some by posted arrays;
    one in a hundred is sent again under a new key, one in fifty arrives late, some files are broken.
    """
    writer = Writer(seed)
    draw = writer.draw
    change = start + (end - start) * 0.4
    first: list[RawObject] = []
    late: list[RawObject] = []
    exports: dict[dt.datetime, list[Event]] = {}
    last: list[tuple[dt.datetime, Event]] = []
    for at, plain in events_between(seed, start, end, wanted):
        event = writer.roughen(plain) if draw.random() < 0.02 else plain
        way = draw.random()
        if way < 0.10:
            hour = at.replace(hour=at.hour // 6 * 6, minute=0, second=0, microsecond=0)
            exports.setdefault(hour, []).append(event)
            continue
        if way < 0.11 and plain is event:
            last.append((at, event))
            if len(last) == 3:  # a client that was offline posts what it had kept
                first.append(writer.posted_array(at, [kept for _, kept in last]))
                last.clear()
            continue
        hourly = at >= change or (at >= change - dt.timedelta(hours=1) and draw.random() < 0.5)
        if way > 0.98:
            late.append(writer.single(at, event, hourly, "late"))
            continue
        first.append(writer.single(at, event, hourly))
        if draw.random() < 0.01:
            first.append(writer.single(at, event, True, "resent"))
    first += [writer.single(at, event, True) for at, event in last]
    for hour, events in exports.items():
        moment = max(hour, start)
        first.append(writer.export(moment, events))
        if draw.random() < 0.5:  # a replay sends a part of it again, under another name
            first.append(writer.export(moment, events[: len(events) // 5], ".ndjson.gz", "resent"))
    for number in range(2):
        at = start + (end - start) * (0.5 + 0.2 * number)
        first += writer.broken(at, {"eventName": "page_view", "clientId": "c0", "sessionId": "s0"})
    return Delivery(first, late)


def count(objects: Iterable[RawObject]) -> tuple[int, int]:
    """Return how many objects these are and how many records they hold."""
    held = [thing.records for thing in objects]
    return len(held), sum(held)
