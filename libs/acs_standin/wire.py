"""The JSON that ACS and a gateway exchange on the media WebSocket, from the side of ACS.

Shapes as Microsoft documents them for bidirectional audio streaming; keys come camelCase and
PascalCase, so both are read. Audio is 16-bit PCM, 16 kHz, mono, 20 ms a message.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any

SAMPLE_RATE = 16_000
FRAME_SECONDS = 0.02
FRAME_SAMPLES = int(SAMPLE_RATE * FRAME_SECONDS)
FRAME_BYTES = 2 * FRAME_SAMPLES


@dataclass(frozen=True, slots=True)
class AgentAudio:
    """Audio to be played to the caller."""

    pcm: bytes


@dataclass(frozen=True, slots=True)
class StopAudio:
    """Throw away what has not been played yet."""


def metadata_message(subscription_id: str) -> str:
    """The first message of a media stream."""
    described = {
        "subscriptionId": subscription_id,
        "encoding": "PCM",
        "sampleRate": SAMPLE_RATE,
        "channels": 1,
        "length": FRAME_BYTES,
    }
    return json.dumps({"kind": "AudioMetadata", "audioMetadata": described})


def audio_message(pcm: bytes, timestamp: str, participant: str, *, silent: bool) -> str:
    """One frame of the caller's audio."""
    data = base64.b64encode(pcm).decode()
    described = {
        "timestamp": timestamp,
        "participantRawID": participant,
        "data": data,
        "silent": silent,
    }
    return json.dumps({"kind": "AudioData", "audioData": described})


def dtmf_message(tone: str) -> str:
    """One key that the caller pressed: 0 to 9, *, #, A to D."""
    return json.dumps({"kind": "DtmfData", "dtmfData": {"data": tone}})


def parse_message(text: str) -> AgentAudio | StopAudio | None:
    """What the gateway says; None for what ACS would pass over. Raises ValueError for bad audio."""
    message = json.loads(text)
    kind = _field(message, "kind")
    if kind == "StopAudio":
        return StopAudio()
    if kind != "AudioData":
        return None
    audio = _field(message, "audioData") or {}
    return AgentAudio(base64.b64decode(_field(audio, "data") or "", validate=True))


def _field(message: dict[str, Any], name: str) -> Any:
    return message.get(name, message.get(name[0].upper() + name[1:]))
