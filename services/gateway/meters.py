"""What the gateway counts: calls, turns, the frames and audio of each call. Names: `metrics_table`.

A call keeps its own totals as it goes; here they are told, the difference since the last look at a
time. So a frame costs nothing, and a call that lasts is seen while it lasts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from gateway.media import FRAME_SECONDS, SAMPLE_RATE
from gateway.playback import PacingStats
from gateway.turns import Turn
from meshkit import metrics

if TYPE_CHECKING:
    from gateway.call import Call

_STAGES = {
    "final": "end_of_speech_to_final_ms",
    "first_token": "to_first_token_ms",
    "first_segment": "to_first_segment_ms",
    "first_audio": "to_first_audio_ms",
    "first_frame": "to_first_frame_ms",
}
_LATE_MS = {"under_5ms": (0, 5), "under_20ms": (5, 20), "under_60ms": (20, 60), "more": (60, None)}

Totals = dict[tuple[str, str], float]


def turn_finished(turn: Turn) -> None:
    """Count a turn and its stages."""
    if not metrics.is_on():
        return
    row = turn.as_event()
    times = turn.times.as_milliseconds()
    metrics.add("voicemesh_turns_total", agent=turn.agent, outcome=str(row["outcome"]))
    for stage, key in _STAGES.items():
        if (milliseconds := times[key]) is not None:
            metrics.record(
                "voicemesh_turn_stage_seconds",
                max(0.0, milliseconds / 1000),
                agent=turn.agent,
                stage=stage,
            )


class CallMeters:
    """Tells what the live calls have come to, every few seconds and at each end."""

    def __init__(self, live: Callable[[], Iterable[Call]]) -> None:
        self._live = live
        self._told: dict[Call, Totals] = {}

    def look(self) -> None:
        """Tell of every live call what is new."""
        live = list(self._live())
        metrics.gauge("voicemesh_calls_live", len(live))
        for call in live:
            self._tell(call)

    def ended(self, call: Call) -> None:
        """Tell what is new of a call that has ended, for the last time."""
        if metrics.is_on():
            self._tell(call)
        self._told.pop(call, None)

    def _tell(self, call: Call) -> None:
        totals = totals_of(call.parts.player.stats, call.parts.audio.end)
        before = self._told.get(call, {})
        self._told[call] = totals
        for (what, label), total in totals.items():
            new = total - before.get((what, label), 0)
            if what == "frames":
                metrics.add("voicemesh_frames_total", new, late=label)
            elif what == "gaps":
                metrics.add("voicemesh_audio_gaps_total", new)
            else:
                metrics.add("voicemesh_audio_seconds_total", new, direction=label)


def totals_of(stats: PacingStats, caller_samples: int) -> Totals:
    """The totals of a call so far, by what and label. Pure."""
    frames: Totals = {
        ("frames", late): sum(stats.lateness[low:high]) for late, (low, high) in _LATE_MS.items()
    }
    return {
        **frames,
        ("gaps", ""): stats.gaps,
        ("audio", "to_caller"): stats.frames * FRAME_SECONDS,
        ("audio", "from_caller"): caller_samples / SAMPLE_RATE,
    }
