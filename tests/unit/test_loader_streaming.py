"""A large gzip is read line by line and gives what it gives when it is read whole."""

from __future__ import annotations

import gzip
import json

import pytest

from etl_lambda import decoding, streaming, unpacking
from etl_lambda.settings import Limits

LIMITS = Limits(record_bytes=200, decompressed_bytes=5000)
LINES = [json.dumps({"eventId": f"e{number}"}).encode() for number in range(100)]
LONG = json.dumps({"eventId": "x" * 300}).encode()
POSTED = json.dumps({str(number): {"eventId": f"p{number}"} for number in range(30)}).encode()
GAPS = [*LINES[:50], b"", b"{", b"[1]", b"\xff", LONG, POSTED, b"  ", *LINES[50:], b""]


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "WHOLE_BYTES", 500)
    monkeypatch.setattr(unpacking, "_PIECE", 70)


Found = list[decoding.Record | decoding.Reject]


def both(data: bytes, monkeypatch: pytest.MonkeyPatch) -> tuple[Found, Found]:
    """What is found in `data`, and what is found when it is read whole."""
    found = list(decoding.decode(data, LIMITS))
    with monkeypatch.context() as patch:
        patch.setattr(streaming, "WHOLE_BYTES", 10**9)
        return found, list(decoding.decode(data, LIMITS))


@pytest.mark.parametrize(
    "text",
    [
        b"\n".join(LINES),
        b"\n".join(GAPS),
        b"\r\n".join(LINES) + b"\r\n",
        b"\xef\xbb\xbf" + b"\n".join(LINES),
        b"\n \n" + b"\n".join(LINES),
    ],
    ids=["lines", "gaps", "crlf", "bom", "blank first"],
)
def test_lines_are_streamed_and_found_the_same(
    text: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = gzip.compress(text)
    assert streaming.lines(data, LIMITS) is not None
    found, whole = both(data, monkeypatch)
    assert len(found) >= 100
    assert found == whole


def test_all_members_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    data = gzip.compress(LINES[0] + b"\n" + LINES[1][:5]) + gzip.compress(
        LINES[1][5:] + b"\n" + b"\n".join(LINES[2:])
    )
    assert streaming.lines(data, LIMITS) is not None
    found, whole = both(data, monkeypatch)
    assert len(found) == 100
    assert found == whole


@pytest.mark.parametrize(
    "data",
    [
        b"\n".join(LINES),
        gzip.compress(b"\n".join(LINES))[:-20],
        gzip.compress(b"\n".join(LINES)) + b"tail",
        gzip.compress(b"\n".join(LINES * 10)),
        gzip.compress(b"[" + b",\n".join(LINES) + b"]"),
        gzip.compress(json.dumps([json.loads(line) for line in LINES], indent=1).encode()),
        gzip.compress(b" ".join(LINES)),
        gzip.compress(b"no event\n" + b"\n".join(LINES)),
        gzip.compress("\n".join(line.decode() for line in LINES).encode("utf-16")),
        gzip.compress(gzip.compress(b"\n".join(LINES), 0)),
    ],
    ids=[
        "plain",
        "cut",
        "tail",
        "large",
        "array",
        "indented",
        "one line",
        "rubbish",
        "16",
        "twice",
    ],
)
def test_everything_else_is_read_whole(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    assert streaming.lines(data, LIMITS) is None
    found, whole = both(data, monkeypatch)
    assert found
    assert found == whole
