"""People at the dashboard without a browser each: they send what a browser sent, and hear what it heard.

Twenty browsers would take the two cores for their own drawing. A visitor is a session of its own at
Shiny Server, begun with the very first message of a real page (`recorded`), and clicks as that did.
Protocols: as in tests/molecule/shiny_session.py.
"""

from __future__ import annotations

import json
import random
import re
import secrets
import string
import threading
import time
import urllib.request
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Page, WebSocket
from websockets.sync.client import connect
from websockets.typing import Origin

from tests.bench.measuring import BenchError

PATIENCE = 120.0
# Silent for so long, a lone visitor has the whole answer: what lies below the chart follows the rest.
QUIET = 1.0
_NUMBERED = re.compile(r"[0-9A-F]+#0\|([mc])\|(.*)", re.DOTALL)
_TOKEN = re.compile(r'data-token="([0-9a-f]+)"')


class Recorded:
    """The first message that a page sends to Shiny: all its inputs."""

    def __init__(self, page: Page) -> None:
        self.inputs: dict[str, Any] = {}
        page.on("websocket", self._listen)

    def _listen(self, socket: WebSocket) -> None:
        socket.on("framesent", self._note)

    def _note(self, frame: str | bytes) -> None:
        text = frame if isinstance(frame, str) else frame.decode()
        if not text.startswith("["):
            return
        for message in json.loads(text):
            found = _NUMBERED.fullmatch(message)
            sent = json.loads(found[2]) if found else {}
            if sent.get("method") == "init":
                self.inputs = sent["data"]


class Visitor:
    """One session at the dashboard; a context manager. Times are seconds.

    `outputs` are those that a click draws anew, as `learn` of another found them.
    """

    def __init__(
        self, url: str, inputs: dict[str, Any], outputs: frozenset[str] = frozenset()
    ) -> None:
        self._outputs = outputs
        parts = urlsplit(url)
        letters = string.ascii_lowercase + string.digits
        name = "".join(secrets.choice(letters) for _ in range(8))
        path = (
            f"{parts.path}__sockjs__/n={secrets.token_hex(9)}/{secrets.randbelow(1000):03}/{name}"
        )
        with urllib.request.urlopen(url, timeout=PATIENCE) as answer:  # noqa: S310 - our own page
            token = _TOKEN.search(answer.read().decode())
        if token is None:
            raise BenchError("the page holds no token")
        self._view = {**inputs["view"], "token": token[1]}
        self._socket = connect(
            f"ws://{parts.netloc}{path}/websocket",
            origin=Origin(f"http://{parts.netloc}"),
            proxy=None,
            ping_interval=None,  # a busy R answers late, which is what is measured
            max_size=None,
            open_timeout=PATIENCE,
        )
        self._sent = 0
        self._socket.recv(PATIENCE)  # SockJS opens
        self._send("0|o|")
        self._send("0|m|" + json.dumps({"method": "init", "data": {**inputs, "view": self._view}}))
        self._rest()

    def __enter__(self) -> Visitor:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def learn(self, **view: Any) -> frozenset[str]:
        """Change the view while nobody else is there; return the outputs that it draws anew."""
        self._change(view)
        return self._rest()

    def click(self, **view: Any) -> float:
        """Change the view; return the time until the last of its outputs had come."""
        began = time.perf_counter()
        self._change(view)
        missing = set(self._outputs)
        while missing:
            for message in self._next(PATIENCE) or []:
                missing -= _drawn(message)
        return time.perf_counter() - began

    def _change(self, view: dict[str, Any]) -> None:
        self._view |= view
        self._send("0|m|" + json.dumps({"method": "update", "data": {"view": self._view}}))

    def _send(self, message: str) -> None:
        self._socket.send(json.dumps([f"{self._sent:X}#{message}"]))
        self._sent += 1

    def _rest(self) -> frozenset[str]:
        """Wait until the app has drawn something and falls silent; return which outputs."""
        found: set[str] = set()
        while True:
            messages = self._next(QUIET if found else PATIENCE)
            if messages is None:
                return frozenset(found)
            for message in messages:
                found |= _drawn(message)

    def _next(self, patience: float) -> list[dict[str, Any]] | None:
        """Return the messages of the next frame, or None without any; with PATIENCE that is an error."""
        try:
            return self._messages(str(self._socket.recv(patience)))
        except TimeoutError:
            if patience < PATIENCE:
                return None
            raise BenchError("the dashboard does not answer a visitor") from None

    @staticmethod
    def _messages(frame: str) -> list[dict[str, Any]]:
        if frame.startswith("c"):
            raise BenchError(f"Shiny Server closed a session: {frame[:300]}")
        found = []
        for text in json.loads(frame[1:]) if frame.startswith("a") else []:
            numbered = _NUMBERED.fullmatch(text)
            if numbered is None:
                continue  # ACK of what was sent
            if numbered[1] == "c":
                raise BenchError(f"the app ended a session: {numbered[2][:300]}")
            found.append(json.loads(numbered[2]))
        return found


def _drawn(message: dict[str, Any]) -> set[str]:
    """Return the outputs that a message draws, be it with nothing or with words of what failed."""
    return {*message.get("values", {}), *message.get("errors", {})}


def click_together(
    visitors: Sequence[Visitor], choices: Sequence[Sequence[dict[str, Any]]], seed: int
) -> list[float]:
    """Let all click at once, each through its own choices with a pause between; return all times.

    A person looks before the next click: the pauses are of half a second to one and a half.
    """
    times: list[list[float]] = [[] for _ in visitors]
    failures: list[Exception] = []

    def person(number: int) -> None:
        pause = random.Random(seed + number)
        try:
            for choice in choices[number]:
                times[number].append(visitors[number].click(**choice))
                time.sleep(pause.uniform(0.5, 1.5))
        except Exception as error:  # raised below, in the thread that measures
            failures.append(error)

    people = [threading.Thread(target=person, args=(number,)) for number in range(len(visitors))]
    for one in people:
        one.start()
    for one in people:
        one.join()
    if failures:
        raise failures[0]
    return [seconds for one in times for seconds in one]


def slowest_tenth(times: Sequence[float]) -> float:
    """Return the time that nine tenths of the clicks stay under."""
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, int(len(ordered) * 0.9))]
