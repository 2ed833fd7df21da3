"""What running a tool under policy costs, and searching 10,000 passages.

In this process: the whole run (idempotency, parsing, policy, schema, audit to a file) beside the bare
coroutine, with the verified record at hand; `tool_rpc` measures it over the wire, with its store round
trips. A question as the product asks it: embedded by the planner's endpoint in a process of its own,
then searched here, split into the two.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from itertools import count
from pathlib import Path
from typing import Any

# Before numpy, as the tool-executor and the planner do it in their own processes.
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np

from cli.parts import Part
from cli.ports import Ports
from tests.load.measure import machine, percentile, running
from tests.support.claims_at_hand import ClaimsAtHand, KnownAtHand
from tool_executor.audit import AuditLog
from tool_executor.embeddings import OpenAIEmbedder
from tool_executor.execution import Execution
from tool_executor.knowledge import Passage
from tool_executor.knowledge.index import VectorIndex
from tool_executor.outcomes import Failure
from tool_executor.policy import Limits, Verified
from tool_executor.requests import Request
from tool_executor.tools.accounts import SummaryArguments
from toolkit import Effect, Proof, Registry, ToolResult, tool

RUNS = 2000
PASSAGES = 10_000
DIMENSIONS = 384
QUERIES = 50
MAX_SEARCH_SHARE = 0.10


class AtHand:
    """A verified record without a store."""

    async def read(self, session: str) -> Verified:
        return Verified("alice", frozenset({"identity"}))

    async def add(self, session: str, level: str, request_id: str, proof: Proof) -> Failure | None:
        return None


@tool("Read.", effect=Effect.READ_ONLY, requires={"identity"}, client_argument="client_id")
async def bare(args: SummaryArguments) -> ToolResult:
    return ToolResult(True, "Your balance is 5 dollars.", {"accounts": [{"balance": 5.0}]})


async def overhead(folder: Path) -> None:
    audit = AuditLog(folder, days=1)
    limits = Limits(same_in_turn=RUNS * 2, in_turn=RUNS * 2, in_call=RUNS * 2)
    records, claims = AtHand(), ClaimsAtHand()
    execution = Execution(
        Registry([bare]),
        records,
        audit,
        claims,
        known=KnownAtHand(records, claims),
        limits=limits,
        max_runs=8,
        kept_outcomes=100,
    )
    numbers, arguments = count(), SummaryArguments(client_id="alice", account_type=None)

    async def whole() -> None:
        request_id = f"sessions/a/t1/0/{next(numbers)}"
        request = Request("bare", "sessions/a", "t1", "concierge", request_id, "{}")
        outcome = await execution.execute(request)
        assert outcome.failure is None

    async def coroutine() -> None:
        await bare.body(arguments)

    taken = {work.__name__: await _microseconds(work) for work in (coroutine, whole)}
    audit.close()
    for name, values in taken.items():
        half, most = percentile(values, 0.5), percentile(values, 0.99)
        print(f"{name:10} p50 {half:8.1f} us   p99 {most:8.1f} us")
    bare_half, whole_half = (percentile(taken[name], 0.5) for name in ("coroutine", "whole"))
    print(
        f"the executor adds {whole_half - bare_half:.0f} us, {whole_half / bare_half:.0f} times what"
        " a bare coroutine takes"
    )


async def _microseconds(work: Any) -> list[float]:
    taken = []
    for _ in range(RUNS):
        began = time.perf_counter()
        await work()
        taken.append((time.perf_counter() - began) * 1e6)
    return taken[RUNS // 10 :]


def planner(port: int) -> Part:
    command = (sys.executable, "-m", "planner", "--port", str(port))
    return Part("planner", command, health_url=f"http://127.0.0.1:{port}/healthz")


async def search() -> bool:
    """Whether searching takes less beside embedding than it may."""
    port = Ports.free().planner
    random = np.random.default_rng(1)
    vectors = random.standard_normal((PASSAGES, DIMENSIONS)).astype(np.float32)
    passages = [Passage("c", "f.md", f"p{n}", "text") for n in range(PASSAGES)]
    index = VectorIndex(passages, list(vectors), full_text=True)
    embedder = OpenAIEmbedder(
        base_url=f"http://127.0.0.1:{port}/v1", model="all-MiniLM-L6-v2", api_key=""
    )
    embedding, searching = [], []
    async with running(planner(port)):
        for n in range(QUERIES):
            question = f"why was I charged a foreign transaction fee number {n}"
            began = time.perf_counter()
            query = np.asarray((await embedder.embed([question], 5.0))[0], np.float32)
            embedded = time.perf_counter()
            index.nearest(query, question=question, top_k=5)
            searching.append((time.perf_counter() - embedded) * 1e3)
            embedding.append((embedded - began) * 1e3)
    await embedder.aclose()
    half_embedding, half_search = percentile(embedding, 0.5), percentile(searching, 0.5)
    share = half_search / half_embedding
    print(
        f"{PASSAGES} passages: embedding p50 {half_embedding:.2f} ms, search p50 {half_search:.2f} ms,"
        f" {share:.0%} of embedding (at most {MAX_SEARCH_SHARE:.0%})"
    )
    return share < MAX_SEARCH_SHARE


def main() -> int:
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(overhead(Path(folder)))
    return 0 if asyncio.run(search()) else 1


if __name__ == "__main__":
    sys.exit(main())
