"""The two kinds of turns of the emulated Speech service: hearing tones, and speaking in them."""

from __future__ import annotations

import re
import struct
import uuid
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.support import speech_wire as wire
from tests.support.tonetext import (
    TextBegan,
    TextEnded,
    TextGrew,
    ToneDecoder,
    ToneEvent,
    byte_samples,
    encode,
)

DEFAULT_SILENCE_SECONDS = 0.5
_SSML = "{http://www.w3.org/2001/10/synthesis}"
_MSTTS = "{http://www.w3.org/2001/mstts}"
_WORD = re.compile(r"\S+\s*|\s+")


class RecognitionTurn:
    """Audio in, answers out; positions count from the turn's first sample, as the service's do."""

    def __init__(self, request: str, context: dict[str, Any], detects: str = "") -> None:
        """`context`: body of the speech.context message. `detects`: the language that is found
        where the client asks which it is."""
        self.request = request
        self.phrases = [
            item["Text"]
            for group in context.get("dgi", {}).get("Groups", [])
            for item in group["Items"]
        ]
        detection = context.get("phraseDetection", {})
        self.language = detection.get("language", "")
        self.languages = context.get("languageId", {}).get("languages", [])
        self._detected = (detects or self.languages[0]) if self.languages else ""
        segmentation = detection.get(detection.get("mode", ""), {}).get("segmentation", {})
        milliseconds = segmentation.get("segmentationSilenceTimeoutMs")
        self.silence_seconds = milliseconds / 1000 if milliseconds else DEFAULT_SILENCE_SECONDS
        self._hertz = 16_000
        self._decoder = ToneDecoder(self._hertz, self.silence_seconds)
        self._samples = 0
        self._start = 0
        self._began = False

    def hear(self, payload: bytes) -> Iterator[str]:
        """Answers to an audio message; an empty one ends the turn."""
        if not self._began:
            self._began = True
            yield self._answer("turn.start", {"context": {"serviceTag": uuid.uuid4().hex}})
        if payload.startswith(b"RIFF"):
            (self._hertz,) = struct.unpack_from("<I", payload, 24)
            self._decoder = ToneDecoder(self._hertz, self.silence_seconds)
            payload = payload[44:]
            if not payload:
                return
        self._samples += len(payload) // 2
        for event in self._decoder.push(payload) if payload else self._decoder.flush():
            yield from self._tell(event)
        if not payload:
            yield from self._end()

    def _tell(self, event: ToneEvent) -> Iterator[str]:
        match event:
            case TextBegan(sample):
                self._start = sample
                offset = wire.ticks(sample, self._hertz)
                yield self._answer("speech.startDetected", {"Offset": offset})
            case TextGrew(text, sample) if text.strip():
                yield self._answer(
                    "speech.hypothesis", {"Text": text.rstrip()} | self._place(self._start, sample)
                )
            case TextEnded(text, start, end) if text.strip():
                reading = {"Confidence": 0.95, "Lexical": text, "ITN": text, "MaskedITN": text}
                body = {"RecognitionStatus": "Success", "DisplayText": text}
                readings = {"NBest": [reading | {"Display": text}]}
                yield self._answer("speech.phrase", body | readings | self._place(start, end))

    def _end(self) -> Iterator[str]:
        at = wire.ticks(self._samples, self._hertz)
        yield self._answer("speech.endDetected", {"Offset": at})
        ended = {"RecognitionStatus": "EndOfDictation", "Offset": at, "Duration": 0}
        yield self._answer("speech.phrase", ended)
        yield self._answer("turn.end", {})

    def _place(self, start: int, end: int) -> dict[str, Any]:
        place: dict[str, Any] = {
            "Id": uuid.uuid4().hex,
            "Offset": wire.ticks(start, self._hertz),
            "Duration": wire.ticks(end - start, self._hertz),
            "Channel": 0,
        }
        if self._detected:
            found = {"Language": self._detected, "Confidence": "High"}
            place["PrimaryLanguage"] = found
        return place

    def _answer(self, path: str, body: dict[str, Any]) -> str:
        return wire.text(path, self.request, body)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a client asked to be spoken."""

    text: str
    voice: str = ""
    style: str = ""
    rate: str = ""
    pitch: str = ""


def read_ssml(document: str) -> Asked:
    """What an SSML document asks for. Raises ValueError where it is not well-formed, or has
    elements that the adapter does not make."""
    try:
        root = ET.fromstring(document)
    except ET.ParseError as error:
        raise ValueError(f"not XML: {error}") from None
    known = {f"{_SSML}{name}" for name in ("speak", "voice", "prosody")}
    if unknown := {element.tag for element in root.iter()} - known - {f"{_MSTTS}express-as"}:
        raise ValueError(f"unknown elements: {sorted(unknown)}")
    attributes = {key: value for element in root.iter() for key, value in element.items()}
    return Asked(
        text="".join(root.itertext()),
        voice=attributes.get("name", ""),
        style=attributes.get("style", ""),
        rate=attributes.get("rate", ""),
        pitch=attributes.get("pitch", ""),
    )


class SynthesisTurn:
    """A text as tones, a word at a time, each after the message that says where it starts."""

    def __init__(self, request: str, text: str, hertz: int) -> None:
        self.request = request
        self._text = text
        self._hertz = hertz
        self._stream = uuid.uuid4().hex.upper()

    def begin(self) -> Iterator[str]:
        """What comes before all audio."""
        tag = {"serviceTag": uuid.uuid4().hex}
        stream = {"type": "inline", "streamId": self._stream}
        yield wire.text("turn.start", self.request, {"context": tag})
        yield wire.text("response", self.request, {"context": tag, "audio": stream})

    def speak(self) -> Iterator[str | bytes]:
        """The audio and its words."""
        place = 0
        for match in _WORD.finditer(self._text):
            word = match.group()
            if word.strip():
                yield self._metadata("WordBoundary", place, _boundary(word.strip()))
            last = match.end() == len(self._text)
            pcm = encode(word, self._hertz, end=last, place=place)
            yield wire.audio(self.request, self._stream, pcm)
            place += len(word.encode())
        yield self._metadata("SessionEnd", place, {})
        yield wire.audio(self.request, self._stream, b"")
        yield wire.text("turn.end", self.request, {})

    def _metadata(self, kind: str, place: int, more: dict[str, Any]) -> str:
        offset = wire.ticks(place * byte_samples(self._hertz), self._hertz)
        entry = {"Type": kind, "Data": {"Offset": offset} | more}
        return wire.text("audio.metadata", self.request, {"Metadata": [entry]})


def _boundary(word: str) -> dict[str, Any]:
    text = {"Text": word, "Length": len(word), "BoundaryType": "WordBoundary"}
    return {"Duration": 0, "text": text}
