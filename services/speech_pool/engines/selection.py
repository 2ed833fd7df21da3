"""Chooses a hearing and a speaking model by name, or the first that is installed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TypeVar

from speech_pool.engines.espeak import EspeakModel
from speech_pool.engines.hibari import HibariModel
from speech_pool.engines.models import HearingModel, SpeakingModel
from speech_pool.engines.moonshine import MoonshineModel
from speech_pool.engines.piper import PiperModel
from speech_pool.engines.pocketsphinx import PocketsphinxModel
from speech_pool.engines.whisper import WhisperModel
from speech_pool.ports import ProviderUnavailable

AUTO = "auto"

HEARING: Mapping[str, Callable[[], HearingModel]] = {
    "moonshine": MoonshineModel.load,
    "whisper": WhisperModel.load,
    "pocketsphinx": PocketsphinxModel.load,
}
"""Recognisers by name, the preferred ones first."""

SPEAKING: Mapping[str, Callable[[], SpeakingModel]] = {
    "hibari": HibariModel.load,
    "piper": PiperModel.load,
    "espeak": EspeakModel.load,
}
"""Synthesisers by name, the preferred ones first."""

T = TypeVar("T")
_log = logging.getLogger(__name__)


def load_hearing(name: str) -> HearingModel:
    """The recogniser called `name`, or the first available for `auto`.

    Raises ValueError for a name that is not one, ProviderUnavailable where it is not installed.
    """
    return _load("recognizer_engine", HEARING, name)


def load_speaking(name: str) -> SpeakingModel:
    """The synthesiser called `name`, or the first available for `auto`. Raises as `load_hearing`."""
    return _load("synthesizer_engine", SPEAKING, name)


def _load(setting: str, engines: Mapping[str, Callable[[], T]], name: str) -> T:
    if name == AUTO:
        return _first_available(setting, engines)
    if name not in engines:
        raise ValueError(f"{setting} must be {AUTO} or one of {', '.join(engines)}, got {name!r}")
    return engines[name]()


def _first_available(setting: str, engines: Mapping[str, Callable[[], T]]) -> T:
    missing = list[str]()
    for name, load in engines.items():
        try:
            model = load()
        except ProviderUnavailable as error:
            _log.warning("speech engine not available", extra={"engine": name, "why": str(error)})
            missing.append(str(error))
        else:
            _log.info("speech engine chosen", extra={"setting": setting, "engine": name})
            return model
    raise ProviderUnavailable(f"no engine for {setting}: {missing[0]}")
