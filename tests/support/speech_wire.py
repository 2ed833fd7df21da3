"""Messages of the Speech service's WebSocket protocol, as the Speech SDK 1.53 sends and takes them.

A text message is headers, an empty line and a body. A binary message is the length of its headers
in two bytes, the headers and a payload.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass

TICKS_PER_SECOND = 10_000_000
"""Times on the wire are in units of 100 ns."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message from the client."""

    path: str
    request: str
    body: bytes

    def json(self) -> dict[str, object]:
        """The body of a text message; empty where there is none."""
        read: dict[str, object] = json.loads(self.body or b"{}")
        return read


def parse(data: str | bytes) -> Message:
    """A message as it came."""
    if isinstance(data, str):
        head, _, body = data.partition("\r\n\r\n")
        return _message(head, body.encode())
    (length,) = struct.unpack_from(">H", data)
    return _message(data[2 : 2 + length].decode(), data[2 + length :])


def text(path: str, request: str, body: object) -> str:
    """A JSON message of the service."""
    head = f"X-RequestId:{request}\r\nContent-Type:application/json; charset=utf-8\r\nPath:{path}"
    return f"{head}\r\n\r\n{json.dumps(body)}"


def audio(request: str, stream: str, pcm: bytes) -> bytes:
    """A part of the synthesised audio; an empty one ends it."""
    head = (
        f"X-RequestId:{request}\r\nContent-Type:audio/x-wav\r\nX-StreamId:{stream}\r\nPath:audio\r\n"
    ).encode()
    return struct.pack(">H", len(head)) + head + pcm


def ticks(samples: int, hertz: int) -> int:
    """Samples as time on the wire."""
    return samples * TICKS_PER_SECOND // hertz


def _message(head: str, body: bytes) -> Message:
    headers: dict[str, str] = {}
    for line in head.split("\r\n"):
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    return Message(headers.get("path", ""), headers.get("x-requestid", ""), body)
