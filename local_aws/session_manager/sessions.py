"""Sessions from StartSession to their end, whichever side ends them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import Callable, Coroutine
from typing import Any

from local_aws.session_manager import port, shell
from local_aws.session_manager.agents import AgentLink, AgentStream, NotConnectedError, RefusedError
from local_aws.session_manager.channel import DataChannel
from local_aws.session_manager.documents import SessionPlan
from local_aws.session_manager.websocket import ServerWebSocket

_LOG = logging.getLogger(__name__)
CONNECT_TIMEOUT = 10.0
_FIRST_CONTACT = 60.0
_LAST_OUTPUT = 5.0
_CLIENT_CLOSES = 1.0
_HISTORY = 200
_LOST = "The instance's agent was lost."


class Session:
    """One session: its token, its data channel, and the task that serves it."""

    def __init__(
        self,
        link: AgentLink,
        plan: SessionPlan,
        resume_window: float,
        ended: Callable[[], None],
        caller: str = "local",
    ) -> None:
        self.id = f"{caller}-{secrets.token_hex(9)[:17]}"
        self.plan = plan
        self.target = link.instance_id
        self.started_at = time.time()
        self.ended_at: float | None = None
        self.token = secrets.token_urlsafe(48)
        self._link = link
        self._resume_window = resume_window
        self._ended = ended
        self._channel = DataChannel()
        self._socket: ServerWebSocket | None = None
        self._task: asyncio.Task[None] | None = None
        self._output = ""
        link.sessions.add(self)
        self._deadline = asyncio.get_running_loop().call_later(_FIRST_CONTACT, self._give_up)

    def renew_token(self) -> str:
        """Make the token for the next socket; the former one is void."""
        self.token = secrets.token_urlsafe(48)
        return self.token

    @property
    def client_connected(self) -> bool:
        """Say whether a client's socket is attached."""
        return self._socket is not None

    async def serve_socket(self, socket: ServerWebSocket) -> None:
        """Use this socket, whose token was right, until it is lost."""
        self._deadline.cancel()
        former, self._socket = self._socket, socket
        if former is not None:
            former.abort()
        self._channel.attach(socket)
        if self._task is None:
            self._task = asyncio.create_task(self._serve())
            self._task.add_done_callback(lambda _: self._finish())
        try:
            while (message := await socket.receive()) is not None:
                if isinstance(message, bytes):
                    self._channel.receive(message)
        finally:
            self._channel.detach(socket)
            if self._socket is socket:
                self._socket = None
                if self.ended_at is None:
                    # A client that says good-bye does not come back.
                    wait = 0.0 if socket.closed_by_peer else self._resume_window
                    loop = asyncio.get_running_loop()
                    self._deadline = loop.call_later(wait, self._give_up)

    def terminate(self) -> None:
        """End it because somebody asked."""
        if self._task is None:
            self._finish()
        else:
            self._task.cancel()

    def lose(self) -> None:
        """End it because the agent is gone."""
        self._output = _LOST
        self.terminate()

    def _give_up(self) -> None:
        if self.ended_at is None:
            _LOG.info("%s: the client is gone", self.id)
            self.terminate()

    async def _serve(self) -> None:
        output = ""
        try:
            output = await self._run()
        except asyncio.CancelledError:
            output = self._output
        except NotConnectedError:
            output = _LOST
        except RefusedError as error:
            output = f"The agent could not start the session: {error}"
        except TimeoutError:
            output = "The instance's agent does not answer."
        except Exception:
            _LOG.exception("%s failed", self.id)
            output = "Session Manager failed; its log says why."
        self._finish()
        self._channel.close(self.id, output)
        if self._socket is not None:
            await self._socket.close_after(_CLIENT_CLOSES)

    async def _run(self) -> str:
        if self.plan.session_type == "Port":
            objection = await self._channel.handshake("Port", self.plan.properties)
            return objection or await port.serve(self._channel, self._link, self.plan)
        stream = shell.start(self._link, self.plan)  # it starts while the handshake goes on
        try:
            objection = await self._channel.handshake(self.plan.session_type, {})
            if objection:
                return objection
            async with asyncio.timeout(CONNECT_TIMEOUT):
                await stream.opened
            return await _first(
                shell.take_input(self._channel, stream),
                self._give_output(stream),
            )
        finally:
            stream.kill()

    async def _give_output(self, stream: AgentStream) -> str:
        result = await shell.give_output(self._channel, stream, self.plan)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_OUTPUT):
                await self._channel.acknowledged()
        return result

    def _finish(self) -> None:
        if self.ended_at is None:
            self.ended_at = time.time()
            self._deadline.cancel()
            self._link.sessions.discard(self)
            self._ended()


async def _first(*work: Coroutine[Any, Any, str]) -> str:
    """Run all, give the first result, cancel the rest."""
    tasks = [asyncio.create_task(one) for one in work]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return next(task for task in tasks if task.done()).result()
    finally:
        for task in tasks:
            task.cancel()


class Sessions:
    """The sessions that live, and the last ones that ended."""

    def __init__(self, resume_window: float) -> None:
        self._resume_window = resume_window
        self.active: dict[str, Session] = {}
        self.history: list[Session] = []

    def start(self, link: AgentLink, plan: SessionPlan, caller: str = "local") -> Session:
        """Make a session that waits for its client; its id begins with the caller's name."""

        def ended() -> None:
            if self.active.pop(session.id, None) is not None:
                self.history.append(session)
                del self.history[:-_HISTORY]
                _LOG.info("%s ended", session.id)

        session = Session(link, plan, self._resume_window, ended, caller)
        self.active[session.id] = session
        _LOG.info("%s started: %s on %s", session.id, plan.document, session.target)
        return session
