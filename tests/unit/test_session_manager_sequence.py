"""Numbering, acknowledging and sending again, without sockets or clocks."""

from __future__ import annotations

from local_aws.session_manager.frames import Frame
from local_aws.session_manager.sequence import Receiver, Sender


def _frame(sequence: int) -> Frame:
    return Frame("output_stream_data", sequence, b"%d" % sequence, 1)


def _numbers(ready: list[Frame]) -> list[int]:
    return [frame.sequence for frame in ready]


def test_frames_in_order_are_delivered_one_by_one() -> None:
    receiver = Receiver()
    assert [_numbers(receiver.accept(_frame(n))[1]) for n in (0, 1, 2)] == [[0], [1], [2]]


def test_early_frame_is_acknowledged_and_waits_for_the_gap() -> None:
    receiver = Receiver()
    acknowledged, ready = receiver.accept(_frame(1))
    assert (acknowledged, ready) == (True, [])
    assert _numbers(receiver.accept(_frame(0))[1]) == [0, 1]


def test_repeated_frame_is_acknowledged_again_and_not_delivered() -> None:
    receiver = Receiver()
    receiver.accept(_frame(0))
    assert receiver.accept(_frame(0)) == (True, [])


def test_early_frames_beyond_the_buffer_are_not_acknowledged() -> None:
    receiver = Receiver(capacity=1)
    receiver.accept(_frame(2))
    assert receiver.accept(_frame(3)) == (False, [])


def test_unacknowledged_frame_is_sent_again_and_each_time_later() -> None:
    sender = Sender()
    sender.add(b"a", 0.0)
    asked = [0.04, 0.06, 0.15, 0.17, 0.36, 0.38, 0.77, 0.79]
    assert [at for at in asked if sender.due(at)] == [0.06, 0.17, 0.38, 0.79]


def test_acknowledged_frame_is_not_sent_again() -> None:
    sender = Sender()
    sender.add(b"a", 0.0)
    sender.add(b"b", 0.0)
    sender.acknowledge(0, 0.01)
    assert sender.due(1.0) == [b"b"]


def test_window_is_full_until_a_frame_is_acknowledged() -> None:
    sender = Sender(window=2)
    sender.add(b"a", 0.0)
    assert not sender.full
    sender.add(b"b", 0.0)
    assert sender.full
    sender.acknowledge(1, 0.0)
    assert not sender.full


def test_new_socket_gets_everything_unacknowledged_in_order() -> None:
    sender = Sender()
    for data in (b"a", b"b", b"c"):
        sender.add(data, 0.0)
    sender.acknowledge(1, 0.0)
    assert sender.reconnect(1.0) == [b"a", b"c"]


def test_frame_of_a_former_socket_does_not_fill_the_window() -> None:
    sender = Sender(window=1)
    sender.add(b"a", 0.0)
    sender.reconnect(1.0)
    assert not sender.full


def test_frame_of_a_former_socket_is_forgotten_once_a_later_one_arrived() -> None:
    sender = Sender()
    sender.add(b"old", 0.0)
    sender.reconnect(1.0)
    sender.add(b"new", 1.0)
    sender.acknowledge(1, 1.1)
    assert len(sender) == 0


def test_frame_of_a_former_socket_is_forgotten_after_three_seconds() -> None:
    sender = Sender()
    sender.add(b"old", 0.0)
    sender.reconnect(1.0)
    assert sender.due(3.9) == [b"old"]
    assert sender.due(4.1) == []
    assert len(sender) == 0
