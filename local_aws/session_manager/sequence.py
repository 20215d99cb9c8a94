"""Numbered, acknowledged delivery over sockets that may be lost: both ends use these two classes.

Neither knows a clock or a socket: times are passed in (seconds), frames are handed out.
"""

from __future__ import annotations

TYPE_CHECKING = False  # what `typing` has, without its import
if TYPE_CHECKING:
    from collections.abc import Callable

    from local_aws.session_manager.frames import Frame

_RTO_FIRST = 0.05
_RTO_MAX = 1.0
_OLD_PATIENCE = 3.0


class _Pending:
    """A frame that was sent and is not acknowledged yet."""

    __slots__ = ("data", "due", "old_since", "resends", "sent_at")

    def __init__(self, data: bytes, now: float, rto: float) -> None:
        self.data = data
        self.sent_at = now
        self.due = now + rto
        self.resends = 0
        self.old_since: float | None = None


class Sender:
    """Number frames, keep them until they are acknowledged, and say which to send again."""

    def __init__(self, window: int = 200) -> None:
        self.window = window
        self.next_sequence = 0
        self._pending: dict[int, _Pending] = {}
        self._old = 0
        self._round_trip = 0.0

    def __len__(self) -> int:
        return len(self._pending)

    @property
    def full(self) -> bool:
        """Say whether the window is used up; frames of a former socket do not count."""
        return len(self._pending) - self._old >= self.window

    def add(self, data: bytes, now: float) -> None:
        """Keep the frame that carries `next_sequence`, sent at `now`."""
        self._pending[self.next_sequence] = _Pending(data, now, self._rto())
        self.next_sequence += 1

    def acknowledge(self, sequence: int, now: float) -> None:
        """Forget a frame, and those of a former socket before it."""
        pending = self._pending.pop(sequence, None)
        if pending is None:
            return
        if pending.old_since is not None:
            self._old -= 1
        if pending.resends == 0:
            sample = now - pending.sent_at
            self._round_trip += (sample - self._round_trip) / 8 if self._round_trip else sample
        if self._old:
            self._forget_old(lambda number, _: number < sequence)

    def reconnect(self, now: float) -> list[bytes]:
        """Give everything unacknowledged for a new socket, oldest first.

        The peer may have taken some of it already: it then drops the repetition without a word,
        so these frames must not hold up the ones after them for ever.
        """
        for pending in self._pending.values():
            pending.old_since = now
            pending.due = now + _RTO_FIRST
            pending.resends += 1
        self._old = len(self._pending)
        return [pending.data for pending in self._pending.values()]

    def due(self, now: float, limit: int = 16) -> list[bytes]:
        """Give the frames whose acknowledgement is overdue, oldest first."""
        if self._old:
            self._forget_old(lambda _, p: now - (p.old_since or now) > _OLD_PATIENCE)
        frames = []
        for pending in self._pending.values():
            if pending.due <= now:
                pending.resends += 1
                pending.due = now + min(_RTO_MAX, self._rto() * 2 ** min(pending.resends, 6))
                frames.append(pending.data)
                if len(frames) == limit:
                    break
        return frames

    def next_due(self) -> float | None:
        """Say when `due` should be asked next."""
        first = next(iter(self._pending.values()), None)
        return None if first is None else first.due

    def _rto(self) -> float:
        return min(_RTO_MAX, max(_RTO_FIRST, 4 * self._round_trip))

    def _forget_old(self, condition: Callable[[int, _Pending], bool]) -> None:
        gone = [
            number
            for number, pending in self._pending.items()
            if pending.old_since is not None and condition(number, pending)
        ]
        for number in gone:
            del self._pending[number]
        self._old -= len(gone)


class Receiver:
    """Put frames back in order; say what to deliver and what to acknowledge."""

    def __init__(self, capacity: int = 10_000) -> None:
        self.expected = 0
        self._capacity = capacity
        self._waiting: dict[int, Frame] = {}

    def accept(self, frame: Frame) -> tuple[bool, list[Frame]]:
        """Take a data frame; say whether it is to be acknowledged and what is now in order.

        A repetition is acknowledged again, because its first acknowledgement may be lost.
        """
        if frame.sequence < self.expected:
            return True, []
        if frame.sequence > self.expected:
            if frame.sequence not in self._waiting and len(self._waiting) >= self._capacity:
                return False, []
            self._waiting[frame.sequence] = frame
            return True, []
        ready = [frame]
        self.expected += 1
        while self._waiting and self.expected in self._waiting:
            ready.append(self._waiting.pop(self.expected))
            self.expected += 1
        return True, ready
