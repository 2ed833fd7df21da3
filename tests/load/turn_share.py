"""The mesh's own share of a turn, in empty unaries of the same run; one call.

From the last caller sample in to the first agent sample out, both at the caller's end of the media
WebSocket, less the time that the turn spent inside the model and in tool bodies. Recogniser and
synthesiser are scripted: they answer at once, so their share is below what is measured here. Between
the turns the anchor is asked, so that what disturbs one disturbs the other.
"""

from __future__ import annotations

import asyncio

import grpc
import uvloop
from google.protobuf.empty_pb2 import Empty

from acs_standin.caller import PlacedCall
from cli.call import Conversation
from cli.ports import Ports
from tests.load.anchor import empty_unary
from tests.load.lease_rpc import parts
from tests.load.measure import machine, percentile, running, timed
from tests.support.scripted_mesh import scripted_mesh
from tests.support.tonetext import encode

TURNS = 200
EMPTY_PER_TURN = 10


async def measure(
    media_url: str, control_url: str, anchor_port: int
) -> tuple[list[float], list[float]]:
    """Microseconds of each turn's share, and of each empty unary."""
    shares: list[float] = []
    empties: list[float] = []
    async with (
        grpc.aio.insecure_channel(f"127.0.0.1:{anchor_port}") as channel,
        PlacedCall(f"{media_url}?scenario=banking") as call,
    ):
        empty = empty_unary(channel)
        conversation = Conversation(call, lambda event: None, turn_seconds=10.0)
        watching = asyncio.create_task(conversation.watch(control_url, ""))
        await conversation.until_answered("the greeting")
        for number in range(TURNS):
            conversation.progress.line_begins()
            spoken = await call.say(encode(f"q{number}"))
            await conversation.until_answered("an answer")
            turn = conversation.progress.finished[-1]
            first_frame = min(t for t in call.arrivals.bursts if t > spoken.began)
            inside = (turn["model_ms"] or 0.0) + (turn["tool_ms"] or 0.0)
            shares.append((first_frame - spoken.ended) * 1e6 - inside * 1e3)
            for _ in range(EMPTY_PER_TURN):
                empties.append(await timed(lambda: empty(Empty(), timeout=5.0)))
        await call.hang_up()
        await watching
    return shares, empties


async def main() -> None:
    ports = Ports.free()
    anchor, _ = parts(ports)
    print(f"the mesh's share of {TURNS} turns of one call; {machine()}")
    async with running(anchor), scripted_mesh() as mesh:
        work = measure(mesh.media_url, mesh.control_url, ports.planner)
        shares, empties = await asyncio.wait_for(work, 600)
    base = percentile(empties, 0.5)
    for share in (0.5, 0.9, 0.99):
        value = percentile(shares, share)
        ratio = f"{value / base:5.1f} empty unaries of {base:.0f} us"
        print(f"p{share * 100:.0f} {value / 1e3:7.2f} ms = {ratio}")


if __name__ == "__main__":
    uvloop.run(main())
