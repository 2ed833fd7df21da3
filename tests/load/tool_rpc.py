"""ExecuteTool over the wire, beside an empty unary and the session-store's round trips that it makes.

Three server processes (the anchor, the session-store on its Valkey, the tool-executor) and this one,
which asks each in turn. A tool that reads makes one round trip to the store (the verified record); one
that acts makes three, one behind another: the record and the earlier claim together, the claim, the
outcome. The two latter wait for what Valkey's disk says, which is memory here where there is any: the
disk's own time is in both and would only blur their difference. What is left after the store is
compared with empty unaries, in each of some rounds; the figure is the median of the rounds.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import grpc
import uvloop
from google.protobuf.empty_pb2 import Empty

from cli.parts import Part
from cli.ports import Ports
from memory.embedded import EmbeddedValkey
from tests.load.anchor import empty_unary
from tests.load.measure import ROOT, machine, of_rounds, percentile, running, timed, verdict
from voicemesh.session.v1 import claim_pb2 as claims_pb
from voicemesh.session.v1 import session_store_pb2 as store_pb
from voicemesh.session.v1.claim_pb2_grpc import ToolClaimServiceStub
from voicemesh.session.v1.session_store_pb2_grpc import SessionStoreServiceStub
from voicemesh.tools.v1 import tool_executor_pb2 as pb
from voicemesh.tools.v1.outcome_pb2 import ToolOutcome
from voicemesh.tools.v1.tool_executor_pb2_grpc import ToolExecutorServiceStub

ROUNDS = 15
CALLS = 40
"""Of each kind in a round."""
MAX_EMPTY_UNARIES = 2.0
IN_MEMORY = Path("/dev/shm")
OUTCOME = ToolOutcome(result_json='{"success":true,"message":"Done."}')


def parts(ports: Ports, redis_url: str, folder: str) -> tuple[Part, Part, Part]:
    def service(name: str, port: int, **environment: str) -> Part:
        told = {"VOICEMESH_GRPC_PORT": str(port), "VOICEMESH_LOG_LEVEL": "warning", **environment}
        command = (sys.executable, "-m", name.replace("-", "_"))
        return Part(name, command, told, port)

    anchor = (sys.executable, "-m", "tests.load.anchor", str(ports.planner))
    return (
        Part("anchor", anchor, {}, ports.planner),
        service(
            "session-store",
            ports.session_store,
            VOICEMESH_REDIS_URL=redis_url,
            VOICEMESH_ARCHIVE_PATH=f"{folder}/archive.db",
        ),
        service(
            "tool-executor",
            ports.tool_executor,
            VOICEMESH_SESSION_STORE_TARGET=f"static:127.0.0.1:{ports.session_store}",
            VOICEMESH_TOOLS_FOLDER=str(ROOT / "tests" / "support" / "bare_tools"),
            VOICEMESH_DATA_FOLDER=folder,
            VOICEMESH_AUDIT_FOLDER=f"{folder}/audit",
            VOICEMESH_CALL_MAX_RUNS="100000",
            VOICEMESH_EMBEDDINGS_BASE_URL="http://127.0.0.1:1/v1",
        ),
    )


class Asking:
    """The requests of one session, each of a turn of its own."""

    def __init__(self, ports: Ports, channels: Any) -> None:
        anchor, store, executor = channels
        self._empty = empty_unary(anchor)
        self._sessions, self._claims = SessionStoreServiceStub(store), ToolClaimServiceStub(store)
        self._executor = ToolExecutorServiceStub(executor)
        self._numbers = count(1)

    async def create(self, session: str) -> None:
        self._session = f"sessions/{session}"
        await self._sessions.CreateSession(
            store_pb.CreateSessionRequest(session_id=session, request_id=session)
        )

    async def empty(self) -> None:
        await self._empty(Empty(), timeout=5.0)

    async def execute(self, tool: str) -> None:
        number = next(self._numbers)
        request = pb.ExecuteToolRequest(
            name=f"tools/{tool}",
            session=self._session,
            request_id=self._request_id(number),
            agent="agents/bench",
            arguments_json=f'{{"number": {number}}}',
        )
        call = self._executor.ExecuteTool(request, timeout=5.0)
        message = await call.read()
        assert message.outcome.result_json, message
        call.cancel()  # as the orchestrator's stream ends: the outcome is the last message

    async def read(self) -> None:
        """The round trip of a tool that reads."""
        request = store_pb.GetVerifiedRequest(name=f"{self._session}/verified")
        await self._sessions.GetVerified(request, timeout=5.0)

    async def act(self) -> None:
        """Those of a tool that acts."""
        request_id = self._request_id(next(self._numbers))
        before = store_pb.GetVerifiedRequest(
            name=f"{self._session}/verified", request_id=request_id
        )
        await self._sessions.GetVerified(before, timeout=5.0)
        claim = claims_pb.ClaimToolRequest(request_id=request_id, fingerprint="f", holder="bench")
        token = (await self._claims.ClaimTool(claim, timeout=5.0)).claim_token
        done = claims_pb.CompleteToolRequest(
            request_id=request_id, claim_token=token, outcome=OUTCOME
        )
        await self._claims.CompleteTool(done, timeout=5.0)

    def _request_id(self, number: int) -> str:
        return f"{self._session}/t{number}/0/0"


async def measure(ports: Ports) -> bool:
    """Whether what the executor adds is within its bound."""
    addresses = (ports.planner, ports.session_store, ports.tool_executor)
    channels = [grpc.aio.insecure_channel(f"127.0.0.1:{port}") for port in addresses]
    asking = Asking(ports, channels)
    try:
        print(f"{'':6} {'whole':>9} {'store':>9} {'empty':>9}   (whole - store) / empty")
        within = [
            await compare(asking, "read", "bare_read", asking.read),
            await compare(asking, "act", "bare_act", asking.act),
        ]
    finally:
        for channel in channels:
            await channel.close()
    return all(within)


async def compare(asking: Asking, name: str, tool: str, trips: Any) -> bool:
    """All three in turn, so that what disturbs one disturbs the others."""
    await asking.create(f"bench-{name}")
    works = (lambda: asking.execute(tool), trips, asking.empty)
    await one_round(works)  # to warm up
    rounds = [await one_round(works) for _ in range(ROUNDS)]
    middle, told = of_rounds([(whole - store) / empty for whole, store, empty in rounds])
    whole, store, empty = (percentile(halves, 0.5) for halves in zip(*rounds, strict=True))
    within = middle <= MAX_EMPTY_UNARIES
    print(
        f"{name:6} {whole:7.0f}us {store:7.0f}us {empty:7.0f}us   {told};"
        f" at most {MAX_EMPTY_UNARIES:g}: {verdict(within)}"
    )
    return within


async def one_round(works: Sequence[Callable[[], Awaitable[object]]]) -> list[float]:
    """The p50 of each."""
    taken = [[await timed(work) for work in works] for _ in range(CALLS)]
    return [percentile(values, 0.5) for values in zip(*taken, strict=True)]


async def main() -> int:
    ports = Ports.free()
    print(f"ExecuteTool over the wire; {ROUNDS} rounds of {CALLS}; {machine()}")
    with tempfile.TemporaryDirectory(dir=IN_MEMORY if IN_MEMORY.is_dir() else None) as folder:
        async with EmbeddedValkey(Path(folder)) as valkey:
            anchor, store, executor = parts(ports, valkey.url, folder)
            async with running(anchor), running(store), running(executor):
                within = await asyncio.wait_for(measure(ports), 300)
    return 0 if within else 1


if __name__ == "__main__":
    sys.exit(uvloop.run(main()))
