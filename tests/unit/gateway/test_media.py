"""The JSON of the media WebSocket: what is read, what is passed over, what closes the socket."""

from __future__ import annotations

import base64
import json

import pytest

from gateway.media import (
    STOP_AUDIO,
    Audio,
    CloseCode,
    Dtmf,
    MediaProtocol,
    MediaRefused,
    Message,
    Metadata,
    encode_audio,
)

PCM = bytes(range(256)) * 2 + bytes(128)


def metadata(**changes: object) -> bytes:
    described = {
        "subscriptionId": "s",
        "encoding": "PCM",
        "sampleRate": 16000,
        "channels": 1,
        "length": 640,
        **changes,
    }
    return json.dumps({"kind": "AudioMetadata", "audioMetadata": described}).encode()


def audio(data: str) -> bytes:
    described = {
        "timestamp": "2026-11-24T10:00:00Z",
        "participantRawID": "4:+15555550100",
        "data": data,
        "silent": False,
    }
    return json.dumps({"kind": "AudioData", "audioData": described}).encode()


def dtmf(tone: str) -> bytes:
    return json.dumps({"kind": "DtmfData", "dtmfData": {"data": tone}}).encode()


def pascal(message: bytes) -> bytes:
    """The same message with its keys in PascalCase."""

    def convert(value: object) -> object:
        if isinstance(value, dict):
            return {key[0].upper() + key[1:]: convert(item) for key, item in value.items()}
        return value

    return json.dumps(convert(json.loads(message))).encode()


@pytest.fixture
def protocol() -> MediaProtocol:
    opened = MediaProtocol(max_malformed=3)
    opened.feed(metadata())
    return opened


@pytest.mark.parametrize("spelt", [bytes, pascal], ids=["camelCase", "PascalCase"])
@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (metadata(), Metadata("PCM", 16000, 1)),
        (audio(base64.b64encode(PCM).decode()), Audio(PCM, silent=False)),
        (dtmf("5"), Dtmf("5")),
        (dtmf("#"), Dtmf("#")),
    ],
)
def test_reads_both_spellings_of_every_kind(
    spelt: object, message: bytes, expected: Message
) -> None:
    fresh = MediaProtocol(max_malformed=0)
    if not isinstance(expected, Metadata):
        fresh.feed(metadata())
    assert fresh.feed(spelt(message)) == expected  # type: ignore[operator]


def test_reads_the_silent_mark(protocol: MediaProtocol) -> None:
    quiet = b'{"kind":"AudioData","audioData":{"data":"AAA=","silent":true}}'
    assert protocol.feed(quiet) == Audio(b"\0\0", silent=True)


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        (b"{", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b'"text"', "a field is missing, of the wrong type or not base64"),
        (b'{"kind":"AudioData","audioData":{"data":17}}', "a field is missing"),
        (audio("no base64!"), "not base64"),
        (audio("AAAA"), "half a sample"),
        (b'{"kind":"AudioData"}', "without its content"),
        (b'{"kind":"TranscriptionData","transcriptionData":{}}', "unknown kind"),
        (b"{}", "unknown kind"),
        (dtmf("x"), "not a DTMF tone"),
        (dtmf("12"), "not a DTMF tone"),
        (b'{"kind":"AudioMetadata","audioMetadata":{"encoding":"PCM"}}', "a field is missing"),
    ],
)
def test_passes_over_what_it_does_not_understand_and_counts_it(
    protocol: MediaProtocol, message: bytes, problem: str
) -> None:
    assert protocol.feed(message) is None
    assert protocol.feed(audio("AAA=")) == Audio(b"\0\0", silent=False)
    assert [problem in counted for counted in protocol.malformed] == [True]


def test_audio_before_metadata_is_passed_over() -> None:
    protocol = MediaProtocol(max_malformed=1)
    assert protocol.feed(audio("AAA=")) is None
    assert protocol.malformed == {"audio before metadata": 1}


def test_too_many_malformed_messages_close_the_socket(protocol: MediaProtocol) -> None:
    for _ in range(3):
        protocol.feed(b"{")
    with pytest.raises(MediaRefused) as refused:
        protocol.feed(b"{")
    assert refused.value.code is CloseCode.MALFORMED


@pytest.mark.parametrize(
    "changes",
    [{"encoding": "OPUS"}, {"sampleRate": 24000}, {"channels": 2}],
    ids=lambda changes: next(iter(changes)),
)
def test_other_audio_than_16_khz_mono_pcm_closes_the_socket(changes: dict[str, object]) -> None:
    with pytest.raises(MediaRefused) as refused:
        MediaProtocol(max_malformed=3).feed(metadata(**changes))
    assert refused.value.code is CloseCode.UNSUPPORTED_AUDIO
    assert "16000" in refused.value.reason


def test_metadata_again_is_nothing_new_and_must_not_change(protocol: MediaProtocol) -> None:
    assert protocol.feed(metadata()) is None
    with pytest.raises(MediaRefused):
        protocol.feed(metadata(sampleRate=8000))


def test_writes_audio_as_acs_reads_it() -> None:
    assert json.loads(encode_audio(PCM)) == {
        "kind": "AudioData",
        "audioData": {"data": base64.b64encode(PCM).decode()},
        "stopAudio": None,
    }


def test_writes_stop_audio_as_acs_reads_it() -> None:
    assert json.loads(STOP_AUDIO) == {"Kind": "StopAudio", "AudioData": None, "StopAudio": {}}
