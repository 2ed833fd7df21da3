"""Building SSML."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech_pool.engines.azure.ssml import language_of, utterance
from speech_pool.ports import Voice, VoiceNotFound
from tests.support.speech_turns import Asked, read_ssml

AVA = "en-US-AvaMultilingualNeural"


def test_a_voice_without_wishes_has_no_elements_for_them() -> None:
    document = utterance("Hello.", Voice(), AVA)

    assert read_ssml(document) == Asked("Hello.", voice=AVA)
    assert "prosody" not in document
    assert "express-as" not in document


def test_all_wishes_are_in_the_document() -> None:
    voice = Voice("de-DE-KatjaNeural", style="sad", rate="+10%", pitch="-2st")

    document = utterance("Nein.", voice, AVA)

    assert read_ssml(document) == Asked("Nein.", "de-DE-KatjaNeural", "sad", "+10%", "-2st")
    assert 'xml:lang="de-DE"' in document


@given(st.text(alphabet=st.characters(exclude_categories=("Cs", "Cc"))))
def test_any_text_is_carried_and_none_is_markup(text: str) -> None:
    carried = "".join(" " if char in "\ufffe\uffff" else char for char in text)

    assert read_ssml(utterance(text, Voice(style="sad"), AVA)).text == carried


@given(st.text())
def test_every_text_makes_a_document(text: str) -> None:
    ET.fromstring(utterance(text, Voice(), AVA))


@pytest.mark.parametrize("text", ["a\x00b", "a\x1bb", "a\ud800b", "a\uffffb"])
def test_what_xml_cannot_carry_is_a_space(text: str) -> None:
    assert read_ssml(utterance(text, Voice(), AVA)).text == "a b"


@pytest.mark.parametrize("name", ['x"/><audio src="http://evil"/>', "a b", "<voice>", " "])
def test_a_name_that_is_none_is_not_found(name: str) -> None:
    with pytest.raises(VoiceNotFound, match="there is no voice"):
        utterance("Hello.", Voice(name), AVA)


@pytest.mark.parametrize(
    ("voice", "problem"),
    [
        (Voice(style='sad" x="'), "voice style must be a name"),
        (Voice(rate="quick"), "voice rate must look like"),
        (Voice(rate="10%"), "voice rate must look like"),
        (Voice(pitch="+2 st"), "voice pitch must look like"),
        (Voice(pitch='+2st"'), "voice pitch must look like"),
    ],
)
def test_wishes_that_make_no_sense_are_refused(voice: Voice, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        utterance("Hello.", voice, AVA)


@pytest.mark.parametrize(
    ("voice", "language"),
    [(AVA, "en-US"), ("fil-PH-BlessicaNeural", "fil-PH"), ("MyOwnVoice", "en-US")],
)
def test_the_language_is_that_of_the_name(voice: str, language: str) -> None:
    assert language_of(voice) == language
