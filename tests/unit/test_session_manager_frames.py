"""Frames of the data channel and of smux, byte by byte."""

from __future__ import annotations

import json

import pytest

from local_aws.session_manager import frames, smux

# Type output_stream_data, created 1700000000000, sequence 7, id 00112233-…-eeff, payload "hi".
HI = bytes.fromhex(
    "00000074"
    "6f75747075745f73747265616d5f64617461" + "20" * 14 + "00000001"
    "0000018bcfe56800"
    "0000000000000007"
    "0000000000000000"
    "8899aabbccddeeff0011223344556677"
    "8f434346648f6b96df89dda901c5176b10a6d83961dd3c1ac88b59b2dc327aa4"
    "00000001"
    "00000002"
    "6869"
)
HI_ID = bytes.fromhex("00112233445566778899aabbccddeeff")


def test_data_frame_has_the_bytes_of_the_protocol() -> None:
    frame = frames.Frame("output_stream_data", 7, b"hi", 1, 0, HI_ID)
    assert frame.encode(1700000000000) == HI


def test_reading_gives_every_field() -> None:
    frame = frames.decode(HI)
    assert (frame.type, frame.sequence, frame.payload) == ("output_stream_data", 7, b"hi")
    assert (frame.payload_type, frame.flags) == (1, 0)
    assert frames.id_text(frame.message_id) == "00112233-4455-6677-8899-aabbccddeeff"


def test_type_may_be_padded_with_nul() -> None:
    assert frames.decode(HI.replace(b" ", b"\0")).type == "output_stream_data"


def test_digest_of_other_bytes_is_refused() -> None:
    with pytest.raises(frames.FrameError, match="digest"):
        frames.decode(HI[:-1] + b"o")


def test_creation_date_of_zero_is_refused() -> None:
    with pytest.raises(frames.FrameError, match="date"):
        frames.decode(HI.replace(bytes.fromhex("0000018bcfe56800"), bytes(8)))


def test_header_of_another_length_is_refused() -> None:
    with pytest.raises(frames.FrameError, match="header length 120"):
        frames.decode(b"\x00\x00\x00\x78" + HI[4:])


def test_digest_is_not_checked_when_the_length_says_nothing() -> None:
    no_length = HI[:116] + bytes(4) + b"ho"
    assert frames.decode(no_length).payload == b"ho"


def test_too_few_bytes_are_refused() -> None:
    with pytest.raises(frames.FrameError, match="119 bytes"):
        frames.decode(HI[:119])


def test_acknowledgement_names_the_frame() -> None:
    answer = frames.decode(frames.acknowledgement(frames.decode(HI)))
    assert (answer.type, answer.sequence, answer.flags) == ("acknowledge", 0, 3)
    assert answer.payload_type == 0
    assert json.loads(answer.payload) == {
        "AcknowledgedMessageType": "output_stream_data",
        "AcknowledgedMessageId": "00112233-4455-6677-8899-aabbccddeeff",
        "AcknowledgedMessageSequenceNumber": 7,
        "IsSequentialMessage": True,
    }


def test_channel_closed_carries_the_last_words() -> None:
    frame = frames.decode(frames.channel_closed("local-1", "bye"))
    content = json.loads(frame.payload)
    assert frame.type == content["MessageType"] == "channel_closed"
    assert (content["SessionId"], content["Output"], content["SchemaVersion"]) == (
        "local-1",
        "bye",
        1,
    )


def test_flag_is_four_bytes_big_endian() -> None:
    assert frames.flag_payload(frames.CONNECT_TO_PORT_ERROR) == b"\x00\x00\x00\x03"


def test_smux_frame_is_little_endian() -> None:
    assert smux.encode(smux.PUSH, 3, b"hello").hex() == "0102050003000000" + "68656c6c6f"


def test_smux_open_of_the_second_stream() -> None:
    assert smux.encode(smux.SYN, 5).hex() == "0100000005000000"


def test_smux_frames_may_span_messages() -> None:
    decoder = smux.Decoder()
    whole = bytes.fromhex("0100000003000000010202000300000068690101000003000000")
    assert decoder.feed(whole[:5]) == []
    assert decoder.feed(whole[5:17]) == [(0, 3, b"")]
    assert decoder.feed(whole[17:]) == [(2, 3, b"hi"), (1, 3, b"")]


def test_smux_of_another_version_is_refused() -> None:
    with pytest.raises(smux.SmuxError):
        smux.Decoder().feed(bytes.fromhex("0200000003000000"))
