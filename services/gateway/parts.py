"""What a call is made of, wired together: who tells whom. `call` says when each of it runs."""

from __future__ import annotations

import time
from dataclasses import dataclass

from gateway.admission import Admission, Spawn
from gateway.answering import Answering
from gateway.caller_audio import CallerAudio
from gateway.conversation_client import Conversation
from gateway.dtmf import DtmfBuffer
from gateway.events import CallEvents
from gateway.hearing import Hearing
from gateway.journal import Journal
from gateway.leases import SpeechLeases
from gateway.listening import Listening
from gateway.ownership import Ownership
from gateway.peers import Peers
from gateway.player import MediaSocket, Player
from gateway.settings import GatewaySettings
from gateway.speaking import Speaking
from gateway.turn_taking import BargeIn, TurnTaking
from gateway.turns import Turns

CLOCK = time.monotonic
"""Seconds. The loop's own clock stands still within one turn of uvloop, and has milliseconds."""


@dataclass(frozen=True, slots=True)
class CallSpec:
    """Which call this is."""

    session: str
    """The id, without `sessions/`."""
    scenario: str
    address: str
    """This pod's, for the owner record."""
    tenant: str = ""
    """Whose call it is; empty: the deployment's only tenant."""
    traceparent: str = ""
    """The dialler's span, which that of the call links to; empty or anything else: none."""


@dataclass(frozen=True, slots=True)
class CallParts:
    """The parts of one call."""

    events: CallEvents
    turns: Turns
    audio: CallerAudio
    player: Player
    answering: Answering
    listening: Listening
    hearing: Hearing
    speaking: Speaking
    conversation: Conversation
    leases: SpeechLeases
    admission: Admission
    ownership: Ownership
    journal: Journal


def assemble(
    spec: CallSpec, socket: MediaSocket, peers: Peers, settings: GatewaySettings, spawn: Spawn
) -> CallParts:
    """The parts, none of them running. `spawn` runs a coroutine as long as the call lives."""
    session = f"sessions/{spec.session}"
    events, turns, audio, floor = CallEvents(CLOCK), Turns(), CallerAudio(), _floor(settings)
    journal = Journal(peers.session_store, session)
    leases = SpeechLeases(
        peers.speech_pool, session, timeout=settings.allocation_seconds, clock=CLOCK
    )
    admission = Admission(leases, events, turns, spawn)
    conversation = Conversation(
        peers.orchestrator, session, spec.scenario, heartbeat=settings.heartbeat_seconds
    )
    answering = Answering(
        events=events,
        turns=turns,
        floor=floor,
        journal=journal,
        connected_at=CLOCK(),
        on_turn=admission.turn_began,
    )
    player = Player(socket, answering, settings.playback_lead_frames)
    speaking = Speaking(peers.speech_pool, answering, player.has_room)
    answering.connect(conversation, speaking, player)
    keys = DtmfBuffer(settings.dtmf_terminator, settings.dtmf_timeout_seconds)
    listening = Listening(
        events=events,
        floor=floor,
        answering=answering,
        audio=audio,
        keys=keys,
        conversation=conversation,
    )
    hearing = Hearing(
        peers.speech_pool,
        audio,
        listening,
        chunk_ms=settings.audio_chunk_ms,
        language_codes=settings.language_codes,
    )
    ownership = Ownership(
        peers.session_store,
        spec.session,
        spec.scenario,
        spec.tenant,
        address=spec.address,
        ttl_seconds=settings.call_owner_seconds,
    )
    return CallParts(
        events=events,
        turns=turns,
        audio=audio,
        player=player,
        answering=answering,
        listening=listening,
        hearing=hearing,
        speaking=speaking,
        conversation=conversation,
        leases=leases,
        admission=admission,
        ownership=ownership,
        journal=journal,
    )


def _floor(settings: GatewaySettings) -> TurnTaking:
    rules = BargeIn(
        enabled=settings.barge_in,
        confirm_seconds=settings.barge_in_confirm_seconds,
        resume_seconds=settings.barge_in_resume_seconds,
    )
    return TurnTaking(rules)
