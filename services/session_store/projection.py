"""The history of a session: its journal as a model is shown it. Pure.

Of the agent's words there is what the caller heard and no more: a planned segment counts as far as
a SegmentHeard says. Segments that follow one another are one message. A round that calls tools
ends its message, and the results stand right behind it, whoever spoke in between, because that is
the order in which models take them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from google.protobuf.timestamp_pb2 import Timestamp

from voicemesh.session.v1.journal_event_pb2 import (
    ROLE_ASSISTANT,
    ROLE_TOOL,
    ROLE_USER,
    JournalEvent,
    Message,
    RoundAnswered,
    SegmentHeard,
    SegmentPlanned,
    ToolAnswered,
)
from voicemesh.tools.v1.outcome_pb2 import ToolOutcome


def history(events: Iterable[JournalEvent]) -> list[Message]:
    """The messages of a journal, oldest first."""
    made = _History()
    for event in events:
        made.take(event)
    return [message for entry in made.entries for message in entry.messages()]


def outcome_text(outcome: ToolOutcome) -> str:
    """A tool's outcome as the model reads it: the result's JSON, or reason and message."""
    if outcome.WhichOneof("outcome") == "failure":
        return f"{outcome.failure.reason}: {outcome.failure.message}"
    return outcome.result_json


@dataclass(slots=True)
class _Planned:
    """A segment, and how much of it was heard so far."""

    text: str
    heard_length: int = 0


@dataclass(slots=True)
class _Entry:
    """A message, with the segments it is spoken in and the results of the tools it calls."""

    message: Message
    segments: list[_Planned] = field(default_factory=list)
    results: list[Message] = field(default_factory=list)

    def messages(self) -> list[Message]:
        if self.message.role == ROLE_ASSISTANT:
            heard = [s.text[: s.heard_length].strip() for s in self.segments if s.heard_length]
            self.message.text = " ".join(heard)
        said = self.message.text or self.message.tool_calls
        return [self.message, *self.results] if said else []


class _History:
    """What has been read of the journal."""

    def __init__(self) -> None:
        self.entries: list[_Entry] = []
        self._open: dict[str, _Entry] = {}
        self._segments: dict[str, tuple[_Planned, _Entry]] = {}
        self._early: dict[str, list[SegmentHeard]] = {}
        """Heard before planned: gateway and orchestrator write each for themselves."""
        self._calls: dict[str, _Entry] = {}

    def take(self, event: JournalEvent) -> None:
        """Read on by one event; those that say nothing to a model are passed over."""
        when = event.create_time
        match event.WhichOneof("event"):
            case "utterance":
                self._said(event.utterance.utterance, event.utterance.transcript, when)
            case "segment":
                self._planned(event.segment, when)
            case "heard":
                self._heard(event.heard)
            case "round":
                self._answered(event.round, when)
            case "tool":
                self._tool(event.tool, when)

    def _said(self, utterance: str, text: str, when: Timestamp) -> None:
        self._open.clear()
        self._add(Message(cause=utterance, role=ROLE_USER, text=text, create_time=when))

    def _planned(self, segment: SegmentPlanned, when: Timestamp) -> None:
        turn = segment.segment.partition("/")[0]
        entry = self._speaking(turn, segment.agent, when)
        planned = _Planned(segment.text)
        entry.segments.append(planned)
        self._segments[segment.segment] = planned, entry
        for heard in self._early.pop(segment.segment, ()):
            self._heard(heard)

    def _heard(self, heard: SegmentHeard) -> None:
        if heard.segment not in self._segments:
            self._early.setdefault(heard.segment, []).append(heard)
            return
        planned, entry = self._segments[heard.segment]
        planned.heard_length = max(planned.heard_length, heard.heard_text_length)
        entry.message.interrupted |= heard.interrupted

    def _answered(self, answer: RoundAnswered, when: Timestamp) -> None:
        if not answer.tool_calls:
            return
        entry = self._speaking(answer.turn, answer.agent, when)
        entry.message.tool_calls.extend(answer.tool_calls)
        for call in answer.tool_calls:
            self._calls[call.request_id] = entry
        del self._open[answer.turn]

    def _tool(self, answered: ToolAnswered, when: Timestamp) -> None:
        if entry := self._calls.pop(answered.request_id, None):
            result = Message(
                cause=entry.message.cause,
                role=ROLE_TOOL,
                text=outcome_text(answered.outcome),
                request_id=answered.request_id,
                create_time=when,
            )
            entry.results.append(result)

    def _speaking(self, turn: str, agent: str, when: Timestamp) -> _Entry:
        """The turn's open message, or a new one; another agent's words are another message."""
        entry = self._open.get(turn)
        if entry is None or entry.message.agent != agent:
            message = Message(cause=turn, role=ROLE_ASSISTANT, agent=agent, create_time=when)
            entry = self._open[turn] = self._add(message)
        return entry

    def _add(self, message: Message) -> _Entry:
        self.entries.append(_Entry(message))
        return self.entries[-1]
