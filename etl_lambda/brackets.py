"""Where values begin and end, by brackets and strings alone: for text that no parser takes."""

from __future__ import annotations

import re
from collections.abc import Iterator

from etl_lambda.unpacking import WHITE

# A whole string, or one character that opens, closes or separates. The string part cannot backtrack.
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{},]', re.DOTALL)


def element(text: bytes, begin: int, until: int) -> tuple[int, int, bytes]:
    """Return where an array's element stops, where its end mark ends, and that mark.

    The mark is a comma, a bracket that closes the array, or nothing at the end of the text.
    """
    depth = 1
    for token in _TOKEN.finditer(text, begin, until):
        mark = token[0]
        if mark in (b"[", b"{"):
            depth += 1
        elif mark in (b"]", b"}"):
            depth -= 1
        if depth == 0 or (depth == 1 and mark == b","):
            return token.start(), token.end(), mark
    return until, until, b""


def top_level(text: bytes) -> Iterator[bytes]:
    """Yield the pieces that begin with `{` and end with its `}`, and what lies between them."""
    begin, depth = 0, 0
    for token in _TOKEN.finditer(text):
        mark = token[0]
        if mark in (b"[", b"{"):
            if depth == 0 and (between := text[begin : token.start()].strip(WHITE)):
                yield between
                begin = token.start()
            depth += 1
        elif mark in (b"]", b"}") and depth:
            depth -= 1
            if depth == 0:
                yield text[begin : token.end()].strip(WHITE)
                begin = token.end()
    if rest := text[begin:].strip(WHITE):
        yield rest


def too_deep(raw: bytes, nesting: int) -> bool:
    """Whether brackets nest deeper than `nesting`; exact only for the rare record with so many."""
    if raw.count(b"{") + raw.count(b"[") <= nesting:
        return False
    depth = 0
    for token in _TOKEN.finditer(raw):
        mark = token[0]
        if mark in (b"[", b"{"):
            depth += 1
            if depth > nesting:
                return True
        elif mark in (b"]", b"}"):
            depth -= 1
    return False
