"""Shell sessions: the user's terminal, or a program's pipes, at a remote shell."""

from __future__ import annotations

import os
import threading
from collections import deque

from local_aws.session_manager import frames
from local_aws.session_manager.plugin import reactor

TYPE_CHECKING = False  # what `typing` has, without its import
if TYPE_CHECKING:
    from typing import Any

    from local_aws.session_manager.plugin.channel import Channel

_SIZE_PERIOD = 0.5
_BACKLOG = 4 << 20
_INPUT_LIMIT = 16 << 20
_LAST_INPUT = 0.5


class StandardOutput:
    """Write from a thread of its own: whoever reads us may have stopped."""

    def __init__(self) -> None:
        self._pieces: deque[bytes] = deque()
        self._size = 0
        self._condition = threading.Condition()
        threading.Thread(target=self._run, daemon=True).start()

    def write(self, data: bytes) -> None:
        """Take data to be written."""
        with self._condition:
            self._pieces.append(data)
            self._size += len(data)
            self._condition.notify()

    @property
    def size(self) -> int:
        """Say how much is not written yet."""
        return self._size

    def _run(self) -> None:
        while True:
            with self._condition:
                while not self._pieces:
                    self._condition.wait()
                data = b"".join(self._pieces)
                self._pieces.clear()
            view = memoryview(data)
            try:
                while view:
                    view = view[os.write(1, view) :]
            except OSError:  # nobody reads any more
                os._exit(1)
            with self._condition:
                self._size -= len(data)


class Shell:
    """Pass keys one way and output the other, until either side ends."""

    def __init__(self, loop: reactor.Reactor, channel: Channel) -> None:
        self._loop = loop
        self._channel = channel
        self._output = StandardOutput()
        self._input = bytearray()
        self._size: tuple[int, int] | None = None
        self._saved: list[Any] | None = None
        self._paused = False
        self._over = False
        self._reading: bool | None = None

    def watch_input(self) -> None:
        """Read standard input from now on, so that its end is seen whatever the service does."""
        self._reading = True
        self._loop.watch(0, reactor.READ, self._readable)

    def start(self, _properties: dict[str, Any], _agent_version: str) -> None:
        """Begin: send what was typed so far, and the terminal's size."""
        if os.isatty(0):
            import termios
            import tty

            self._saved = termios.tcgetattr(0)
            tty.setraw(0)
        self._send_size()
        self.room()
        self._channel.keep_alive()

    def receive(self, _payload_type: int, payload: bytes) -> None:
        """Show whatever comes: output, standard error, exit codes."""
        self._output.write(payload)
        if self._output.size > _BACKLOG and not self._paused:
            self._paused = True
            self._channel.pause(True)
            self._loop.later(0.01, self._go_on)

    def room(self) -> None:
        """Send input that was held back."""
        while self._input and self._channel.started and not self._channel.full:
            piece = bytes(self._input[:1024])
            del self._input[:1024]
            self._channel.send(frames.DATA, piece)
        if self._reading is False and len(self._input) <= _INPUT_LIMIT // 2:
            self.watch_input()

    def closed(self, output: str) -> None:
        """Show the service's last words, and end when they are written."""
        self._over = True
        self._output.write(output.encode())
        self._end_when_written()

    def stop(self, exit_code: int) -> None:
        """End the session from this side."""
        self._channel.finish(_LAST_INPUT)
        self._loop.stop(exit_code)

    def restore(self) -> None:
        """Give the terminal back as it was."""
        if self._saved is not None:
            import termios

            termios.tcsetattr(0, termios.TCSADRAIN, self._saved)

    def _end_when_written(self) -> None:
        if self._output.size == 0:
            self._loop.stop(0)
        else:
            self._loop.later(0.002, self._end_when_written)

    def _go_on(self) -> None:
        if self._output.size > _BACKLOG // 2:
            self._loop.later(0.01, self._go_on)
        else:
            self._paused = False
            self._channel.pause(False)

    def _readable(self, _events: int) -> None:
        try:
            data = os.read(0, 65536) if self._reading else b""
        except OSError:
            data = b""
        if not data:
            self._loop.forget(0)
            self._end_of_input()
            return
        self._input += data
        self.room()
        if len(self._input) > _INPUT_LIMIT:
            self._reading = False
            self._loop.watch(0, 0, self._readable)  # its end is still reported

    def _end_of_input(self) -> None:
        if not self._over:
            self._output.write(b"\nCannot perform start session: EOF\n")
        self._channel.finish(_LAST_INPUT)
        self._loop.stop(0)

    def _send_size(self) -> None:
        try:
            columns, rows = os.get_terminal_size(1)
        except OSError:
            columns, rows = 300, 100
        if columns and rows and (columns, rows) != self._size:
            self._size = columns, rows
            self._channel.send(frames.SIZE, b'{"cols":%d,"rows":%d}' % (columns, rows))
        self._loop.later(_SIZE_PERIOD, self._send_size)
