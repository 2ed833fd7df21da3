"""espeak-ng: the last resort for speaking, a program of most Linux distributions. Plain, but quick.

A process for each phrase: nothing is shared, nothing needs loading. The text goes through standard
input, so that what is said shows in no process list.
"""

from __future__ import annotations

import shutil
import subprocess

import numpy as np

from speech_pool.engines.pcm import SAMPLE_BYTES, Samples, to_samples
from speech_pool.engines.pronunciation import written_out
from speech_pool.ports import ProviderError, ProviderUnavailable

WORDS_PER_MINUTE = 165
"""Its pace at speed 1.0."""
LIMIT_SECONDS = 20.0
"""A phrase takes some 30 ms; a program that takes this long is stuck."""
INSTALL_HINT = "install the package espeak-ng, such as with `apt-get install espeak-ng`"


class EspeakModel:
    """The program; as many at once as there are workers."""

    name = "espeak"
    voices = ("en-us", "en-gb")
    sample_rate_hertz = 22_050

    def __init__(self, program: str) -> None:
        self._program = program

    @classmethod
    def load(cls) -> EspeakModel:
        """Find the program. Raises ProviderUnavailable where there is none."""
        program = shutil.which("espeak-ng")
        if program is None:
            raise ProviderUnavailable(f"espeak-ng is not on PATH: {INSTALL_HINT}")
        return cls(program)

    def render(self, phrase: str, voice: str, speed: float) -> Samples:
        """Say `phrase`. Raises ProviderError when the program fails or is stuck."""
        pace = str(round(WORDS_PER_MINUTE * speed))
        command = [self._program, "--stdin", "--stdout", "-b", "1", "-v", voice, "-s", pace]
        try:
            done = subprocess.run(  # noqa: S603 - a program found by load, fixed arguments
                command,
                input=written_out(phrase).encode(),
                capture_output=True,
                timeout=LIMIT_SECONDS,
                check=True,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise ProviderError(f"espeak-ng failed with {type(error).__name__}") from None
        return _audio(done.stdout)

    def close(self) -> None:
        """No process outlives its phrase."""


def _audio(wav: bytes) -> Samples:
    """The samples of a WAV stream. Its header cannot know the length, so it is not asked."""
    at = wav.find(b"data")
    if at < 0:
        return np.zeros(0, np.float32)
    body = wav[at + 8 :]
    return to_samples(body[: len(body) // SAMPLE_BYTES * SAMPLE_BYTES])
