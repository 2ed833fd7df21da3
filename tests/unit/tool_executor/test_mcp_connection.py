"""What of a server's tools is served, as they come, change and go; the wire is another test's."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Mapping
from typing import Any, cast

import pytest

from tool_executor.mcp_servers import DeclaredServer, DeclaredTool, McpServers
from tool_executor.mcp_servers.connection import AWAY
from tool_executor.mcp_servers.sdk import Connected, OfferedTool, ServerGone
from tool_executor.policy_file import LimitHere
from toolkit import Effect, Registry, ToolResult
from toolkit.local import execute

AMOUNT = {
    "type": "object",
    "properties": {"amount": {"type": "number"}},
    "required": ["amount"],
}
NOTHING: dict[str, Any] = {"type": "object", "properties": {}}


class Peer:
    """A server whose tools are what a test says; `look` has it looked at again."""

    def __init__(self, *offered: OfferedTool) -> None:
        self.offered = list(offered)
        self.gone = False
        self._look, self._looked = asyncio.Event(), asyncio.Event()

    async def tools(self) -> list[OfferedTool]:
        self._looked.set()
        return self.offered

    async def changed(self) -> None:
        await self._look.wait()
        self._look.clear()

    async def look(self) -> None:
        """Returns once the tools were listed again."""
        self._looked.clear()
        self._look.set()
        await self._looked.wait()
        await asyncio.sleep(0)

    async def call(self, name: str, arguments: Mapping[str, Any], *_: object) -> ToolResult:
        if self.gone:
            raise ServerGone("broke off")
        return ToolResult(True, f"{name} is done.")


def offered(name: str, parameters: dict[str, Any] = NOTHING, **more: Any) -> OfferedTool:
    return OfferedTool(name, f"Does {name}.", parameters, **more)


@contextlib.asynccontextmanager
async def serving(
    peer: Peer, registry: Registry | None = None, *, believe_hints: bool = False, **tools: Any
) -> AsyncIterator[Registry]:
    """A registry with the peer's tools, as declared; all of them if nothing is said."""
    declared = DeclaredServer(
        command=("x",), tools=tools or {"*": DeclaredTool()}, believe_hints=believe_hints
    )
    registry = Registry() if registry is None else registry

    @contextlib.asynccontextmanager
    async def connect(*_: object) -> AsyncIterator[Connected]:
        yield cast(Connected, peer)

    async def sleep(seconds: float) -> None:
        await asyncio.sleep(0)

    servers = McpServers(
        {"desk": declared}, registry, {}, start_seconds=5, connect=connect, sleep=sleep
    )
    async with servers.running():
        yield registry


def names(registry: Registry) -> list[str]:
    return sorted(tool.name for tool in registry)


async def test_what_comes_and_goes_is_served_and_served_no_more() -> None:
    peer = Peer(offered("a"), offered("b"))
    async with serving(peer) as registry:
        assert names(registry) == ["desk_a", "desk_b"]
        peer.offered = [offered("b"), offered("c")]
        await peer.look()
        assert names(registry) == ["desk_b", "desk_c"]


async def test_a_schema_that_changes_is_the_one_that_is_checked() -> None:
    peer = Peer(offered("a"))
    async with serving(peer) as registry:
        peer.offered = [offered("a", AMOUNT)]
        await peer.look()
        assert "missing: `amount`" in (await execute(registry, "desk_a", {}))["message"]


async def test_one_whose_policy_would_hold_no_more_is_left_out_and_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    peer = Peer(offered("pay", AMOUNT))
    limited = DeclaredTool(limits=(LimitHere(argument="amount", per_run=5),))
    async with serving(peer, pay=limited) as registry:
        assert names(registry) == ["desk_pay"]
        peer.offered = [offered("pay")]
        with caplog.at_level(logging.ERROR):
            await peer.look()
            await peer.look()
        assert names(registry) == []
    (said,) = [one for one in caplog.records if "left out" in one.getMessage()]
    assert "'amount' must be one that is required" in said.__dict__["cause"]


@pytest.mark.parametrize(
    ("bad", "cause"),
    [
        (offered("no spaces"), "a name has"),
        (offered("x", {"type": "array"}), '"type": "object"'),
        (offered("x", {**NOTHING, "required": 7}), "required"),
        (offered("taken"), "a tool of that name already"),
    ],
)
async def test_one_that_cannot_be_served_costs_no_other(
    bad: OfferedTool, cause: str, caplog: pytest.LogCaptureFixture
) -> None:
    registry = Registry()
    registry.register("desk_taken", {}, lambda args: {"message": "Ours."})
    async with serving(Peer(bad, offered("good")), registry):
        assert names(registry) == ["desk_good", "desk_taken"]
        assert (await execute(registry, "desk_taken", {}))["message"] == "Ours."
    assert cause in caplog.records[-1].__dict__["cause"]


async def test_of_two_of_one_name_the_first_is_served() -> None:
    async with serving(Peer(offered("a"), offered("a", AMOUNT))) as registry:
        assert (await execute(registry, "desk_a", {}))["success"]


@pytest.mark.parametrize("believe_hints", [False, True])
async def test_hints(believe_hints: bool) -> None:
    peer = Peer(offered("reads", hinted=Effect.READ_ONLY), offered("says_nothing"))
    async with serving(peer, believe_hints=believe_hints) as registry:
        effect = Effect.READ_ONLY if believe_hints else Effect.EFFECTFUL
        assert registry.get("desk_reads").effect is effect
        assert registry.get("desk_says_nothing").effect is Effect.EFFECTFUL


@pytest.mark.parametrize(
    ("effect", "error"),
    [(Effect.EFFECTFUL, "OUTCOME_UNKNOWN"), (Effect.READ_ONLY, "SERVER_UNAVAILABLE")],
)
async def test_a_connection_that_breaks_under_a_call(effect: Effect, error: str) -> None:
    peer = Peer(offered("a"))
    async with serving(peer, a=DeclaredTool(effect=effect)) as registry:
        peer.gone = True
        result = await execute(registry, "desk_a", {})
        assert (result["success"], result["error"]) == (False, error)
        assert effect is Effect.EFFECTFUL or result["message"] == AWAY
