"""How much of a segment's text was heard, from how much of its audio was played. Pure.

With word boundaries: the words of which at least half was played. Without: in proportion to the
samples, back to the end of a whole word. Lengths are Unicode code points.
"""

from __future__ import annotations

from dataclasses import dataclass, field

SAMPLES_PER_CODE_POINT = 1_000
"""At 16 kHz; English is spoken at 12 to 18 letters a second. Only for text whose length in audio is
not known yet and whose engine tells no word boundaries."""


@dataclass(frozen=True, slots=True)
class _Word:
    end: int
    sample: int


@dataclass(slots=True)
class SpokenText:
    """The text of one segment, and where its words fall in the audio."""

    text: str
    _words: list[_Word] = field(default_factory=list)

    def boundary(self, text_offset: int, text_length: int, sample: int) -> None:
        """A word of the text starts at `sample` of the audio."""
        self._words.append(_Word(min(text_offset + text_length, len(self.text)), sample))

    def heard_length(self, heard_samples: int, received_samples: int, complete: bool) -> int:
        """Code points heard, when `heard_samples` were played of those received."""
        if heard_samples <= 0:
            return 0
        if complete and heard_samples >= received_samples:
            return len(self.text)
        if self._words:
            return self._by_words(heard_samples, received_samples)
        return self._in_proportion(heard_samples, received_samples, complete)

    def _by_words(self, heard: int, received: int) -> int:
        length = 0
        for word, following in zip(self._words, [*self._words[1:], None], strict=True):
            ends = following.sample if following else max(received, word.sample + 1)
            if heard < (word.sample + ends) / 2:
                break
            length = word.end
        return length

    def _in_proportion(self, heard: int, received: int, complete: bool) -> int:
        estimate = len(self.text) * SAMPLES_PER_CODE_POINT
        total = received if complete else max(received, estimate)
        reached = min(len(self.text), int(len(self.text) * heard / max(1, total)))
        if reached == len(self.text) or self.text[reached].isspace():
            return reached
        start = max(self.text.rfind(space, 0, reached) for space in " \n\t")
        return max(0, start)
