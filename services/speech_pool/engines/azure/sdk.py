"""The only module that imports the Speech SDK: sessions with it, as plain calls and signals.

Calls marked *blocking* wait for native threads and belong in a worker; all others return at once.
What the SDK does was measured with version 1.53.0.
"""

from __future__ import annotations

import atexit
import json
import re
import weakref
from collections.abc import Callable
from typing import Any

import azure.cognitiveservices.speech as speech

from speech_pool.engines.azure.settings import AzureSettings
from speech_pool.engines.azure.signals import (
    Connected,
    Disconnected,
    Failed,
    Hypothesis,
    Phrase,
    Signal,
    SpeechStarted,
    Trouble,
    TurnEnded,
    UtteranceAudio,
    UtteranceEnded,
    UtteranceStarted,
    UtteranceWord,
)

HEARING_HERTZ = 16_000
"""Rate of the audio that recognition is given; what the service itself works with."""
SPEAKING_HERTZ = 24_000
"""Rate of the audio that synthesis gives: that of neural voices."""
FRAME_BYTES = 640
"""Audio in one uplink message: 20 ms. The SDK's own 100 ms would delay each hypothesis by 80 ms."""

Post = Callable[[Signal], None]
_Property = speech.PropertyId
_Code = speech.CancellationErrorCode

_live: weakref.WeakSet[_Session] = weakref.WeakSet()


class _Session:
    """A client of the SDK with its connection; ended by `dispose`."""

    def __init__(self, client: Any, connection: Any, post: Post) -> None:
        self._client = client
        self._connection = connection
        connection.connected.connect(lambda _: post(Connected()))
        connection.disconnected.connect(lambda _: post(Disconnected()))
        _live.add(self)

    def _events(self) -> list[Any]:
        return [self._connection.connected, self._connection.disconnected]

    def connect(self) -> None:
        """Begin to open the socket; `Connected` follows."""
        self._connection.open(True)

    def dispose(self) -> None:
        """Let go of threads and socket. Blocking. Idempotent."""
        _live.discard(self)
        if self._client is None:
            return
        for event in self._events():
            event.disconnect_all()
        # Their destructors close the socket; an explicit close is refused while audio goes through.
        self._client = self._connection = None


class RecognizerSession(_Session):
    """Hears one stream of audio, in turns: `begin_turn` to `end_turn` or `end_audio`."""

    def __init__(self, config: Any, languages: tuple[str, ...], post: Post) -> None:
        wave = speech.audio.AudioStreamFormat(HEARING_HERTZ, 16, 1)
        self._audio = speech.audio.PushAudioInputStream(wave)
        recognizer = speech.SpeechRecognizer(config, speech.audio.AudioConfig(stream=self._audio))
        super().__init__(recognizer, speech.Connection.from_recognizer(recognizer), post)
        self._phrases = speech.PhraseListGrammar.from_recognizer(recognizer)
        self._ending: Any = None
        self._in_turn = False
        self.set_languages(languages)
        recognizer.speech_start_detected.connect(lambda e: post(SpeechStarted(e.offset)))
        recognizer.recognizing.connect(lambda e: post(_hypothesis(e.result)))
        recognizer.recognized.connect(lambda e: post(_phrase(e.result)))
        recognizer.canceled.connect(lambda e: _post_failure(post, e.cancellation_details))
        recognizer.session_stopped.connect(lambda _: post(TurnEnded()))

    def _events(self) -> list[Any]:
        client = self._client
        mine = [client.speech_start_detected, client.recognizing, client.recognized]
        return [*super()._events(), *mine, client.canceled, client.session_stopped]

    def set_languages(self, languages: tuple[str, ...]) -> None:
        """From the next turn on; several ask for identification."""
        first, several = languages[0], len(languages) > 1
        properties = self._client.properties
        properties.set_property(_Property.SpeechServiceConnection_RecoLanguage, first)
        if several:
            names = ",".join(languages)
            properties.set_property(
                _Property.SpeechServiceConnection_AutoDetectSourceLanguages, names
            )
            properties.set_property(_Property.SpeechServiceConnection_LanguageIdMode, "Continuous")

    def set_silence(self, seconds: float) -> None:
        """From the next turn on, silence that ends an utterance."""
        milliseconds = str(round(seconds * 1000))
        self._client.properties.set_property(
            _Property.Speech_SegmentationSilenceTimeoutMs, milliseconds
        )

    def set_phrases(self, phrases: tuple[str, ...]) -> None:
        """From the next turn on, the words to expect."""
        self._phrases.clear()
        for phrase in phrases:
            self._phrases.addPhrase(phrase)

    def begin_turn(self) -> None:
        """Send audio and hear. Blocking, for milliseconds."""
        self._in_turn = True
        self._client.start_continuous_recognition_async().get()

    def write(self, pcm: bytes) -> None:
        """Add audio; kept where no turn is open."""
        self._audio.write(pcm)

    def end_turn(self) -> None:
        """Stop hearing; `TurnEnded` follows, and then `forget_turn` is due."""
        self._in_turn = False
        self._ending = self._client.stop_continuous_recognition_async()

    def forget_turn(self) -> None:
        """Let go of what the SDK keeps of a turn that has ended. Blocking, for microseconds."""
        ending, self._ending = self._ending, None
        if ending is not None:
            ending.get()

    def end_audio(self) -> None:
        """No more audio comes; `TurnEnded` follows."""
        self._audio.close()

    def dispose(self) -> None:
        """Let go of threads and socket. Blocking, for up to 10 s where the service is silent.
        Idempotent."""
        if self._client is not None:
            self._audio.close()
            if self._in_turn:
                self.end_turn()  # without it the SDK waits for the end of the turn for 10 s
            self.forget_turn()
        super().dispose()
        self._audio = self._phrases = self._ending = None


class SynthesizerSession(_Session):
    """Speaks one utterance after another."""

    def __init__(self, config: Any, post: Post) -> None:
        synthesizer = speech.SpeechSynthesizer(config, None)
        super().__init__(synthesizer, speech.Connection.from_speech_synthesizer(synthesizer), post)
        self._speaking: Any = None
        self._stopping: Any = None
        synthesizer.synthesis_started.connect(lambda e: post(UtteranceStarted(e.result.result_id)))
        synthesizer.synthesizing.connect(
            lambda e: post(UtteranceAudio(e.result.result_id, e.result.audio_data))
        )
        synthesizer.synthesis_word_boundary.connect(
            lambda e: post(UtteranceWord(e.result_id, e.text, e.audio_offset))
        )
        synthesizer.synthesis_completed.connect(lambda e: post(UtteranceEnded(e.result.result_id)))
        synthesizer.synthesis_canceled.connect(lambda e: _post_end(post, e.result))

    def _events(self) -> list[Any]:
        client = self._client
        begin = [client.synthesis_started, client.synthesizing, client.synthesis_word_boundary]
        end = [client.synthesis_completed, client.synthesis_canceled]
        return [*super()._events(), *begin, *end]

    def speak(self, ssml: str) -> None:
        """Begin an utterance; `UtteranceEnded` or `Failed` ends it, and `forget` is due."""
        self._speaking = self._client.start_speaking_ssml_async(ssml)

    def stop(self) -> None:
        """End the utterance early; the socket stays."""
        self._stopping = self._client.stop_speaking_async()

    def forget(self) -> None:
        """Let go of what the SDK keeps of an utterance that has ended. Blocking, for microseconds."""
        speaking, self._speaking = self._speaking, None
        stopping, self._stopping = self._stopping, None
        for operation in (stopping, speaking):
            if operation is not None:
                operation.get()

    def dispose(self) -> None:
        """Let go of threads and socket. Blocking. Idempotent."""
        super().dispose()
        self._speaking = self._stopping = None


def make_config(settings: AzureSettings, credential: Any = None) -> Any:
    """What sessions are made with. Raises ProviderUnavailable for settings that lack something."""
    if settings.key:
        config = speech.SpeechConfig(endpoint=settings.address, subscription=settings.key)
    else:
        config = speech.SpeechConfig(endpoint=settings.address, token_credential=credential)
    config.output_format = speech.OutputFormat.Detailed  # confidence is only in the detailed one
    config.set_speech_synthesis_output_format(
        speech.SpeechSynthesisOutputFormat.Raw24Khz16BitMonoPcm
    )
    # Without it a barge-in closes the socket, and the next answer connects anew.
    config.set_property_by_name("SpeechSynthesis_KeepConnectionAfterStopping", "true")
    config.set_property_by_name("SPEECH-BytesPerFrame", str(FRAME_BYTES))
    return config


def dispose_all() -> None:
    """End all sessions of the process. A session left open aborts the interpreter at its exit."""
    for session in list(_live):
        session.dispose()


atexit.register(dispose_all)


def _hypothesis(result: Any) -> Hypothesis:
    return Hypothesis(result.text, result.offset, result.duration, _language(result))


def _phrase(result: Any) -> Phrase:
    text = result.text if result.reason == speech.ResultReason.RecognizedSpeech else ""
    confidence = _confidence(result.json) if text else 0.0
    return Phrase(text, result.offset, result.duration, _language(result), confidence)


def _language(result: Any) -> str:
    detected = _Property.SpeechServiceConnection_AutoDetectSourceLanguageResult
    return str(result.properties.get(detected) or "")


def _confidence(answer: str) -> float:
    """Of the likeliest reading; 0 where the service gives none."""
    try:
        readings = json.loads(answer).get("NBest") or [{}]
        return min(max(float(readings[0].get("Confidence", 0.0)), 0.0), 1.0)
    except (ValueError, TypeError, AttributeError):
        return 0.0


def _post_failure(post: Post, details: Any) -> None:
    if details.reason == speech.CancellationReason.Error:
        post(Failed(_trouble(details.code, details.error_details)))


def _post_end(post: Post, result: Any) -> None:
    details = result.cancellation_details
    stopped = details.reason != speech.CancellationReason.Error
    post(
        UtteranceEnded(result.result_id, stopped=True)
        if stopped
        else Failed(_trouble(details.error_code, details.error_details), result.result_id)
    )


_TROUBLES = {
    _Code.AuthenticationFailure: Trouble.REFUSED,
    _Code.Forbidden: Trouble.REFUSED,
    _Code.TooManyRequests: Trouble.THROTTLED,
    _Code.ConnectionFailure: Trouble.LOST,
    _Code.ServiceTimeout: Trouble.LOST,
}


_THROTTLED = re.compile(r"(?<![0-9A-Fa-f])4?429(?![0-9A-Fa-f])")
"""HTTP status 429 at the upgrade, close code 4429 after it; not a part of a session id."""


def _trouble(code: Any, text: str) -> Trouble:
    """The kind of an error. Its text is looked at, and never passed on: it may quote what was said."""
    if _THROTTLED.search(text):
        return Trouble.THROTTLED
    if "nsupported voice" in text:
        return Trouble.UNKNOWN_VOICE
    return _TROUBLES.get(code, Trouble.FAILED)
