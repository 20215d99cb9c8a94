"""Binary frames of the data channel, as AWS's plugin and agent exchange them.

The plugin pays for every import at each start, so this module takes nothing but the basics.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
import time

INPUT = "input_stream_data"
OUTPUT = "output_stream_data"
ACKNOWLEDGE = "acknowledge"
CHANNEL_CLOSED = "channel_closed"

# Payload types.
DATA = 1
SIZE = 3
HANDSHAKE_REQUEST = 5
HANDSHAKE_RESPONSE = 6
HANDSHAKE_COMPLETE = 7
FLAG = 10
STDERR = 11
EXIT_CODE = 12

# Values of a FLAG payload.
DISCONNECT_TO_PORT = 1
TERMINATE_SESSION = 2
CONNECT_TO_PORT_ERROR = 3

FLAG_SYN = 1
FLAG_SYN_FIN = 3

_HEADER = struct.Struct(">I32sIQqQ16s32sII")
_HEADER_LENGTH = 116
_FLAG_VALUE = struct.Struct(">I")


class FrameError(Exception):
    """A frame that must be dropped without acknowledgement."""


class Frame:
    """One message of the data channel."""

    __slots__ = ("flags", "message_id", "payload", "payload_type", "sequence", "type")

    def __init__(
        self,
        type: str,  # noqa: A002 - the protocol's own word
        sequence: int,
        payload: bytes,
        payload_type: int = 0,
        flags: int = 0,
        message_id: bytes = b"",
    ) -> None:
        self.type = type
        self.sequence = sequence
        self.payload = payload
        self.payload_type = payload_type
        self.flags = flags
        self.message_id = message_id or new_id()

    def encode(self, created_ms: int | None = None) -> bytes:
        """Give the bytes on the wire; `created_ms` is the epoch in ms, now by default."""
        created = int(time.time() * 1000) if created_ms is None else created_ms
        return (
            _HEADER.pack(
                _HEADER_LENGTH,
                self.type.encode().ljust(32),
                1,
                created,
                self.sequence,
                self.flags,
                self.message_id[8:] + self.message_id[:8],
                hashlib.sha256(self.payload).digest(),
                self.payload_type,
                len(self.payload),
            )
            + self.payload
        )


def decode(data: bytes) -> Frame:
    """Read one frame; raise FrameError for a wrong length, date, version or digest."""
    if len(data) < _HEADER.size:
        raise FrameError(f"{len(data)} bytes are less than a header")
    (length, name, _version, created, sequence, flags, swapped, digest, kind, size) = (
        _HEADER.unpack_from(data)
    )
    if length != _HEADER_LENGTH:
        raise FrameError(f"header length {length}")
    if created == 0:
        raise FrameError("no creation date")
    payload = data[_HEADER.size :]
    if size != 0 and hashlib.sha256(payload).digest() != digest:
        raise FrameError("the digest does not fit the payload")
    type_name = name.rstrip(b"\0 ").decode("ascii", "replace")
    return Frame(type_name, sequence, payload, kind, flags, swapped[8:] + swapped[:8])


def new_id() -> bytes:
    """Make the 16 bytes of a random (version 4) UUID."""
    raw = bytearray(os.urandom(16))
    raw[6] = raw[6] & 0x0F | 0x40
    raw[8] = raw[8] & 0x3F | 0x80
    return bytes(raw)


def id_text(raw: bytes) -> str:
    """Write a UUID's 16 bytes in its usual form."""
    text = raw.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def acknowledgement(frame: Frame) -> bytes:
    """Make the frame that acknowledges a data frame."""
    content = {
        "AcknowledgedMessageType": frame.type,
        "AcknowledgedMessageId": id_text(frame.message_id),
        "AcknowledgedMessageSequenceNumber": frame.sequence,
        "IsSequentialMessage": True,
    }
    payload = json.dumps(content, separators=(",", ":")).encode()
    return Frame(ACKNOWLEDGE, 0, payload, 0, FLAG_SYN_FIN).encode()


def acknowledged_sequence(frame: Frame) -> int:
    """Read the number that an acknowledgement is for; raise FrameError if there is none."""
    try:
        return int(json.loads(frame.payload)["AcknowledgedMessageSequenceNumber"])
    except (ValueError, KeyError, TypeError) as error:
        raise FrameError(f"acknowledgement without a number: {error}") from error


def is_termination(frame: Frame) -> bool:
    """Say whether this is the client's wish to end the session."""
    return frame.payload_type == FLAG and flag_value(frame.payload) == TERMINATE_SESSION


def channel_closed(session_id: str, output: str) -> bytes:
    """Make the frame that ends a session; `output` is shown to the user."""
    message_id = new_id()
    content = {
        "MessageId": id_text(message_id),
        "CreatedDate": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "DestinationId": id_text(new_id()),
        "SessionId": session_id,
        "MessageType": CHANNEL_CLOSED,
        "SchemaVersion": 1,
        "Output": output,
    }
    payload = json.dumps(content, separators=(",", ":")).encode()
    return Frame(CHANNEL_CLOSED, 0, payload, 0, FLAG_SYN_FIN, message_id).encode()


def flag_payload(value: int) -> bytes:
    """Encode the value of a FLAG frame."""
    return _FLAG_VALUE.pack(value)


def flag_value(payload: bytes) -> int:
    """Read the value of a FLAG frame; 0 if there is none."""
    return int(_FLAG_VALUE.unpack(payload)[0]) if len(payload) == _FLAG_VALUE.size else 0
