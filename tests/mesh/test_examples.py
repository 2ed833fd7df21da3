"""What protos/README.md shows to internal callers works as it stands there."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import subprocess
import sys
import wave
from pathlib import Path

import grpc
import pytest
from google.protobuf import json_format
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

from cli.mesh import LocalMesh
from tests.support.tonetext import decode

pytestmark = pytest.mark.asyncio(loop_scope="module")
PROTOS = Path(__file__).parents[2] / "protos"
LINES = re.findall(r"^grpcurl .*$", (PROTOS / "README.md").read_text(), re.M)
USUAL_PORTS = {
    50051: "speech_pool",
    50052: "orchestrator",
    50053: "tool_executor",
    50054: "session_store",
}


async def test_the_example_program_speaks(mesh: LocalMesh, tmp_path: Path) -> None:
    path = tmp_path / "spoken.wav"
    program = PROTOS / "examples" / "internal_caller.py"
    pool = f"127.0.0.1:{mesh.ports.speech_pool}"
    command = [sys.executable, str(program), "Your balance is 25 dollars.", str(path), pool]
    done = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "ALLOCATION_TIER_WARM" in done.stdout
    with wave.open(str(path)) as spoken:
        assert decode(spoken.readframes(spoken.getnframes())) == "Your balance is 25 dollars."


async def test_every_service_has_a_line() -> None:
    assert {int(port) for line in LINES for port in re.findall(r":(5005\d)", line)} == set(
        USUAL_PORTS
    )


async def test_the_grpcurl_lines_answer(mesh: LocalMesh) -> None:
    """As grpcurl does it: the method's types come by reflection, the body is JSON."""
    for line in LINES:
        answer = await asyncio.to_thread(_grpcurl, line, mesh)
        assert isinstance(answer, dict), line


def _grpcurl(line: str, mesh: LocalMesh) -> object:
    words = shlex.split(line)[1:]
    body = words[words.index("-d") + 1] if "-d" in words else "{}"
    address, method = words[-2:]
    port = getattr(mesh.ports, USUAL_PORTS[int(address.split(":")[1])])
    service, name = method.rsplit("/", 1)
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        pool = DescriptorPool(ProtoReflectionDescriptorDatabase(channel))
        described = pool.FindServiceByName(service).FindMethodByName(name)
        request = json_format.Parse(body, GetMessageClass(described.input_type)())
        streams = bool(described.client_streaming), bool(described.server_streaming)
        make = channel.stream_stream if streams == (True, True) else channel.unary_unary
        call = make(
            f"/{method}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=GetMessageClass(described.output_type).FromString,
        )
        answered = (
            next(call(iter([request]), timeout=10)) if streams[1] else call(request, timeout=10)
        )
        return json.loads(json_format.MessageToJson(answered))
