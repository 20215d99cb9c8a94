"""Shells and commands of sessions: on a pseudo-terminal, or on pipes."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import pty
import shlex
import signal
import struct
import subprocess
import termios
from collections.abc import Callable
from typing import Any

from . import wire

_KILL_AFTER = 0.5
# A terminal's last output may come a moment after its writer's death.
_LAST_OUTPUT = 0.1
# The kernel's line editing keeps 4095 bytes of a line and drops the rest.
_LONGEST_COOKED_LINE = 4000
_COOKED_RETRY = 0.002
_COOKED_PATIENCE = 5.0


def environment() -> dict[str, str]:
    """Make the environment of a session. It has no `_`: dash would export it to every command."""
    home = os.path.expanduser("~")
    user = "root" if os.geteuid() == 0 else os.environ.get("USER", "user")
    return {
        "HOME": home,
        "USER": user,
        "LOGNAME": user,
        "SHELL": "/bin/bash",
        "TERM": "xterm-256color",
        "LANG": "C.UTF-8",
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    }


class Output:
    """One readable descriptor of a process, sent on as far as there is credit."""

    def __init__(self, descriptor: int, kind: int, owner: Process) -> None:
        self.open = True
        self._descriptor = descriptor
        self._kind = kind
        self._owner = owner
        self._watching = False
        os.set_blocking(descriptor, False)

    def pump(self) -> None:
        """Send what there is to read, until it would block, ends, or credit is used up."""
        while self.open and self._owner.credit > 0:
            try:
                data = os.read(self._descriptor, min(wire.CHUNK, self._owner.credit))
            except BlockingIOError:
                self._watch(True)
                return
            except OSError:  # EIO: nobody has the terminal open any more
                data = b""
            if not data:
                self.close()
                return
            self._owner.send_output(self._kind, data)
        self._watch(False)

    def close(self) -> None:
        """Stop reading."""
        self._watch(False)
        self.open = False

    def _watch(self, wanted: bool) -> None:
        if wanted and not self._watching:
            self._owner.loop.add_reader(self._descriptor, self._owner.pump)
        elif self._watching and not wanted:
            self._owner.loop.remove_reader(self._descriptor)
        self._watching = wanted


class Process:
    """A shell or command and its stream."""

    def __init__(
        self,
        number: int,
        request: dict[str, Any],
        send: Callable[[bytes], None],
        over: Callable[[], None],
    ) -> None:
        self.credit = wire.WINDOW
        self.loop = asyncio.get_running_loop()
        self._number = number
        self._send = send
        self._forget = over
        self._input = bytearray()
        self._line_length = 0
        self._held_since: float | None = None
        self._writing = False
        self._exit: int | None = None
        self._over = False
        self._patience_over = False
        self._master: int | None = None
        self._pipes: list[int] = []
        if request["kind"] == "exec":
            self._start_on_pipes(request)
        else:
            self._start_on_terminal(request)
        self._pidfd = os.pidfd_open(self._child.pid)
        self.loop.add_reader(self._pidfd, self._reap)
        send(wire.encode(wire.OPENED, number))
        self.pump()

    def _start_on_terminal(self, request: dict[str, Any]) -> None:
        command = request.get("command", "")
        argv = ["/bin/sh", "-c", command] if request["kind"] == "command" else ["/bin/bash"]
        self._master, slave = pty.openpty()
        self._set_size(int(request.get("columns", 80)), int(request.get("rows", 24)))

        def take_terminal() -> None:
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        try:
            self._child = self._spawn(argv, slave, slave, slave, take_terminal)
        except OSError:
            os.close(self._master)
            raise
        finally:
            os.close(slave)
        self._outputs = [Output(self._master, wire.DATA, self)]

    def _start_on_pipes(self, request: dict[str, Any]) -> None:
        argv = shlex.split(request["command"])
        if not argv:
            raise OSError("the command is empty")
        out, out_end = os.pipe()
        self._pipes = [out]
        err_end = out_end
        if request.get("separate"):
            err, err_end = os.pipe()
            self._pipes.append(err)
        try:
            self._child = self._spawn(argv, subprocess.DEVNULL, out_end, err_end, None)
        except OSError:
            for descriptor in self._pipes:
                os.close(descriptor)
            raise
        finally:
            for descriptor in {out_end, err_end}:
                os.close(descriptor)
        kinds = (wire.DATA, wire.ERROR_DATA)
        self._outputs = [Output(d, k, self) for d, k in zip(self._pipes, kinds, strict=False)]

    @staticmethod
    def _spawn(
        argv: list[str], stdin: int, stdout: int, stderr: int, before: Callable[[], None] | None
    ) -> subprocess.Popen[bytes]:
        variables = environment()
        return subprocess.Popen(
            argv,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            cwd=variables["HOME"],
            env=variables,
            start_new_session=True,
            preexec_fn=before,
        )

    def receive(self, kind: int, payload: bytes) -> None:
        """Take a frame of this stream."""
        if kind == wire.DATA and self._master is not None:
            self._input += payload
            self._write_input()
        elif kind == wire.CREDIT:
            self.credit += wire.number(payload)
            self.pump()
        elif kind == wire.RESIZE:
            self._set_size(*wire.size(payload))
        elif kind == wire.KILL:
            self.kill()

    def pump(self) -> None:
        """Send output on; when all is sent and the program has ended, say so."""
        for output in self._outputs:
            output.pump()
        if self._exit is None or self._over:
            return
        if not any(output.open for output in self._outputs) or (
            self._patience_over and self.credit
        ):
            self._over = True
            self._send(wire.encode_number(wire.EXIT, self._number, self._exit))
            self._close()
            self._forget()

    def _lose_patience(self) -> None:
        """Stop waiting for children in the background that keep the terminal or pipe open."""
        self._patience_over = True
        self.pump()

    def send_output(self, kind: int, data: bytes) -> None:
        """Send one piece of output."""
        self.credit -= len(data)
        self._send(wire.encode(kind, self._number, data))

    def kill(self) -> None:
        """End the program's process group and whatever is in its terminal's foreground."""
        if self._over:
            return
        self._over = True
        groups = {self._child.pid}
        if self._master is not None:
            with contextlib.suppress(OSError):
                groups.add(os.tcgetpgrp(self._master))
        groups.discard(0)
        _signal_groups(groups, signal.SIGHUP)
        _signal_groups(groups, signal.SIGCONT)
        self._close()
        self._forget()
        self.loop.call_later(_KILL_AFTER, _signal_groups, groups, signal.SIGKILL)

    def _reap(self) -> None:
        self.loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        code = self._child.wait()
        self._exit = code if code >= 0 else 128 - code
        self.loop.call_later(_LAST_OUTPUT, self._lose_patience)
        self.pump()

    def _close(self) -> None:
        for output in self._outputs:
            output.close()
        if self._master is not None:
            if self._writing:
                self.loop.remove_writer(self._master)
                self._writing = False
            os.close(self._master)
            self._master = None
        for descriptor in self._pipes:
            os.close(descriptor)
        self._pipes = []

    def _set_size(self, columns: int, rows: int) -> None:
        if self._master is not None:
            packed = struct.pack("HHHH", rows, columns, 0, 0)
            fcntl.ioctl(self._master, termios.TIOCSWINSZ, packed)

    def _write_input(self) -> None:
        """Write what the terminal takes now; long lines wait for a shell that reads them raw."""
        if self._master is None:
            return
        written = 0
        while self._input:
            piece = self._next_piece()
            if not piece:
                break
            try:
                count = os.write(self._master, piece)
            except BlockingIOError:
                break
            except OSError:
                self._input.clear()
                break
            self._note_line(piece[:count])
            del self._input[:count]
            written += count
            if count < len(piece):
                break
        if written:
            self._send(wire.encode_number(wire.CREDIT, self._number, written))
        wanted = bool(self._input) and self._held_since is None
        if wanted and not self._writing:
            self.loop.add_writer(self._master, self._write_input)
        elif self._writing and not wanted:
            self.loop.remove_writer(self._master)
        self._writing = wanted

    def _next_piece(self) -> bytes:
        end = self._input.find(b"\n") + 1
        piece = bytes(self._input[: min(end or len(self._input), 4096)])
        now = self.loop.time()
        held_too_long = self._held_since is not None and now - self._held_since > _COOKED_PATIENCE
        if self._line_length + len(piece) <= _LONGEST_COOKED_LINE or held_too_long:
            self._held_since = None
            return piece
        if self._master is None or not termios.tcgetattr(self._master)[3] & termios.ICANON:
            self._held_since = None
            return piece
        if self._held_since is None:
            self._held_since = now
        self.loop.call_later(_COOKED_RETRY, self._write_input)
        return b""

    def _note_line(self, piece: bytes) -> None:
        position = piece.rfind(b"\n")
        if position >= 0:
            self._line_length = len(piece) - position - 1
        else:
            self._line_length += len(piece)


def _signal_groups(groups: set[int], number: signal.Signals) -> None:
    for group in groups:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, number)
