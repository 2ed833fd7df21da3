"""What it costs a request to have its caller checked, in the handler of a connection with mutual TLS.

Beside it a look-up of a tuple in a set, which is what the check comes down to, in the same run.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvloop

from meshkit.endpoints import StaticEndpoints
from meshkit.fleet import Fleet
from meshkit.identity import Door, identified
from meshkit.server import MeshServer
from tests.load.measure import machine
from tests.support.certificates import PrivateCA, identity_settings
from voicemesh.speech.v1 import speech_pool_pb2 as pb
from voicemesh.speech.v1 import speech_pool_pb2_grpc as pb_grpc

ROUNDS, REPEATS = 5_000, 15
METHOD = "/voicemesh.speech.v1.SpeechPoolService/AllocateClient"


class Measuring(pb_grpc.SpeechPoolServiceServicer):
    """Times the check of its own request."""

    def __init__(self) -> None:
        self.checks: list[float] = []
        self.anchors: list[float] = []

    async def AllocateClient(self, request: Any, context: Any) -> pb.AllocateClientResponse:
        check = Door(METHOD, {}).check
        names = tuple(context.peer_identities())
        known = {names}
        check(context)
        for _ in range(REPEATS):
            self.anchors.append(microseconds(lambda: names in known))
            self.checks.append(microseconds(lambda: check(context)))
        return pb.AllocateClientResponse()


def microseconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    for _ in range(ROUNDS):
        work()
    return (time.perf_counter() - began) / ROUNDS * 1e6


async def measure(folder: Path) -> Measuring:
    ca, servicer = PrivateCA(), Measuring()
    settings = identity_settings(ca.files_for(folder / "pool", "speech-pool"))
    async with identified("speech-pool", settings):
        server = MeshServer("speech-pool", settings, port=0)
    pb_grpc.add_SpeechPoolServiceServicer_to_server(servicer, server.grpc)
    caller = identity_settings(ca.files_for(folder / "gateway", "gateway"))
    async with server, identified("gateway", caller):
        source = StaticEndpoints(frozenset({server.address}))
        async with Fleet("speech-pool", source) as fleet:
            await fleet.unary(
                pb_grpc.SpeechPoolServiceStub,
                "AllocateClient",
                pb.AllocateClientRequest(),
                timeout=60.0,
            )
    return servicer


def main() -> None:
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        found = uvloop.run(measure(Path(folder)))
    check, anchor = statistics.median(found.checks), statistics.median(found.anchors)
    print(f"caller checked: {check:.2f} us; a set look-up: {anchor:.2f} us")


if __name__ == "__main__":
    main()
