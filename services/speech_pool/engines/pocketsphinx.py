"""CMU PocketSphinx: the last resort for hearing, an optional install of 40 MB without any network.

The only module that imports pocketsphinx. It is far less accurate than the others on the phone and
writes no capitals or punctuation; its decoder keeps state, so one lock serves one stream at a time.
"""

from __future__ import annotations

import threading
from typing import Any

from speech_pool.engines.assets import installed
from speech_pool.engines.models import HEARING_HERTZ, Hypothesis
from speech_pool.engines.pcm import Samples, to_pcm
from speech_pool.ports import ProviderUnavailable

INSTALL_HINT = "run `pip install pocketsphinx==5.1.1`"


class PocketsphinxModel:
    """One decoder, used in turns."""

    name = "pocketsphinx"
    language_code = "en-US"
    gives_interims = False

    def __init__(self, decoder: Any) -> None:
        """`decoder`: a `pocketsphinx.Decoder`."""
        self._decoder = decoder
        self._turn = threading.Lock()

    @classmethod
    def load(cls) -> PocketsphinxModel:
        """Load the English model of the wheel. Raises ProviderUnavailable where it is not."""
        if not installed("pocketsphinx"):
            raise ProviderUnavailable(f"pocketsphinx is not installed: {INSTALL_HINT}")
        import pocketsphinx

        return cls(pocketsphinx.Decoder(samprate=float(HEARING_HERTZ), loglevel="FATAL"))

    def transcribe(self, samples: Samples) -> Hypothesis:
        """The words in `samples`, in lower case. It does not tell how sure it is."""
        with self._turn:
            self._decoder.start_utt()
            try:
                self._decoder.process_raw(to_pcm(samples), full_utt=True)
            finally:
                self._decoder.end_utt()
            heard = self._decoder.hyp()
        return Hypothesis(heard.hypstr.strip() if heard else "", 0.0)

    def close(self) -> None:
        """Nothing to let go of beyond the memory."""
