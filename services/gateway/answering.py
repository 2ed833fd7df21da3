"""The agent's side of a call: turns and their segments, from the orchestrator's words to what was
heard of them.

It is told of everything by plain callbacks (conversation, speech, playing), keeps `Turns`, and
passes on: text to the synthesiser, audio to the player, what was heard to journal and orchestrator,
and every step to the call's events.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from gateway import meters, notices, turn_spans
from gateway.conversation_client import Conversation
from gateway.events import CallEvents
from gateway.heard import SpokenText
from gateway.journal import Journal
from gateway.playback import Played
from gateway.player import Player
from gateway.speaking import Speaking, Voice
from gateway.timeline import TurnTimes, UtteranceTimes, after_utterance
from gateway.turn_taking import Decision, TurnTaking
from gateway.turns import Outcome, Turn, Turns

GREETING = "greeting"


class Answering:
    """The agent's mouth and memory of one call; its parts are given by `connect`."""

    def __init__(
        self,
        *,
        events: CallEvents,
        turns: Turns,
        floor: TurnTaking,
        journal: Journal,
        connected_at: float,
        on_turn: Callable[[Turn], None],
    ) -> None:
        self._events = events
        self._turns = turns
        self._floor = floor
        self._journal = journal
        self._connected_at = connected_at
        self._on_turn = on_turn
        self._clock = time.monotonic
        self._utterances: dict[str, UtteranceTimes] = {}
        self._voice = Voice()
        self._silenced = False
        self._muted = False
        self._notice: asyncio.Future[bool] | None = None
        self.agent = ""

    def connect(self, conversation: Conversation, speaking: Speaking, player: Player) -> None:
        """Give the parts that tell this object what happens, and are told by it."""
        self._conversation = conversation
        self._speaking = speaking
        self._player = player

    def utterance_accepted(self, utterance: str, times: UtteranceTimes) -> None:
        """A turn that this utterance causes is timed from its end."""
        self._utterances[utterance] = times

    # ------------------------------------------------------------------ from the conversation

    def turn_started(self, turn: str, cause: str, agent: str, voice: Voice) -> None:
        """The agent takes the floor."""
        if self._silenced:
            return
        if (before := self._turns.current) is not None and before.name != turn:
            self._report(before, anyway=True)
        self.agent = agent
        self._voice = voice
        begun = self._turns.begin(turn, cause, agent, self._times(cause))
        self._events.emit("turn_started", turn=turn, cause=cause, agent=agent)
        self._on_turn(begun)
        self.follow(self._floor.turn_began())

    def segment(self, segment: str, text: str) -> None:
        """The next thing to say."""
        turn = None if self._silenced else self._turns.plan(segment, text)
        if turn is None:
            return
        if turn.times.first_segment is None:
            turn.times.first_segment = self._clock()
        self._events.emit("segment", turn=turn.name, segment=segment, text=text)
        self._player.open(segment)
        if text.strip():
            self._speaking.say(segment, text, self._voice)
        else:
            self._player.complete(segment)

    def tool_call(self, turn: str, tool: str) -> None:
        """A tool is running."""
        self._events.emit("tool_call", turn=turn, tool=tool)

    def turn_completed(
        self, turn: str, outcome: Outcome, first_token_seconds: float | None
    ) -> None:
        """The agent has nothing more to say this turn."""
        known = self._turns.get(turn)
        if known is None:
            return
        known.outcome = outcome
        known.times.first_token_seconds = first_token_seconds
        self._report(known)

    # ------------------------------------------------------------------ from the synthesiser

    def audio(self, segment: str, pcm: bytes) -> None:
        """The next audio of a segment."""
        if found := self._turns.of_segment(segment):
            times = found[0].times
            if times.first_audio is None:
                times.first_audio = self._clock()
        self._player.add(segment, pcm)

    def word(self, segment: str, text_offset: int, text_length: int, sample: int) -> None:
        """A word of the segment's text starts at a sample of its audio."""
        if found := self._turns.of_segment(segment):
            found[1].boundary(text_offset, text_length, sample)

    def spoken(self, segment: str) -> None:
        """No more audio of the segment will come."""
        self._player.complete(segment)

    # ------------------------------------------------------------------ from the player

    def segment_started(self, segment: str) -> None:
        """The first frame of a segment left."""
        if found := self._turns.of_segment(segment):
            times = found[0].times
            if times.first_frame is None:
                times.first_frame = self._clock()

    def segment_played(self, played: Played) -> None:
        """A segment was played to its end."""
        if played.segment == notices.SEGMENT:
            self._notice_done(True)
        elif found := self._turns.of_segment(played.segment):
            turn, spoken = found
            turn.pending.discard(played.segment)
            self._heard_until_now(turn, played)
            self._heard(played, len(spoken.text), interrupted=False)
            self._report(turn)

    # ------------------------------------------------------------------ who has the floor

    def follow(self, decision: Decision) -> None:
        """Do with the agent's speech what turn taking decided."""
        if self._silenced:
            return
        if decision is Decision.HOLD:
            self._player.hold()
        elif decision is Decision.RESUME:
            self._player.resume()
        elif decision is Decision.CUT:
            self._cut_turn()

    def hang_up(self) -> None:
        """The call is over: what was being said is cut, and every turn is reported."""
        self.silence()
        self._notice_done(False)

    def silence(self) -> None:
        """Say nothing more of the conversation; what was being said is cut."""
        if self._silenced:
            return
        self._silenced = True
        self._floor.turn_over()
        self._cut_segments()
        for turn in self._turns.unfinished():
            turn.cut = turn.cut or bool(turn.pending) or turn.outcome is None
            turn.pending.clear()
            self._report(turn, anyway=True)

    async def notice(self, text: str) -> bool:
        """Speak for the gateway itself, and wait until it was heard. False if it could not be."""
        self.silence()
        if self._muted:
            return False
        self._notice = asyncio.get_running_loop().create_future()
        self._player.open(notices.SEGMENT)
        self._speaking.say(notices.SEGMENT, text, Voice())
        try:
            async with asyncio.timeout(notices.SECONDS):
                return await self._notice
        except TimeoutError:
            return False

    def mute(self) -> None:
        """The synthesiser is gone: no notice will be heard."""
        self._muted = True
        self._notice_done(False)

    # ------------------------------------------------------------------ parts

    def _times(self, cause: str) -> TurnTimes:
        if times := self._utterances.pop(cause, None):
            return after_utterance(times)
        return TurnTimes(self._connected_at if cause == GREETING else self._clock())

    def _cut_turn(self) -> None:
        segment, length = self._cut_segments() or ("", 0)
        for turn in self._turns.unfinished():
            turn.cut = True
            turn.pending.clear()
            self._conversation.interruption(turn.name)
            if turn is self._turns.current:
                self._events.emit(
                    "barge_in", turn=turn.name, segment=segment, heard_text_length=length
                )
            self._report(turn)

    def _cut_segments(self) -> tuple[str, int] | None:
        """Cut what is being said; the segment that was being heard, and how much of it was."""
        left = self._player.cut()
        self._speaking.cancel([played.segment for played in left])
        heard_last = None
        for played in left:
            found = self._turns.of_segment(played.segment)
            if found is None:
                continue
            length = self._heard_length(found[1], played)
            self._heard_until_now(found[0], played)
            self._heard(played, length, interrupted=True)
            if heard_last is None or played.heard_samples:
                heard_last = (played.segment, length)
        return heard_last

    def _heard_length(self, spoken: SpokenText, played: Played) -> int:
        return spoken.heard_length(played.heard_samples, played.received_samples, played.complete)

    def _heard_until_now(self, turn: Turn, played: Played) -> None:
        if played.heard_samples:
            turn.times.last_heard = self._clock()

    def _heard(self, played: Played, length: int, *, interrupted: bool) -> None:
        self._journal.heard(played.segment, played.heard_samples, length, interrupted=interrupted)
        self._conversation.heard(played.segment, length, interrupted=interrupted)

    def _report(self, turn: Turn, *, anyway: bool = False) -> None:
        """Tell that a turn is finished, once it is."""
        if not self._turns.finish_if_done(turn, anyway=anyway):
            return
        if turn is self._turns.current:
            self._floor.turn_over()
        self._events.emit("turn_finished", **turn.as_event())
        meters.turn_finished(turn)
        turn_spans.tell(turn)

    def _notice_done(self, heard: bool) -> None:
        if self._notice is not None and not self._notice.done():
            self._notice.set_result(heard)
