"""The stand-in's JSON is what ACS sends, and it reads what a gateway may send."""

from __future__ import annotations

import base64
import json

import pytest

from acs_standin.wire import (
    AgentAudio,
    StopAudio,
    audio_message,
    dtmf_message,
    metadata_message,
    parse_message,
)


def test_metadata_says_20_ms_of_pcm_16_khz_mono() -> None:
    message = json.loads(metadata_message("s1"))
    assert message["kind"] == "AudioMetadata"
    described = {
        "subscriptionId": "s1",
        "encoding": "PCM",
        "sampleRate": 16000,
        "channels": 1,
        "length": 640,
    }
    assert message["audioMetadata"] == described


def test_audio_is_base64_and_says_whether_it_is_silent() -> None:
    message = json.loads(audio_message(b"\1\2", "2026-01-01T00:00:00Z", "4:+1555", silent=False))
    assert base64.b64decode(message["audioData"]["data"]) == b"\1\2"
    assert message["audioData"]["silent"] is False
    assert message["audioData"]["participantRawID"] == "4:+1555"


def test_keys() -> None:
    assert json.loads(dtmf_message("#")) == {"kind": "DtmfData", "dtmfData": {"data": "#"}}


@pytest.mark.parametrize(
    "text",
    [
        '{"kind":"AudioData","audioData":{"data":"AQI="},"stopAudio":null}',
        '{"Kind":"AudioData","AudioData":{"Data":"AQI="},"StopAudio":null}',
    ],
)
def test_agent_audio_in_both_cases(text: str) -> None:
    assert parse_message(text) == AgentAudio(b"\1\2")


def test_stop_audio_and_what_acs_passes_over() -> None:
    assert parse_message('{"Kind":"StopAudio","AudioData":null,"StopAudio":{}}') == StopAudio()
    assert parse_message('{"kind":"Weather"}') is None


def test_audio_that_is_not_base64_is_an_error() -> None:
    with pytest.raises(ValueError, match="base64"):
        parse_message('{"kind":"AudioData","audioData":{"data":"%%%"}}')
