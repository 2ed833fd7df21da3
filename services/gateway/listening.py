"""The caller's side of a call: what was heard or keyed, made into utterances, and the floor claimed.

It is told of everything by plain callbacks (recogniser, keys) and one timer.
"""

from __future__ import annotations

import asyncio
import time

from gateway.answering import Answering
from gateway.caller_audio import CallerAudio
from gateway.conversation_client import Conversation, Utterance
from gateway.dtmf import DtmfBuffer
from gateway.events import CallEvents
from gateway.hearing import Result
from gateway.media import SAMPLE_RATE
from gateway.timeline import UtteranceTimes
from gateway.turn_taking import TurnTaking


class Listening:
    """The caller's words of one call; `last_utterance` is the number of the last one accepted."""

    def __init__(
        self,
        *,
        events: CallEvents,
        floor: TurnTaking,
        answering: Answering,
        audio: CallerAudio,
        keys: DtmfBuffer,
        conversation: Conversation,
    ) -> None:
        self.last_utterance = 0
        self._events = events
        self._floor = floor
        self._answering = answering
        self._audio = audio
        self._keys = keys
        self._conversation = conversation
        self._loop = asyncio.get_running_loop()
        self._clock = time.monotonic
        self._timer: asyncio.TimerHandle | None = None
        self._open = True

    def close(self) -> None:
        """Nothing counts any more: the call is ending."""
        self._open = False
        self._stop_timer()

    # ------------------------------------------------------------------ from the recogniser

    def speech_began(self) -> None:
        """A voice is heard."""
        if self._open:
            self._answering.follow(self._floor.speech_began(self._clock()))
            self._set_timer()

    def speech_ended(self) -> None:
        """No voice is heard any more."""
        if self._open:
            self._answering.follow(self._floor.speech_ended(self._clock()))
            self._set_timer()

    def result(self, result: Result) -> None:
        """Words; or none in the end, which was a noise."""
        if not self._open or not (result.text or result.is_final):
            return
        if not result.text:
            self._answering.follow(self._floor.no_words())
            self._set_timer()
            return
        name = f"u{self.last_utterance + 1}"
        self._events.emit("transcript", utterance=name, text=result.text, final=result.is_final)
        self._answering.follow(self._floor.words(final=result.is_final))
        self._set_timer()
        if result.is_final:
            self._accept(_spoken(name, result))

    # ------------------------------------------------------------------ from the keys

    def pressed(self, tone: str) -> None:
        """The caller pressed a key."""
        if not self._open:
            return
        self._answering.follow(self._floor.keyed())
        self._keyed(self._keys.press(tone, self._clock()))
        self._set_timer()

    # ------------------------------------------------------------------ parts

    def _keyed(self, keys: str | None) -> None:
        if not keys:
            return
        self._events.emit("dtmf", count=len(keys))
        now = self._audio.end
        name = f"u{self.last_utterance + 1}"
        self._accept(Utterance(name, keys, now, now, confidence=1.0, keyed=True))

    def _accept(self, utterance: Utterance) -> None:
        self.last_utterance += 1
        now = self._clock()
        behind = max(0, self._audio.end - utterance.end_sample) / SAMPLE_RATE
        times = UtteranceTimes(end_of_speech=now - behind, accepted=now)
        self._answering.utterance_accepted(utterance.name, times)
        self._conversation.say(utterance)

    def _set_timer(self) -> None:
        self._stop_timer()
        wakes = [at for at in (self._floor.wake_at, self._keys.wake_at) if at is not None]
        if wakes:
            self._timer = self._loop.call_later(max(0.0, min(wakes) - self._clock()), self._due)

    def _due(self) -> None:
        now = self._clock() + 0.001  # a timer may fire a little early
        self._answering.follow(self._floor.due(now))
        self._keyed(self._keys.due(now))
        self._set_timer()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _spoken(name: str, result: Result) -> Utterance:
    return Utterance(
        name=name,
        text=result.text,
        start_sample=result.start_sample,
        end_sample=result.end_sample,
        language_code=result.language_code,
        confidence=result.confidence,
    )
