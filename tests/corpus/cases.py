"""The corpus: small awkward files, and the rows and rejects that each has to become.

In a case's text `@1` to `@9` stand for event ids of the case's own: the whole corpus loads into one
warehouse, and there each row tells of which file it is.
"""

from __future__ import annotations

import codecs
import gzip
import hashlib
import uuid
import zlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from etl_lambda.settings import Limits
from etl_lambda.values import NAMESPACE

BUCKET = "clickstream-s3-ingest"
FOLDER = "events/2026/01/02/03/"
# Small, so that small files reach them.
LIMITS = Limits(decompressed_bytes=30_000, record_bytes=4_000, records=40)
BOM = codecs.BOM_UTF8
NIL = "00000000-0000-0000-0000-000000000000"


def _same(data: bytes) -> bytes:
    return data


class Case(msgspec.Struct, frozen=True):
    """A file, and what has to come out of it.

    `rows` are the event ids in their order, a number for that of `@`; `rejects` are position (None: the
    whole object) and reason; `coerced` and `cleaned` count values by column; `columns` are some of the
    first row's. The object is `stored` of the text.
    """

    name: str
    text: bytes
    rows: tuple[int | str, ...] = ()
    rejects: tuple[tuple[int | None, str], ...] = ()
    coerced: Mapping[str, int] = {}
    cleaned: Mapping[str, int] = {}
    columns: Mapping[str, Any] = {}
    stored: Callable[[bytes], bytes] = _same

    @property
    def key(self) -> str:
        """The key under which the file lies."""
        return FOLDER + self.name.replace(" ", "-")

    @property
    def data(self) -> bytes:
        """The object's bytes."""
        text = self.text
        for number in range(1, 10):
            text = text.replace(b"@%d" % number, self._id(number).encode())
        return self.stored(text)

    @property
    def ids(self) -> list[str]:
        """The event ids of the rows."""
        return [self._id(row) if isinstance(row, int) else row for row in self.rows]

    def _id(self, number: int) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self.name} {number}"))


def _of_text(text: str) -> str:
    """The event id that the contract makes of other text."""
    return str(uuid.uuid5(NAMESPACE, text))


def _of_content(name: str, content: bytes, which: int = 0) -> str:
    """The event id that the contract makes of a record without one, from its canonical JSON."""
    place = f'["{BUCKET}","{FOLDER}{name.replace(" ", "-")}"]'.encode()
    digest = hashlib.sha1(NAMESPACE.bytes + place + content + b"%d" % which).digest()  # noqa: S324
    return str(uuid.UUID(bytes=digest[:16], version=5))


def _event(number: int, more: str = "") -> bytes:
    return f'{{"eventId":"@{number}","eventName":"a"{more}}}'.encode()


def _of_size(number: int, size: int) -> bytes:
    """An event of so many bytes."""
    begin, end = _event(number, ',"x":"')[:-1], b'"}'
    return begin + b"x" * (size - len(begin) - len(end) - len(NIL) + len("@1")) + end


def _utf16(data: bytes) -> bytes:
    return codecs.BOM_UTF16_LE + data.decode().encode("utf-16-le")


def _utf16_big(data: bytes) -> bytes:
    return codecs.BOM_UTF16_BE + data.decode().encode("utf-16-be")


def _without_bom(data: bytes) -> bytes:
    return data.decode().encode("utf-16-le")


def _cut(bytes_lost: int) -> Callable[[bytes], bytes]:
    return lambda data: gzip.compress(data, mtime=0)[:-bytes_lost]


def _head(bytes_kept: int) -> Callable[[bytes], bytes]:
    return lambda data: gzip.compress(data, mtime=0)[:bytes_kept]


def _zip(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


def _members(data: bytes) -> bytes:
    """A gzip of a member for each line."""
    return b"".join(_zip(line) for line in data.splitlines(keepends=True))


def _flushed(data: bytes) -> bytes:
    """A gzip that broke off just where all of the text was written."""
    packer = zlib.compressobj(wbits=31)
    return packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH)


def _with_wrong_checksum(data: bytes) -> bytes:
    packed = bytearray(_zip(data))
    packed[-6] ^= 1
    return bytes(packed)


A, B, C, D = (_event(number) for number in range(1, 5))
_PUBLISHED = (
    '{"eventName":"product_view","eventId":"@1","pageUrl":"https://shop.invalid/p","referrer":null,'
    '"userId":null,"userLoginState":"anonymous","clientId":"c1","sessionId":"s1","isFirstVisit":false,'
    '"product":{"id":"prod_1","name":"Bàn phím","category":"keyboard","brand":"AULA","price":1990000,'
    '"discountPrice":10,"urlPath":"/p"},'
    '"_ingest":{"receivedAt":"2026-01-02T03:00:00.123Z","sourceIp":"203.0.113.9"}}'
).encode()
_RECEIVED = datetime(2026, 1, 2, 3, 0, 0, 123000, tzinfo=UTC)
# What lost its quote or bracket: its neighbours do not suffer.
_LOST = (
    b'{"eventName":"bad}',
    b'{"eventName":bad"}',
    b'{"eventName":"bad","product":{"id":"p"}',
    b'{"eventName":"bad","product":[{"id":"p"}}',
    b'{"eventName":}',
)

_FORMS = [
    Case("one object", A, (1,)),
    Case(
        "as the publisher sends it",
        _PUBLISHED,
        (1,),
        columns={
            "event_timestamp": _RECEIVED,
            "event_name": "product_view",
            "context_product_name": "Bàn phím",
            "context_product_price": "1990000",
            "is_first_visit": False,
        },
    ),
    Case("over several lines", b'{\n "eventId": "@1",\n "eventName": "a"\n}\n', (1,)),
    Case("blank around it", b" \r\n" + A + b"\n\n", (1,)),
    Case("array", b"[" + A + b"," + B + b"]", (1, 2)),
    Case("array over lines", b"[\n" + A + b",\n" + B + b"\n]\n", (1, 2)),
    Case("empty array", b"[]"),
    Case("blank array", b" [ \n ] "),
    Case("lines", A + b"\n" + B, (1, 2)),
    Case(
        "lines then a pretty one",
        A + b'\n{\n"eventName":"b"\n}',
        (1,),
        ((1, "not_json"), (2, "not_json"), (3, "not_json")),
    ),
    Case("lines with crlf", A + b"\r\n\r\n" + B + b"\r\n", (1, 2)),
    Case("lines with cr alone", A + b"\r" + B + b"\r", (1, 2)),
    Case("one after the other", A + B, (1, 2)),
    Case("pretty ones after each other", b'{\n"eventId":"@1"\n}\n{\n"eventId":"@2"\n}', (1, 2)),
    Case("arrays after each other", b"[" + A + b"]\n[" + B + b"," + C + b"]", (1, 2, 3)),
    Case("array then lines", b"[" + A + b"]\n" + B, (1, 2)),
    Case("empty array then more", b"[] [" + A + b"]\n" + B, (1, 2)),
    Case("comma before the end", b"[" + A + b",]", (1,)),
    Case("bom", BOM + A, (1,)),
    Case("bom and blank", b" " + BOM + b"\n" + A, (1,)),
    Case("two boms", BOM + BOM + A, (1,)),
    Case("bom before an array", BOM + b"[" + A + b"]", (1,)),
    Case("bom before each line", BOM + A + b"\r\n" + BOM + B, (1, 2)),
    Case("bom in the middle of a line", A + BOM + b"\n" + B, (2,), ((0, "not_json"),)),
    Case("gzip", A + b"\n" + B, (1, 2), stored=_zip),
    Case("gzip of an array", b"[" + A + b"," + B + b"]", (1, 2), stored=_zip),
    Case("gzip with a bom", BOM + A, (1,), stored=_zip),
    Case("gzip in gzip", A, (1,), stored=lambda data: _zip(_zip(data))),
    Case("gzip of several members", A + b"\n" + B + b"\n" + C, (1, 2, 3), stored=_members),
    Case("gzip with an empty member", A, (1,), stored=lambda data: _zip(b"") + _zip(data)),
    Case("gzip with padding", A, (1,), stored=lambda data: _zip(data) + b"\0" * 512),
    Case(
        "gzip member that ends within a record",
        A + b"\n" + B,
        (1, 2),
        stored=lambda data: _zip(data[:20]) + _zip(data[20:]),
    ),
    Case("utf 16", A + b"\n" + B, (1, 2), stored=_utf16),
    Case("utf 16 big endian", b"[" + A + b"]", (1,), stored=_utf16_big),
    Case("utf 16 in gzip", A, (1,), stored=lambda data: _zip(_utf16(data))),
]

_WHOLE = [
    Case("empty", b"", rejects=((None, "empty_file"),)),
    Case("blank", b" \n\t\r\n", rejects=((None, "empty_file"),)),
    Case("bom alone", BOM, rejects=((None, "empty_file"),)),
    Case("gzip of nothing", b"", rejects=((None, "empty_file"),), stored=_zip),
    Case("text", b"hello", rejects=((None, "not_json"),)),
    Case("object cut off", A[:-1], rejects=((None, "not_json"),)),
    Case("pretty object cut off", b'{"eventName":\n"a",\n', rejects=((None, "not_json"),)),
    Case("single quotes", b"{'eventName':'a'}", rejects=((None, "not_json"),)),
    Case("control character in text", b'{"eventName":"a\x01"}', rejects=((None, "not_json"),)),
    Case("nul in text unescaped", b'{"eventName":"a\0"}', rejects=((None, "not_json"),)),
    Case("nothing but nul", b"\0\0\0", rejects=((None, "not_json"),)),
    Case(
        "html",
        b"<html><body>503</body></html>",
        rejects=((None, "not_json"),),
    ),
    Case("invalid utf 8", b'{"eventName":"\xff"}', rejects=((None, "not_utf8"),)),
    Case("overlong utf 8", b'{"eventName":"\xc0\xaf"}', rejects=((None, "not_utf8"),)),
    Case("surrogate as utf 8", b'{"eventName":"\xed\xa0\xbd"}', rejects=((None, "not_utf8"),)),
    Case("utf 8 cut in a character", b'{"eventName":"\xe1\xba"}', rejects=((None, "not_utf8"),)),
    Case("above the last character", b'{"a":"\xf4\x90\x80\x80"}', rejects=((None, "not_utf8"),)),
    Case(
        "invalid utf 8 where nobody looks",
        b'{"eventId":"@1","pageUrl":"\xff"}',
        rejects=((None, "not_utf8"),),
    ),
    Case("utf 16 without bom", A, rejects=((None, "not_json"),), stored=_without_bom),
    Case(
        "utf 16 of half a character",
        A,
        rejects=((None, "not_utf8"),),
        stored=lambda data: _utf16(data) + b"{",
    ),
    Case("number", b"5", rejects=((0, "not_an_object"),)),
    Case("quoted text", b'"text"', rejects=((0, "not_an_object"),)),
    Case("null", b"null", rejects=((0, "not_an_object"),)),
    Case("nan alone", b"NaN", rejects=((0, "not_an_object"),)),
    Case("array of a number", b"[5]", rejects=((0, "not_an_object"),)),
    Case("array in an array", b"[[]]", rejects=((0, "not_an_object"),)),
    Case("magic bytes of gzip alone", b"\x1f\x8b", rejects=((None, "truncated_gzip"),)),
    Case("magic bytes and no gzip", b"\x1f\x8bnot gzip", rejects=((None, "corrupt_gzip"),)),
    Case("gzip header alone", A, rejects=((None, "truncated_gzip"),), stored=_head(10)),
    Case("gzip cut at its beginning", A, rejects=((None, "truncated_gzip"),), stored=_head(14)),
    Case(
        "gzip with a tail",
        A,
        rejects=((None, "corrupt_gzip"),),
        stored=lambda data: _zip(data) + b"t",
    ),
    Case(
        "gzip with a wrong checksum",
        A,
        rejects=((None, "corrupt_gzip"),),
        stored=_with_wrong_checksum,
    ),
    Case(
        "gzip of more than may be unpacked",
        A + b" " * 40_000,
        rejects=((None, "object_too_large"),),
        stored=_zip,
    ),
]

_NEIGHBOURS = [
    Case(
        "broken line in the middle",
        A + b'\n{"eventName":\n' + B + b"\n" + C,
        (1, 2, 3),
        ((1, "not_json"),),
    ),
    Case("broken first line", b"rubbish\n" + A, (1,), ((0, "not_json"),)),
    Case("broken last line", A + b"\n" + B[:-3], (1,), ((1, "not_json"),)),
    Case("header line of a csv", b"eventId,eventName\n" + A, (1,), ((0, "not_json"),)),
    Case("first line opens a bracket", b"[rubbish\n" + A + b"\n" + B, (1, 2), ((0, "not_json"),)),
    Case(
        "line that is no utf 8",
        A + b'\n{"eventName":"\xff"}\n' + B,
        (1, 2),
        ((1, "not_utf8"),),
    ),
    Case("line of nul", A + b"\n\0\0\n" + B, (1, 2), ((1, "not_json"),)),
    Case(
        "lines that are no objects",
        A + b'\n5\n"x"\n[]\nnull\n' + B,
        (1, 2),
        tuple((position, "not_an_object") for position in range(1, 5)),
    ),
    Case(
        "objects within a text",
        b"before " + A + b" between " + B + b" after",
        (1, 2),
        ((0, "not_json"), (2, "not_json"), (4, "not_json")),
    ),
    Case(
        "comma between lines", A + b",\n" + B + b",\n" + C, (3,), ((0, "not_json"), (1, "not_json"))
    ),
    Case("comma between objects", A + b"," + B, (1, 2), ((1, "not_json"),)),
    Case("broken element", b"[" + A + b",{bad}," + B + b"]", (1, 2), ((1, "not_json"),)),
    Case(
        "element that is no utf 8",
        b"[" + A + b',{"x":"\xff"},' + B + b"]",
        (1, 2),
        ((1, "not_utf8"),),
    ),
    Case("element that is a number", b"[" + A + b",5," + B + b"]", (1, 2), ((1, "not_an_object"),)),
    Case("missing element", b"[" + A + b",," + B + b"]", (1, 2), ((1, "not_json"),)),
    Case(
        "array in an array beside a broken element",
        b"[" + A + b",[" + B + b"],{bad}," + C + b"]",
        (1, 3),
        ((1, "not_an_object"), (2, "not_json")),
    ),
    Case("array cut in a record", b"[" + A + b"," + B[:-4], (1,), ((1, "not_json"),)),
    Case("array cut after a record", b"[" + A + b"," + B, (1, 2), ((2, "not_json"),)),
    Case("array cut after a comma", b"[" + A + b",", (1,), ((1, "not_json"),)),
    Case("array closed twice", b"[" + A + b"]]", (1,), ((1, "not_json"),)),
    Case("array closed by a brace", b"[" + A + b"}", (1,)),
    Case(
        "array cut in a record of lists",
        b"[" + A + b',{"eventName":"b","items":[{"id":"p1"},{"id":"p2"},{"id":"p3"},{"i',
        (1,),
        ((1, "not_json"),),
    ),
    Case(
        "broken element that holds objects",
        b'[{"eventName":b,"items":[{"id":"p1"},{"id":"p2"},{"id":"p3"}]},' + A + b"]",
        (1,),
        ((0, "not_json"),),
    ),
    *(
        Case(
            f"lost quote or bracket {number} {name}",
            begin + between.join([A, bad, B, C]) + end,
            (1, 2, 3),
            ((1, "not_json"),),
        )
        for number, bad in enumerate(_LOST, 1)
        for name, begin, between, end in (
            ("in an array", b"[", b",", b"]"),
            ("in an array over lines", b"[\n", b",\n", b"\n]\n"),
            ("in lines", b"", b"\n", b"\n"),
        )
    ),
    *(
        Case(
            f"gzip cut {lost} bytes before its end",
            A + b"\n" + B,
            (1, 2),
            ((2, "truncated_gzip"),),
            stored=_cut(lost),
        )
        for lost in (1, 4, 8)
    ),
    Case(
        "gzip cut in a record",
        A + b"\n" + B + b"\n" + C[:30],
        (1, 2),
        ((2, "truncated_gzip"),),
        stored=_flushed,
    ),
    Case("gzip cut where a line ends", A + b"\n", (1,), ((1, "truncated_gzip"),), stored=_flushed),
    Case(
        "gzip cut after a broken line",
        A + b'\n{"x":"\xff"}\n',
        (1,),
        ((1, "not_utf8"), (2, "truncated_gzip")),
        stored=_flushed,
    ),
    Case(
        "gzip cut in a character",
        A + b'\n{"eventName":"\xe1\xba',
        (1,),
        ((1, "truncated_gzip"),),
        stored=_flushed,
    ),
    Case(
        "gzip cut in a character behind a record",
        A + b"\n" + B + b"\xe1\xba",
        (1,),
        ((1, "truncated_gzip"),),
        stored=_flushed,
    ),
    Case(
        "gzip that is no utf 8 and cut",
        b'{"eventName":"\xff"',
        rejects=((None, "truncated_gzip"),),
        stored=_flushed,
    ),
    Case(
        "gzip of an array cut in a record",
        b"[" + A + b"," + B + b"," + C[:30],
        (1, 2),
        ((2, "truncated_gzip"),),
        stored=_flushed,
    ),
    Case(
        "gzip whose second member is cut",
        A + b"\n",
        (1,),
        ((1, "truncated_gzip"),),
        stored=lambda data: _zip(data) + _zip(b"x" * 50)[:12],
    ),
]

_LIMITED = [
    Case("nesting at the limit", _event(1, ',"x":' + "[" * 63 + "]" * 63), (1,)),
    Case("arrays over the limit", _event(1, ',"x":' + "[" * 64 + "]" * 64), (), ((0, "too_deep"),)),
    Case("objects over the limit", b'{"a":' * 65 + b"1" + b"}" * 65, (), ((0, "too_deep"),)),
    Case(
        "element over the limit of nesting",
        b"[" + A + b"," + b"[" * 65 + b"]" * 65 + b"," + B + b"]",
        (1, 2),
        ((1, "too_deep"),),
    ),
    Case(
        "line over the limit of nesting",
        A + b"\n" + b'{"a":' * 65 + b"1" + b"}" * 65 + b"\n" + B,
        (1, 2),
        ((1, "too_deep"),),
    ),
    Case(
        "first line that no parser follows",
        b'{"x":' + b"[" * 1900 + b"]" * 1900 + b"}\n" + A,
        (1,),
        ((0, "too_deep"),),
    ),
    Case(
        "first line that no parser follows and no end",
        b'{"x":' + b"[" * 1900 + b"\n" + A,
        (1,),
        ((0, "too_deep"),),
    ),
    Case(
        "first object that no parser follows",
        b'{"x":' + b"[" * 1900 + b"]" * 1900 + b"}" + A,
        (1,),
        ((0, "too_deep"),),
    ),
    Case(
        "nothing but nesting over lines",
        b'{"x":\n' + b"[" * 1900 + b"\n" + b"]" * 1900 + b"}",
        (),
        ((0, "too_deep"),),
    ),
    Case("brackets in text", _event(1, ',"x":"' + "[{" * 500 + '"'), (1,)),
    Case("many brackets side by side", _event(1, ',"x":[' + ",".join(["{}"] * 500) + "]"), (1,)),
    Case("record at the limit of size", _of_size(1, 4_000), (1,)),
    Case(
        "record over the limit of size",
        _of_size(1, 4_001),
        (),
        ((0, "record_too_large"),),
    ),
    Case(
        "line over the limit of size",
        A + b"\n" + _event(9, ',"x":"' + "x" * 4000 + '"') + b"\n" + B,
        (1, 2),
        ((1, "record_too_large"),),
    ),
    Case(
        "element over the limit of size",
        b"[" + _event(9, ',"x":"' + "x" * 4000 + '"') + b"," + A + b"]",
        (1,),
        ((0, "record_too_large"),),
    ),
    Case(
        "posted array larger than a record",
        b'{"0":'
        + A
        + b","
        + b",".join(b'"%d":{"x":"%s"}' % (number, b"x" * 200) for number in range(1, 30))
        + b"}",
        (1,),
        tuple((number, "not_an_event") for number in range(1, 30)),
    ),
    Case(
        "more records than the limit",
        b"\n".join([A] + [b'{"x":1}'] * 60),
        (1,),
        (*((number, "not_an_event") for number in range(1, 40)), (40, "too_many_records")),
    ),
    Case(
        "number of 5000 digits in a large record",
        A + b'\n{"eventId":"@9","x":' + b"9" * 5000 + b"}",
        (1,),
        ((1, "record_too_large"),),
    ),
]

_IDS = [
    Case(
        "uuid in capitals",
        b'{"eventId":"0B0E0F3E-6D1B-4C57-9A3E-0F2A1B3C4D5E"}',
        ("0b0e0f3e-6d1b-4c57-9a3e-0f2a1b3c4d5e",),
    ),
    Case(
        "id of milliseconds", b'{"eventId":"1761973200123-9f3c"}', (_of_text("1761973200123-9f3c"),)
    ),
    Case(
        "uuid in braces",
        b'{"eventId":"{0b0e0f3e-6d1b-4c57-9a3e-0f2a1b3c4d5e}"}',
        (_of_text("{0b0e0f3e-6d1b-4c57-9a3e-0f2a1b3c4d5e}"),),
    ),
    Case(
        "ids that count as absent",
        b'{"eventId":"'
        + NIL.encode()
        + b'","event_id":"@1","clientId":"undefined","sessionId":" NULL ","userId":""}',
        (1,),
        columns={"client_id": None, "session_id": None, "user_id": None},
    ),
    Case(
        "no event id",
        b'{"sessionId":"s","eventName":"b"}\n{"eventName":"b","sessionId":"s"}\n{"eventName":"b"}',
        (
            _of_content("no event id", b'{"eventName":"b","sessionId":"s"}', 0),
            _of_content("no event id", b'{"eventName":"b","sessionId":"s"}', 1),
            _of_content("no event id", b'{"eventName":"b"}', 0),
        ),
    ),
    Case(
        "event id of another type",
        b'{"eventId":7,"eventName":"b"}',
        (_of_content("event id of another type", b'{"eventId":7,"eventName":"b"}'),),
        coerced={"event_id": 1},
    ),
    Case(
        "id of 256 characters",
        _event(1, ',"userId":"' + "ư" * 256 + '"'),
        (1,),
        columns={"user_id": "ư" * 256},
    ),
    Case(
        "id of 257 characters",
        _event(1, ',"userId":"' + "ư" * 257 + '"'),
        (1,),
        coerced={"user_id": 1},
        columns={"user_id": None},
    ),
    Case("the same id twice in a file", A + b"\n" + A, (1, 1)),
    Case("the same id with another name", A + b"\n" + b'{"eventId":"@1","eventName":"z"}', (1, 1)),
    Case(
        "records that are no events",
        b'{}\n{"product":{"id":"p"}}\n{"eventName":" ","eventId":"null","clientId":""}\n{"userId":"u"}\n'
        + A,
        (1,),
        tuple((position, "not_an_event") for position in range(4)),
    ),
    Case("name alone missing", b'{"eventId":"@1"}', (1,), columns={"event_name": "unknown"}),
]

_VALUES = [
    Case(
        "duplicate keys",
        b'{"eventId":"@9","eventId":"@1","clientId":7,"clientId":"c","product":{"id":"x"},"product":{"name":"n"}}',
        (1,),
        columns={"client_id": "c", "context_product_id": None, "context_product_name": "n"},
    ),
    *(
        Case(
            f"price {name}",
            _event(1, f',"product":{{"id":"p","price":{literal}}}'),
            (1,),
            coerced={} if price else {"context_product_price": 1},
            columns={"context_product_id": "p", "context_product_price": price},
        )
        for name, literal, price in (
            ("nan", "NaN", None),
            ("infinity", "Infinity", None),
            ("minus infinity", "-Infinity", None),
            ("1e999", "1e999", None),
            ("of 1500 digits", "9" * 1500, None),
            ("10 to the 12", "1" + "0" * 12, None),
            ("below 0", "-1", None),
            ("with dots", '"1.990.000"', None),
            ("largest whole", "999999999999", "999999999999"),
            ("largest text", '"999999999999.99"', "999999999999.99"),
            ("of 1000 digits", '"0.' + "3" * 1000 + '"', "0." + "3" * 1000),
            ("smallest float", "5e-324", "0." + "0" * 323 + "5"),
            ("small float", "1e-7", "0.0000001"),
            ("minus 0", "-0.0", "0.0"),
            ("1e5", "1e5", "100000.0"),
        )
    ),
    Case(
        "values of other types",
        _event(
            1,
            ',"userId":5,"userLoginState":[],"clientId":{},"sessionId":true,"isFirstVisit":"maybe"'
            ',"product":{"id":7,"name":{},"price":"x","discountPrice":"NaN","urlPath":0}',
        ),
        (1,),
        coerced={
            "user_id": 1,
            "user_login_state": 1,
            "client_id": 1,
            "session_id": 1,
            "is_first_visit": 1,
            "context_product_id": 1,
            "context_product_name": 1,
            "context_product_price": 1,
            "context_product_discount_price": 1,
            "context_product_url_path": 1,
        },
    ),
    Case(
        "product that is no object",
        _event(1, ',"product":[1],"context_product_id":"p"'),
        (1,),
        coerced={"product": 1},
        columns={"context_product_id": "p"},
    ),
    Case(
        "text of 1025 characters",
        _event(1, ',"product":{"name":"' + "ộ" * 1025 + '"}'),
        (1,),
        coerced={"context_product_name": 1},
        columns={"context_product_name": "ộ" * 1024},
    ),
    Case(
        "name of 101 characters",
        b'{"eventId":"@1","eventName":"' + b"n" * 101 + b'"}',
        (1,),
        coerced={"event_name": 1},
        columns={"event_name": "n" * 100},
    ),
    Case(
        "nul and lone surrogates",
        rb'{"eventId":"@1","eventName":"cli\u0000ck","clientId":"c\ud83d1","sessionId":"\u0000",'
        rb'"product":{"name":"\ud83d\ude00 ok \udc00"}}',
        (1,),
        cleaned={"event_name": 1, "client_id": 1, "session_id": 1, "context_product_name": 1},
        columns={
            "event_name": "click",
            "client_id": "c1",
            "session_id": None,
            "context_product_name": "\U0001f600 ok ",
        },
    ),
    Case(
        "lone surrogate and no event id",
        rb'{"eventName":"b","x":"\ud800"}',
        (_of_content("lone surrogate and no event id", b'{"eventName":"b","x":"\xed\xa0\x80"}'),),
    ),
    Case(
        "what copy would escape",
        _event(1, r',"clientId":"a\\b\tc\nd\re\\N\\."'),
        (1,),
        columns={"client_id": "a\\b\tc\nd\re\\N\\."},
    ),
    Case(
        "unicode is kept",
        _event(1, ',"product":{"name":"Ba\u0300n phi\u0301m","category":"a\u200bb\u00a0c\ufeffd"}'),
        (1,),
        columns={
            "context_product_name": "Ba\u0300n phi\u0301m",
            "context_product_category": "a\u200bb\u00a0c\ufeffd",
        },
    ),
    Case(
        "first time that is valid",
        _event(1, ',"_ingest":{"receivedAt":"rubbish"},"timestamp":"2026-01-02T10:00:00+07:00"'),
        (1,),
        coerced={"event_timestamp": 1},
        columns={"event_timestamp": datetime(2026, 1, 2, 3, tzinfo=UTC)},
    ),
    Case(
        "time in milliseconds",
        _event(1, ',"timestamp":1767322800123'),
        (1,),
        columns={"event_timestamp": _RECEIVED},
    ),
    Case(
        "times out of range",
        _event(1, ',"event_timestamp":"1989-12-31T23:59:59Z","timestamp":1e300'),
        (1,),
        coerced={"event_timestamp": 1},
    ),
    Case(
        "first time of all",
        _event(1, ',"timestamp":"1990-01-01"'),
        (1,),
        columns={"event_timestamp": datetime(1990, 1, 1, tzinfo=UTC)},
    ),
]

_POSTED = [
    Case(
        "posted array",
        b'{"1":'
        + B
        + b',"0":'
        + A
        + b',"10":{"nothing":1},"2":5,"_ingest":{"receivedAt":"2026-01-02T03:00:00.123Z"}}',
        (1, 2),
        ((2, "not_an_object"), (3, "not_an_event")),
        columns={"event_timestamp": _RECEIVED},
    ),
    Case(
        "posted arrays in lines",
        b'{"0":' + A + b',"1":' + B + b'}\n{"0":' + C + b"}\n" + D,
        (1, 2, 3, 4),
    ),
    Case("posted array in an array", b'[{"0":' + A + b',"1":' + B + b"}," + C + b"]", (1, 2, 3)),
    Case("posted array without objects", b'{"0":1,"1":"x"}', (), ((0, "not_an_event"),)),
    Case(
        "posted empty array",
        b'{"_ingest":{"receivedAt":"2026-01-02T03:00:00Z"}}',
        (),
        ((0, "not_an_event"),),
    ),
    Case("event with a key of digits", b'{"0":' + B + b',"eventId":"@1"}', (1,)),
    Case("posted array with an index twice", b'{"0":' + B + b',"0":' + A + b"}", (1,)),
]

CASES = [*_FORMS, *_WHOLE, *_NEIGHBOURS, *_LIMITED, *_IDS, *_VALUES, *_POSTED]
