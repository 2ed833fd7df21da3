"""A conversation as its journal tells it, for the pod that goes on with it. Pure.

The last turn is given back with what it had come to: rounds that were answered are used as they
stand, segments that were not heard are said again under their names, tools without an outcome run
under the ids they had. Of turns before it, what nobody heard was not said.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from orchestrator.history import History, Round, Segment, ToolCall, TurnRecord
from orchestrator.tools import told_to_model
from voicemesh.session.v1 import journal_event_pb2 as pb


@dataclass(slots=True)
class Unfinished:
    """The last turn."""

    record: TurnRecord
    cause: str
    rounds_answered: int = 0
    ended: bool = False
    traceparent: str = ""
    """The span that it had."""

    @property
    def to_resume(self) -> bool:
        """Whether there is something to do, or to say again."""
        return not self.ended or (not self.record.interrupted and self._unheard)

    @property
    def _unheard(self) -> bool:
        segments = (s for round_ in self.record.rounds for s in round_.segments)
        return any(segment.heard_length is None for segment in segments)


@dataclass(slots=True)
class Past:
    """What happened so far."""

    history: History
    known: set[str] = field(default_factory=set)
    """Utterances that are journalled."""
    unanswered: list[tuple[str, str]] = field(default_factory=list)
    """Utterances that no turn took up, with what was said."""
    last: Unfinished | None = None

    @property
    def next_turn(self) -> int:
        """The number of the next turn."""
        return int(self.last.record.turn.removeprefix("t")) + 1 if self.last else 0


def read_past(events: Iterable[pb.JournalEvent], max_turns: int) -> Past:
    """The past that a journal tells."""
    reader = _Reader(Past(History(max_turns)))
    for event in events:
        reader.take(event)
    return reader.past


class _Reader:
    def __init__(self, past: Past) -> None:
        self.past = past
        self._open: Round | None = None
        self._lengths: dict[str, int] = {}
        """What was heard of segments; the gateway's note may come before the orchestrator's own."""
        self._calls: dict[str, tuple[Round, ToolCall]] = {}

    def take(self, event: pb.JournalEvent) -> None:
        match event.WhichOneof("event"):
            case "utterance":
                said = event.utterance
                self.past.known.add(said.utterance)
                if text := said.transcript.strip():
                    self.past.unanswered.append((said.utterance, text))
            case "turn_began":
                self._began(event.turn_began)
            case "round":
                self._answered(event.round)
            case "tool":
                self._came_out(event.tool)
            case "segment":
                self._planned(event.segment)
            case "heard":
                self._heard(event.heard)
            case "turn_ended":
                self._ended(event.turn_ended)

    def _began(self, began: pb.TurnBegan) -> None:
        past = self.past
        if past.last is not None:
            _unheard_is_unsaid(past.last.record)
        names = [name for name, _ in past.unanswered]
        taken = names.index(began.cause) + 1 if began.cause in names else 0
        record = past.history.begin(began.turn, [text for _, text in past.unanswered[:taken]])
        del past.unanswered[:taken]
        past.last = Unfinished(record, began.cause, traceparent=began.traceparent)
        self._open = None

    def _answered(self, answered: pb.RoundAnswered) -> None:
        last = self._of_last(answered.turn)
        if last is None:
            return
        round_ = self._round(last)
        round_.calls = tuple(map(_call, answered.tool_calls))
        self._calls |= {call.request_id: (round_, call) for call in round_.calls}
        last.rounds_answered = answered.round + 1
        self._open = None

    def _came_out(self, answered: pb.ToolAnswered) -> None:
        if found := self._calls.pop(answered.request_id, None):
            round_, call = found
            round_.results[call.call_id] = told_to_model(answered.outcome)

    def _planned(self, planned: pb.SegmentPlanned) -> None:
        last = self._of_last(planned.segment.partition("/")[0])
        if last is not None:
            length = self._lengths.get(planned.segment)
            self._round(last).segments.append(Segment(planned.segment, planned.text, length))

    def _heard(self, heard: pb.SegmentHeard) -> None:
        self._lengths[heard.segment] = heard.heard_text_length
        self.past.history.heard(heard.segment, heard.heard_text_length)
        if heard.interrupted:
            self.past.history.interrupted(heard.segment.partition("/")[0])

    def _ended(self, ended: pb.TurnEnded) -> None:
        if last := self._of_last(ended.turn):
            last.ended = True

    def _of_last(self, turn: str) -> Unfinished | None:
        last = self.past.last
        return last if last is not None and last.record.turn == turn else None

    def _round(self, last: Unfinished) -> Round:
        """The round that is being written; segments come before the answer that they are of."""
        if self._open is None:
            self._open = Round()
            last.record.rounds.append(self._open)
        return self._open


def _unheard_is_unsaid(record: TurnRecord) -> None:
    for round_ in record.rounds:
        for segment in round_.segments:
            if segment.heard_length is None:
                segment.heard_length = 0


def _call(call: pb.ToolCall) -> ToolCall:
    tool = call.tool.removeprefix("tools/")
    return ToolCall(call.request_id, call.call_id, tool, call.arguments_json)
