"""Shell and command sessions: an instance's pseudo-terminal or pipes behind a data channel."""

from __future__ import annotations

import json

from local_aws.session_manager import frames
from local_aws.session_manager.agents import AgentLink, AgentStream
from local_aws.session_manager.channel import DataChannel
from local_aws.session_manager.documents import SessionPlan


def start(link: AgentLink, plan: SessionPlan) -> AgentStream:
    """Ask the agent for the shell or command of a plan."""
    linux = plan.properties.get("linux") or {}
    command = str(linux.get("commands", ""))
    if plan.session_type == "NonInteractiveCommands":
        separate = str(linux.get("separateOutputStream", "")).lower() == "true"
        return link.start({"kind": "exec", "command": command, "separate": separate})
    if plan.session_type == "InteractiveCommands":
        return link.start({"kind": "command", "command": command})
    return link.start({"kind": "shell"})


async def take_input(channel: DataChannel, stream: AgentStream) -> str:
    """Pass the client's keys and window sizes on for as long as it lives; say why it ended."""
    while True:
        frame = await channel.read()
        if frame.payload_type == frames.DATA:
            await stream.write(frame.payload)
        elif frame.payload_type == frames.SIZE:
            _resize(stream, frame.payload)
        elif frames.is_termination(frame):
            return ""


async def give_output(channel: DataChannel, stream: AgentStream, plan: SessionPlan) -> str:
    """Send what the program writes until it ends; say why it ended."""
    separate = False
    while True:
        event = await stream.read()
        if event.over:
            break
        separate = separate or event.error_output
        kind = frames.STDERR if event.error_output else frames.DATA
        for start_at in range(0, len(event.data), 16 * 1024):
            await channel.send(kind, event.data[start_at : start_at + 16 * 1024])
        stream.passed_on(len(event.data))
    linux = plan.properties.get("linux") or {}
    if str(linux.get("separateOutputStream", "")).lower() == "true" and event.code is not None:
        await channel.send(frames.EXIT_CODE, f"EXIT_CODE: {event.code}".encode())
    return "" if event.code is not None else "The instance's agent was lost."


def _resize(stream: AgentStream, payload: bytes) -> None:
    try:
        content = json.loads(payload)
        stream.resize(int(content["cols"]), int(content["rows"]))
    except (ValueError, KeyError, TypeError):
        return
