"""What the caller hears: played in order, gone when stopped, even or late."""

from __future__ import annotations

import wave
from pathlib import Path

import pytest

from acs_standin.track import Arrivals, PlayoutBuffer, StereoRecording, is_silent, read_wav
from acs_standin.wire import FRAME_BYTES

FRAME = b"\1\0" * (FRAME_BYTES // 2)
SILENCE = bytes(FRAME_BYTES)


def test_audio_is_played_frame_by_frame_then_silence() -> None:
    buffer = PlayoutBuffer()
    buffer.arrive(FRAME + FRAME[:100])
    assert buffer.next_frame() == FRAME
    assert buffer.next_frame() == FRAME[:100].ljust(FRAME_BYTES, b"\0")
    assert buffer.next_frame() == SILENCE


def test_what_was_stopped_is_never_heard() -> None:
    buffer = PlayoutBuffer()
    buffer.arrive(FRAME * 3)
    buffer.next_frame()
    buffer.stop()
    assert buffer.seconds == 0
    assert buffer.next_frame() == SILENCE


def test_even_frames_are_not_late_and_late_ones_are() -> None:
    arrivals = Arrivals()
    for now in (1.0, 1.02, 1.04, 1.09, 1.10):
        arrivals.frame(now)
    assert arrivals.lateness_seconds == pytest.approx([0, 0, 0, 0.03, 0.02], abs=1e-9)
    assert arrivals.bursts == [1.0]


def test_a_pause_begins_a_burst_and_so_does_a_stop() -> None:
    arrivals = Arrivals()
    for now in (1.0, 1.02, 2.0):
        arrivals.frame(now)
    arrivals.stop()
    arrivals.frame(2.03)
    assert arrivals.bursts == [1.0, 2.0, 2.03]
    assert max(arrivals.lateness_seconds) == 0


def test_the_recording_has_the_caller_left_and_the_agent_right(tmp_path: Path) -> None:
    recording = StereoRecording()
    recording.tick(b"\1\0" * 320, b"\2\0" * 320)
    recording.write(tmp_path / "call.wav")
    with wave.open(str(tmp_path / "call.wav")) as source:
        assert (source.getnchannels(), source.getframerate(), source.getnframes()) == (
            2,
            16000,
            320,
        )
        assert source.readframes(2) == b"\1\0\2\0\1\0\2\0"
    assert recording.seconds == pytest.approx(0.02)


def test_a_wav_of_another_kind_says_how_to_convert_it(tmp_path: Path) -> None:
    path = tmp_path / "line.wav"
    with wave.open(str(path), "wb") as out:
        out.setparams((2, 2, 44100, 0, "NONE", ""))
        out.writeframes(bytes(8))
    with pytest.raises(ValueError, match=r"44100 Hz, 2 channels.*sox"):
        read_wav(path)
    path.write_bytes(b"RIFF")
    with pytest.raises(ValueError, match="is not a WAV file"):
        read_wav(path)


def test_silence_is_all_zeros() -> None:
    assert is_silent(SILENCE)
    assert not is_silent(FRAME)
