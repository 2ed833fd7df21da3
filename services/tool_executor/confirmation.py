"""Whether the caller heard a question and said yes to it: read from the journal, never from a model.

A yes counts for the very act that was asked about, if the question was the last thing the caller
heard before it, and if what they said is a yes and nothing else. Everything that is not certain is
asked again. Pure, but for `StoredJournal`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from meshkit.fleet import Fleet
from meshkit.rpc import Retry
from tool_executor.policy import CONSENT_NEEDED
from voicemesh.session.v1 import journal_pb2 as pb
from voicemesh.session.v1.journal_event_pb2 import JournalEvent, ToolCall, UtteranceAccepted
from voicemesh.session.v1.journal_pb2_grpc import JournalServiceStub

CONFIRMATION_NEEDED = "CONFIRMATION_NEEDED"
EXPIRE_SECONDS = 120.0
"""Between the question and the act, by the journal's clock."""
MAX_PAGES = 50
"""Pages of a journal that are read; one that is longer confirms nothing."""

_QUESTIONS = frozenset({CONFIRMATION_NEEDED, CONSENT_NEEDED})
_KEY_FOR_YES = re.compile(r"1#?")
_WORD = re.compile(r"\w+(?:[.,']\w+)*|\?")
_FILLER = r"(?:um|uh|er|hmm|well|oh|so|and|please|thanks|thank you|then|that is|that's|it is|it's)"
_AGREED = (
    r"(?:yes|yeah|yep|yup|sure|ok|okay|right|correct|fine|absolutely|certainly|definitely|of course"
    r"|go ahead|do it|do that|i do|i agree|i confirm|i consent|confirm|confirmed|agreed|please do)"
)
_YES = re.compile(rf"(?:{_FILLER} )*{_AGREED}(?: (?:{_FILLER}|{_AGREED}))*")


@dataclass(frozen=True, slots=True)
class Question:
    """What must have been asked."""

    reason: str
    """CONFIRMATION_NEEDED or CONSENT_NEEDED."""
    message: str
    """The outcome's message, as it would be given now."""
    heard: str
    """What of it the caller must have heard; the rest may be spoken over."""


class Journal(Protocol):
    """Where a session's journal is read."""

    async def events(self, session: str) -> Sequence[JournalEvent]:
        """All of it, oldest first. Raises MeshError."""
        ...


class StoredJournal:
    """That of the session-store; each page takes `seconds` at most."""

    def __init__(self, store: Fleet, *, seconds: float) -> None:
        self._store, self._seconds = store, seconds

    async def events(self, session: str) -> Sequence[JournalEvent]:
        """See Journal. Empty if the journal is longer than what is read."""
        events: list[JournalEvent] = []
        request = pb.ListEventsRequest(parent=session, page_size=1000)
        for _ in range(MAX_PAGES):
            answer = await self._store.unary(
                JournalServiceStub, "ListEvents", request, timeout=self._seconds, retry=Retry()
            )
            events += answer.events
            if not answer.next_page_token:
                return events
            request.page_token = answer.next_page_token
        return []


class NoJournal:
    """Nothing can be read, so nothing is confirmed."""

    async def events(self, session: str) -> Sequence[JournalEvent]:
        """No event."""
        return []


def agreed_to(
    events: Sequence[JournalEvent],
    request_id: str,
    question: Question,
    same: Callable[[ToolCall], bool],
) -> str:
    """The request_id whose question the caller said yes to; empty if to none.

    `request_id` is the run that is to be allowed by it. `same` tells whether a call is of the same
    tool on the same arguments. Only the session's last question counts: a later one replaces it.
    """
    at = _last_question(events, request_id)
    if at is None:
        return ""
    asked, after = events[at].tool, events[at + 1 :]
    failure = asked.outcome.failure
    if (failure.reason, failure.message) != (question.reason, question.message):
        return ""
    call = _call_of(events, asked.request_id)
    if call is None or not same(call) or _expired(events[at], events[-1]):
        return ""
    reply = _reply(after, _turn_of(asked.request_id), _turn_of(request_id))
    if reply is None or not _heard(after, _turn_of(asked.request_id), question.heard):
        return ""
    return asked.request_id if all(map(_reads_as_yes, _said(reply))) else ""


def reads_as_yes(text: str) -> bool:
    """Whether words are a yes and nothing else; a yes with a condition is not one."""
    words = " ".join(word for word in _words(text) if word != "?")
    return _YES.fullmatch(words) is not None


def _last_question(events: Sequence[JournalEvent], request_id: str) -> int | None:
    for at in range(len(events) - 1, -1, -1):
        asked = events[at].tool
        reason = asked.outcome.failure.reason if events[at].HasField("tool") else ""
        if reason in _QUESTIONS and asked.request_id != request_id:
            return at
    return None


def _call_of(events: Sequence[JournalEvent], request_id: str) -> ToolCall | None:
    calls = (call for event in events for call in event.round.tool_calls)
    return next((call for call in calls if call.request_id == request_id), None)


def _reply(
    after: Sequence[JournalEvent], asking: str, acting: str
) -> list[UtteranceAccepted] | None:
    """What the caller said to the question; None if something else was said to them before or after.

    The turn that acts may already have spoken, such as "one moment".
    """
    if any(
        event.HasField("segment") and event.segment.segment.split("/")[0] not in (asking, acting)
        for event in after
    ):
        return None
    reply = [event.utterance for event in after if event.HasField("utterance")]
    return reply or None


def _heard(after: Sequence[JournalEvent], turn: str, wanted: str) -> bool:
    """Whether the caller heard these words in the turn, and no other question after them."""
    texts = {
        event.segment.segment: event.segment.text
        for event in after
        if event.HasField("segment") and event.segment.segment.startswith(f"{turn}/")
    }
    lengths = dict.fromkeys(texts, 0)
    for event in after:
        if event.HasField("heard") and event.heard.segment in lengths:
            name = event.heard.segment
            lengths[name] = max(lengths[name], event.heard.heard_text_length)
    heard = _words(" ".join(text[: lengths[name]] for name, text in texts.items()))
    words = _words(wanted)
    for at in range(len(heard) - len(words), -1, -1):
        if heard[at : at + len(words)] == words:
            return "?" not in heard[at + len(words) :]
    return False


def _said(reply: Sequence[UtteranceAccepted]) -> list[UtteranceAccepted]:
    """Spoken utterances as one, since a pause may part them; keys by themselves."""
    spoken = " ".join(one.transcript for one in reply if not one.keyed)
    keyed = [one for one in reply if one.keyed]
    return [UtteranceAccepted(transcript=spoken), *keyed] if spoken.strip() else keyed


def _reads_as_yes(said: UtteranceAccepted) -> bool:
    if said.keyed:
        return _KEY_FOR_YES.fullmatch(said.transcript.strip()) is not None
    return reads_as_yes(said.transcript)


def _expired(asked: JournalEvent, last: JournalEvent) -> bool:
    passed = last.create_time.ToMilliseconds() - asked.create_time.ToMilliseconds()
    return passed > EXPIRE_SECONDS * 1000


def _turn_of(request_id: str) -> str:
    return request_id.split("/")[-3]


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())
