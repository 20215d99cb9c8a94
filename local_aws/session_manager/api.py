"""The API actions of Session Manager, on JSON 1.1."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

from local_aws.session_manager import documents
from local_aws.session_manager.agents import AgentLink, Agents, NotConnectedError
from local_aws.session_manager.sessions import Session, Sessions

_LOG = logging.getLogger(__name__)
_Answer = tuple[int, dict[str, Any]]


class ApiError(Exception):
    """An answer with an error code of the API."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Api:
    """Actions by name; each takes the request's JSON object and gives the answer's."""

    def __init__(self, agents: Agents, sessions: Sessions, stream_url: str) -> None:
        self._agents = agents
        self._sessions = sessions
        self._stream_url = stream_url
        self._actions: dict[str, Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]] = {
            "ResumeSession": self._resume,
            "TerminateSession": self._terminate,
            "DescribeSessions": self._describe_sessions,
            "GetConnectionStatus": self._connection_status,
            "DescribeInstanceInformation": self._describe_instances,
        }

    async def call(self, target: str, request: dict[str, Any], caller: str = "local") -> _Answer:
        """Do one action (X-Amz-Target's value); give the HTTP status and the answer.

        Ids of sessions that it starts begin with the caller's name.
        """
        name = target.removeprefix("AmazonSSM.")
        try:
            if name == "StartSession":
                return 200, await self._start(request, caller)
            action = self._actions.get(name)
            if action is None:
                raise ApiError("UnknownOperationException", f"{name} is not supported here")
            return 200, await action(request)
        except NotConnectedError as error:
            return 400, _error("TargetNotConnected", f"{error} is not connected.")
        except (ApiError, documents.DocumentError) as error:
            return 400, _error(error.code, str(error))
        except Exception:
            _LOG.exception("%s failed", name)
            return 500, _error("InternalServerError", f"{name} failed; the log says why")

    async def _start(self, request: dict[str, Any], caller: str) -> dict[str, Any]:
        link = self._agents.get(_text(request, "Target"))
        parameters = request.get("Parameters") or {}
        plan = await asyncio.to_thread(documents.plan, request.get("DocumentName"), parameters)
        return self._opened(self._sessions.start(link, plan, caller))

    async def _resume(self, request: dict[str, Any]) -> dict[str, Any]:
        session = self._sessions.active.get(_text(request, "SessionId"))
        if session is None:
            raise ApiError("DoesNotExistException", "Session doesn't exist")
        session.renew_token()
        return self._opened(session)

    async def _terminate(self, request: dict[str, Any]) -> dict[str, Any]:
        # A dead session is no error: aws_ssm would repeat the call for ever.
        session_id = _text(request, "SessionId")
        session = self._sessions.active.get(session_id)
        if session is not None:
            session.terminate()
        return {"SessionId": session_id}

    async def _describe_sessions(self, request: dict[str, Any]) -> dict[str, Any]:
        active = request.get("State") != "History"
        source = list(self._sessions.active.values()) if active else self._sessions.history
        wanted = {f.get("key"): f.get("value") for f in request.get("Filters") or []}
        found = [
            session
            for session in reversed(source)
            if wanted.get("Target") in (None, session.target)
            and wanted.get("SessionId") in (None, session.id)
        ]
        return {"Sessions": [_session_entry(session) for session in found]}

    async def _connection_status(self, request: dict[str, Any]) -> dict[str, Any]:
        target = _text(request, "Target")
        status = "connected" if self._agents.connected(target) else "notconnected"
        return {"Target": target, "Status": status}

    async def _describe_instances(self, request: dict[str, Any]) -> dict[str, Any]:
        wanted: dict[str, list[str]] = {}
        for item in request.get("Filters") or []:
            wanted[str(item.get("Key"))] = list(item.get("Values") or [])
        for item in request.get("InstanceInformationFilterList") or []:
            wanted[str(item.get("key"))] = list(item.get("valueSet") or [])
        entries = []
        for link in self._agents.known.values():
            entry = _instance_entry(link, self._agents.connected(link.instance_id))
            ids, status = wanted.get("InstanceIds"), wanted.get("PingStatus")
            if (ids is None or entry["InstanceId"] in ids) and (
                status is None or entry["PingStatus"] in status
            ):
                entries.append(entry)
        return {"InstanceInformationList": entries}

    def _opened(self, session: Session) -> dict[str, Any]:
        return {
            "SessionId": session.id,
            "TokenValue": session.token,
            "StreamUrl": f"{self._stream_url}/{session.id}",
        }


def _text(request: dict[str, Any], name: str) -> str:
    value = request.get(name)
    if not isinstance(value, str) or not value:
        raise ApiError("ValidationException", f"{name} is missing")
    return value


def _error(code: str, message: str) -> dict[str, Any]:
    return {"__type": code, "message": message, "Message": message}


def _session_entry(session: Session) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "SessionId": session.id,
        "Target": session.target,
        "Status": "Connected" if session.client_connected else "Connecting",
        "StartDate": session.started_at,
        "DocumentName": session.plan.document,
    }
    if session.ended_at is not None:
        entry.update(Status="Terminated", EndDate=session.ended_at)
    return entry


def _instance_entry(link: AgentLink, connected: bool) -> dict[str, Any]:
    return {
        "InstanceId": link.instance_id,
        "PingStatus": "Online" if connected else "ConnectionLost",
        "LastPingDateTime": min(link.heard_at, time.time()),
        "AgentVersion": str(link.about.get("agent_version", "")),
        "IsLatestVersion": True,
        "PlatformType": "Linux",
        "PlatformName": str(link.about.get("platform_name", "")),
        "PlatformVersion": str(link.about.get("platform_version", "")),
        "ResourceType": "EC2Instance",
        "IPAddress": str(link.about.get("ip_address", "")),
        "ComputerName": str(link.about.get("computer_name", "")),
    }
