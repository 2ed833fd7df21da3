"""Tone text: what goes in comes out, through whatever a call does to it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speech_pool.engines.pcm import to_pcm, to_samples
from speech_pool.engines.resample import resample
from tests.support.tonetext import (
    BYTE_SECONDS,
    END,
    TextBegan,
    TextEnded,
    TextGrew,
    ToneDecoder,
    ToneEvent,
    byte_samples,
    decode,
    duration_seconds,
    encode,
)

TEXT = "Your balance is $42.17, Mr. Müller!"
RATES = [8_000, 16_000, 22_050, 24_000, 48_000]


def frames(pcm: bytes, hertz: int = 16_000, seconds: float = 0.02) -> list[bytes]:
    size = 2 * round(hertz * seconds)
    return [pcm[at : at + size] for at in range(0, len(pcm), size)]


def hear(decoder: ToneDecoder, pcm: bytes) -> list[ToneEvent]:
    return [event for frame in frames(pcm) for event in decoder.push(frame)]


@settings(max_examples=60, deadline=None)
@given(
    st.text(st.characters(exclude_characters=END, exclude_categories=["Cs"]), max_size=30),
    st.sampled_from(RATES),
    st.integers(0, 2_000),
)
def test_any_text_comes_back(text: str, hertz: int, silence: int) -> None:
    assert decode(bytes(2 * silence) + encode(text, hertz), hertz) == text


@pytest.mark.parametrize("source", RATES)
@pytest.mark.parametrize("target", [8_000, 16_000, 24_000])
def test_it_survives_resampling(source: int, target: int) -> None:
    pcm = to_pcm(resample(to_samples(bytes(1_234) + encode(TEXT, source)), source, target))

    assert decode(pcm, target) == TEXT


@pytest.mark.parametrize("hertz", [8_000, 16_000])
def test_it_survives_noise(hertz: int) -> None:
    samples = to_samples(bytes(1_000) + encode(TEXT, hertz))
    noise = np.random.default_rng(1).normal(0, 0.03, len(samples)).astype(np.float32)

    assert decode(to_pcm(samples + noise), hertz) == TEXT


def test_it_survives_eight_bits_of_mu_law() -> None:
    samples = to_samples(encode(TEXT, 8_000))
    companded = np.sign(samples) * np.log1p(255 * np.abs(samples)) / np.log(256)
    coarse = np.rint(companded * 127) / 127
    expanded = np.sign(coarse) * (256 ** np.abs(coarse) - 1) / 255

    assert decode(to_pcm(expanded.astype(np.float32)), 8_000) == TEXT


@pytest.mark.parametrize("cut", range(0, 4_000, 171))
def test_cut_off_anywhere_it_loses_the_byte_that_was_cut(cut: int) -> None:
    heard = decode(encode(TEXT)[2 * cut :])

    lost = cut // byte_samples(16_000)
    assert heard in (TEXT[lost:], TEXT[lost + 1 :])


def test_cut_and_resumed_after_silence_it_goes_on() -> None:
    pcm, cut = encode("hello there"), 2 * 5 * byte_samples(16_000)

    assert decode(pcm[:cut] + bytes(30_000) + pcm[cut:]) == "hello there"


def test_a_text_is_told_word_by_word_with_its_places() -> None:
    events = hear(ToneDecoder(16_000), bytes(2 * 1_600) + encode("hi there"))

    began, grew, ended = events
    word = byte_samples(16_000)
    assert isinstance(began, TextBegan)
    assert began.sample == pytest.approx(1_600, abs=2)
    assert isinstance(grew, TextGrew)
    assert grew.text == "hi "
    assert 1_600 + 2 * word < grew.sample <= 1_600 + 3 * word
    assert isinstance(ended, TextEnded)
    assert (ended.text, ended.start, ended.marked) == ("hi there", began.sample, True)
    assert ended.end == pytest.approx(1_600 + 9 * word, abs=340)


def test_a_text_is_complete_with_the_frame_that_holds_its_last_sample() -> None:
    decoder = ToneDecoder(16_000)
    *before, last = frames(encode("hello"))

    assert not any(isinstance(e, TextEnded) for f in before for e in decoder.push(f))
    assert [e.text for e in decoder.push(last) if isinstance(e, TextEnded)] == ["hello"]


def test_texts_one_after_another_are_told_apart() -> None:
    pcm = encode("one") + encode("two") + bytes(400) + encode("two") + bytes(640)

    events = hear(ToneDecoder(16_000), pcm)

    assert [e.text for e in events if isinstance(e, TextEnded)] == ["one", "two", "two"]


def test_without_end_mark_silence_ends_a_text() -> None:
    decoder = ToneDecoder(16_000, silence_seconds=0.3)

    early = hear(decoder, encode("hello", end=False) + bytes(2 * 4_000))
    due = hear(decoder, bytes(2 * 1_600))

    assert not any(isinstance(event, TextEnded) for event in early)
    assert [(e.text, e.marked) for e in due if isinstance(e, TextEnded)] == [("hello", False)]


def test_flush_ends_a_text_now() -> None:
    decoder = ToneDecoder(16_000)
    hear(decoder, encode("hello world")[: 2 * 7 * byte_samples(16_000)])

    (ended,) = decoder.flush()

    assert isinstance(ended, TextEnded)
    assert ended.text == "hello w"
    assert decoder.flush() == []
    assert [e.text for e in hear(decoder, encode("new")) if isinstance(e, TextEnded)] == ["new"]


@pytest.mark.parametrize("kind", ["silence", "noise", "hum"])
def test_what_is_no_text_gives_nothing(kind: str) -> None:
    count = 16_000
    sound = {
        "silence": np.zeros(count),
        "noise": np.random.default_rng(2).normal(0, 0.2, count),
        "hum": 0.3 * np.sin(2 * np.pi * 60 * np.arange(count) / 16_000),
    }[kind]

    assert decode(to_pcm(sound.astype(np.float32))) == ""


def test_parts_of_a_text_join() -> None:
    parts = encode("hello ", end=False) + encode("world", place=6)

    assert parts == encode("hello world")


def test_the_duration_is_that_of_its_bytes() -> None:
    assert duration_seconds("Mü") == pytest.approx(4 * BYTE_SECONDS)
    assert len(encode("Mü", 8_000)) == 2 * 8_000 * 4 * BYTE_SECONDS
    assert encode("") == b""
    assert duration_seconds("") == 0


def test_the_end_mark_cannot_be_said() -> None:
    with pytest.raises(ValueError, match=r"U\+0004"):
        encode(f"a{END}b")
