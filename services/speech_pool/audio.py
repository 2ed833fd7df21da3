"""Which audio the streams carry."""

from __future__ import annotations

from meshkit.errors import Reason, invalid
from voicemesh.speech.v1 import speech_event_pb2 as event_pb

SAMPLE_RATES = (8000, 16000, 24000)


def require_linear16(audio_format: event_pb.AudioFormat, field: str = "config.audio_format") -> int:
    """The sample rate in hertz. Raises AUDIO_FORMAT_UNSUPPORTED for what no engine here takes."""
    if audio_format.encoding != event_pb.AUDIO_ENCODING_LINEAR16:
        problem = "encoding must be LINEAR16"
    elif audio_format.sample_rate_hertz not in SAMPLE_RATES:
        problem = f"sample_rate_hertz must be one of {', '.join(map(str, SAMPLE_RATES))}"
    else:
        return int(audio_format.sample_rate_hertz)
    raise invalid(field, problem, Reason.AUDIO_FORMAT_UNSUPPORTED)
