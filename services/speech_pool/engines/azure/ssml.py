"""Builds the SSML of one utterance. Pure. Everything that comes from outside is escaped.

Elements as in W3C Speech Synthesis Markup Language 1.1 and Microsoft's `mstts` extension of it.
"""

from __future__ import annotations

import re
from xml.sax.saxutils import escape, quoteattr

from speech_pool.ports import Voice, VoiceNotFound

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot carry, however escaped."""
_NAME = re.compile(r"[A-Za-z0-9][\w:.\-]{0,199}")
_RATE = re.compile(r"[+-]\d{1,3}(?:\.\d+)?%|x-slow|slow|medium|fast|x-fast|default")
_PITCH = re.compile(r"[+-]\d{1,3}(?:\.\d+)?(?:%|st|Hz)|x-low|low|medium|high|x-high|default")


def utterance(text: str, voice: Voice, default_voice: str) -> str:
    """A document that speaks `text` as it stands; nothing in it is markup.

    Raises VoiceNotFound for a name no voice can have, ValueError for a style, rate or pitch that
    the service would refuse.
    """
    name = voice.name or default_voice
    _check(name, voice)
    body = _styled(_paced(escape(_NOT_XML.sub(" ", text)), voice), voice.style)
    return (
        '<speak version="1.0" xmlns="http://www.w3.org/2001/10/synthesis"'
        ' xmlns:mstts="http://www.w3.org/2001/mstts"'
        f' xml:lang="{language_of(name)}"><voice name={quoteattr(name)}>{body}</voice></speak>'
    )


def language_of(voice: str) -> str:
    """The language in a voice's name: `en-US` of `en-US-AvaNeural`; `en-US` where it has none."""
    match = re.match(r"[a-z]{2,3}-[A-Z]{2}(?=-)", voice)
    return match.group() if match else "en-US"


def _check(name: str, voice: Voice) -> None:
    if not _NAME.fullmatch(name):
        raise VoiceNotFound(f"there is no voice {name[:40]!r}: a name is like en-US-AvaNeural")
    if voice.style and not _NAME.fullmatch(voice.style):
        raise ValueError(f"voice style must be a name such as cheerful, got {voice.style[:40]!r}")
    if voice.rate and not _RATE.fullmatch(voice.rate):
        raise ValueError(f"voice rate must look like -4% or +10%, got {voice.rate[:40]!r}")
    if voice.pitch and not _PITCH.fullmatch(voice.pitch):
        raise ValueError(f"voice pitch must look like +2st or -5%, got {voice.pitch[:40]!r}")


def _paced(body: str, voice: Voice) -> str:
    pace = {"rate": voice.rate, "pitch": voice.pitch}
    attributes = "".join(f" {name}={quoteattr(value)}" for name, value in pace.items() if value)
    return f"<prosody{attributes}>{body}</prosody>" if attributes else body


def _styled(body: str, style: str) -> str:
    if not style:
        return body
    return f"<mstts:express-as style={quoteattr(style)}>{body}</mstts:express-as>"
