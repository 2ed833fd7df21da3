"""The agent's audio on its way to the caller: 20 ms frames against a clock. Pure.

Frames go out a little ahead of the moment they are played (`lead_frames`), so that a short stall
of this process is not heard, and no further, so that little is left to throw away at a barge-in.
Every frame remembers which samples of which segment it carries: what was heard is always known.

Times are seconds of one monotonic clock, given as `now`. Sending, and calling `tick` when its
`next_at` comes, is for the player.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from gateway.media import BYTES_PER_SAMPLE, FRAME_BYTES, FRAME_SECONDS, SAMPLE_RATE

_EPSILON = 0.001
"""A timer of the event loop may fire this much early."""


@dataclass(frozen=True, slots=True)
class Played:
    """How far a segment came."""

    segment: str
    heard_samples: int
    received_samples: int
    """Samples that the synthesiser sent."""
    complete: bool
    """Whether those were all there will be."""


@dataclass(frozen=True, slots=True)
class Tick:
    """What to do now."""

    frames: list[bytes]
    """To be sent at once, in order."""
    started: list[str]
    """Segments whose first frame is among them."""
    finished: list[Played]
    """Segments whose last sample has been played."""
    next_at: float | None
    """When to tick again; None: when there is more audio."""


@dataclass(slots=True)
class _Segment:
    name: str
    received: int = 0
    played: int = 0
    complete: bool = False
    started: bool = False


@dataclass(slots=True)
class _Piece:
    """A stretch of one segment's audio."""

    segment: _Segment
    pcm: bytes
    first_sample: int
    arrived: float

    @property
    def samples(self) -> int:
        return len(self.pcm) // BYTES_PER_SAMPLE


@dataclass(slots=True)
class _Frame:
    """Sent, and being played until `ends`."""

    pieces: list[_Piece]
    begins: float
    ends: float


@dataclass(slots=True)
class PacingStats:
    """How evenly frames left."""

    frames: int = 0
    gaps: int = 0
    """Times that the caller heard silence inside a segment."""
    longest_gap_seconds: float = 0.0
    lateness: list[int] = field(default_factory=lambda: [0] * 201)
    """Frames by whole milliseconds that they left after they were due and at hand; the last: more."""

    def record(self, late_seconds: float) -> None:
        """A frame left."""
        self.frames += 1
        self.lateness[min(200, max(0, int(late_seconds * 1000)))] += 1

    def lateness_ms(self, share: float) -> int:
        """The lateness in milliseconds that `share` (0 to 1) of the frames did not exceed."""
        wanted, seen = share * self.frames, 0
        for milliseconds, count in enumerate(self.lateness):
            seen += count
            if count and seen >= wanted:
                return milliseconds
        return 0


class Playback:
    """Segments in the order they were opened; see the module."""

    def __init__(self, lead_frames: int = 2) -> None:
        self.stats = PacingStats()
        self.held = False
        self._lead = (lead_frames - 1) * FRAME_SECONDS
        self._segments: dict[str, _Segment] = {}
        self._queue: deque[_Piece] = deque()
        self._queued_samples = 0
        self._in_flight: deque[_Frame] = deque()
        self._play_head = float("-inf")

    @property
    def active(self) -> bool:
        """Whether a segment is open that was not played to its end."""
        return bool(self._segments)

    @property
    def sounding(self) -> bool:
        """Whether frames were sent that are not played yet."""
        return bool(self._in_flight)

    @property
    def waiting_seconds(self) -> float:
        """Audio that was not sent yet."""
        return self._queued_samples / SAMPLE_RATE

    def open(self, segment: str) -> None:
        """A segment that will be played after those opened before."""
        self._segments.setdefault(segment, _Segment(segment))

    def add(self, segment: str, pcm: bytes, now: float) -> bool:
        """The next audio of an open segment. False for one that is not open: it was cut."""
        known = self._segments.get(segment)
        if known is None or known.complete:
            return False
        piece = _Piece(known, pcm, known.received, now)
        known.received += piece.samples
        self._queue.append(piece)
        self._queued_samples += piece.samples
        return True

    def complete(self, segment: str) -> None:
        """No more audio of a segment will come."""
        if known := self._segments.get(segment):
            known.complete = True

    def tick(self, now: float) -> Tick:
        """What to send and what was played by `now`."""
        self._advance(now)
        frames: list[bytes] = []
        started: list[str] = []
        while not self.held and self._play_head <= now + self._lead + _EPSILON:
            pieces = self._next_pieces()
            if not pieces:
                break
            frames.append(self._send(pieces, now, started))
        return Tick(frames, started, self._finished(), self._next_at(now))

    def hold(self, now: float) -> bool:
        """Stop at once, keeping what was not heard. True if frames must be called back."""
        self._advance(now)
        self.held = True
        called_back = bool(self._in_flight)
        while self._in_flight:
            for piece in reversed(self._in_flight.pop().pieces):
                self._queue.appendleft(piece)
                self._queued_samples += piece.samples
        self._play_head = float("-inf")
        return called_back

    def resume(self) -> None:
        """Go on where `hold` stopped."""
        self.held = False

    def cut(self, now: float) -> list[Played]:
        """Drop everything; how far each open segment came, in order."""
        self._advance(now)
        for frame in self._in_flight:
            _credit(frame, now)
        self._in_flight.clear()
        self._queue.clear()
        self._queued_samples = 0
        self._play_head = float("-inf")
        self.held = False
        left = [_played(segment) for segment in self._segments.values()]
        self._segments.clear()
        return left

    # ------------------------------------------------------------------ parts

    def _advance(self, now: float) -> None:
        while self._in_flight and self._in_flight[0].ends <= now + _EPSILON:
            frame = self._in_flight.popleft()
            _credit(frame, frame.ends)

    def _next_pieces(self) -> list[_Piece]:
        """The next frame's pieces; fewer samples than a frame only at a segment's end."""
        wanted = FRAME_BYTES // BYTES_PER_SAMPLE
        if not self._queue:
            return []
        if self._queued_samples < wanted and not self._queue[-1].segment.complete:
            return []
        pieces: list[_Piece] = []
        while wanted and self._queue:
            piece = self._take(wanted)
            pieces.append(piece)
            wanted -= piece.samples
        return pieces

    def _take(self, most: int) -> _Piece:
        piece = self._queue.popleft()
        if piece.samples > most:
            split = most * BYTES_PER_SAMPLE
            rest = _Piece(
                piece.segment, piece.pcm[split:], piece.first_sample + most, piece.arrived
            )
            self._queue.appendleft(rest)
            piece = _Piece(piece.segment, piece.pcm[:split], piece.first_sample, piece.arrived)
        self._queued_samples -= piece.samples
        return piece

    def _send(self, pieces: list[_Piece], now: float, started: list[str]) -> bytes:
        due = self._play_head - self._lead
        self.stats.record(now - max(due, pieces[0].arrived))
        if pieces[0].first_sample and self._play_head != float("-inf"):
            self._note_gap(now - self._play_head)
        for piece in pieces:
            if not piece.segment.started:
                piece.segment.started = True
                started.append(piece.segment.name)
        begins = max(self._play_head, now)
        self._play_head = begins + FRAME_SECONDS
        self._in_flight.append(_Frame(pieces, begins, self._play_head))
        pcm = pieces[0].pcm if len(pieces) == 1 else b"".join(piece.pcm for piece in pieces)
        return pcm.ljust(FRAME_BYTES, b"\0")

    def _note_gap(self, seconds: float) -> None:
        if seconds > _EPSILON:
            self.stats.gaps += 1
            self.stats.longest_gap_seconds = max(self.stats.longest_gap_seconds, seconds)

    def _finished(self) -> list[Played]:
        finished = []
        for segment in list(self._segments.values()):
            if not segment.complete or segment.played < segment.received:
                break
            del self._segments[segment.name]
            finished.append(_played(segment))
        return finished

    def _next_at(self, now: float) -> float | None:
        if self.held:
            return None
        if self._queue and self._play_head - self._lead > now:
            return self._play_head - self._lead
        return self._in_flight[0].ends if self._in_flight else None


def _played(segment: _Segment) -> Played:
    return Played(segment.name, segment.played, segment.received, segment.complete)


def _credit(frame: _Frame, now: float) -> None:
    """Count as heard what of the frame was played by `now`."""
    heard = round(max(0.0, min(now, frame.ends) - frame.begins) * SAMPLE_RATE)
    for piece in frame.pieces:
        taken = min(heard, piece.samples)
        heard -= taken
        if taken:
            piece.segment.played = max(piece.segment.played, piece.first_sample + taken)
