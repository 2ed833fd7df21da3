"""Ten real-time calls at once on the scripted engine: how late do the agent's frames come?

Lateness is against an even 20 ms from the first frame of each burst, seen at the caller's end; the
callers are in this process, on the same cores as the mesh.
"""

from __future__ import annotations

import asyncio

import uvloop

from acs_standin.caller import PlacedCall
from cli.call import Conversation, Line
from tests.load.measure import cpu_seconds, machine, percentile
from tests.support.scripted_mesh import scripted_mesh
from tests.support.tonetext import encode

CALLS = 10
LINES = 6


async def one_call(number: int, media_url: str, control_url: str) -> PlacedCall:
    async with PlacedCall(f"{media_url}?scenario=banking") as call:
        conversation = Conversation(call, lambda event: None, turn_seconds=30.0)
        said = [f"caller {number} asks for the {k}th time" for k in range(LINES)]
        await conversation.run([Line(text, encode(text)) for text in said], control_url)
        heard = [text for who, text in conversation.progress.transcripts if who == "caller"]
        assert heard == said, f"call {number} was heard as {heard}"
    return call


async def main() -> None:
    print(f"{CALLS} calls at once, {LINES} lines each; {machine()}")
    async with scripted_mesh() as mesh:
        names = ("gateway", "speech-pool", "orchestrator", "tool-executor", "session-store")
        before = {name: cpu_seconds(mesh.process(name).pid) for name in names}
        calls = (one_call(n, mesh.media_url, mesh.control_url) for n in range(CALLS))
        done = await asyncio.wait_for(asyncio.gather(*calls), 600)
        spent = {name: cpu_seconds(mesh.process(name).pid) - before[name] for name in names}
    late = [seconds * 1e3 for call in done for seconds in call.arrivals.lateness_seconds]
    minutes = sum(call.recording.seconds for call in done) / 60
    ticks = sum(call.late_ticks for call in done)
    print(f"{len(late)} agent frames, all words right; {ticks} ticks of the callers came late")
    for share in (0.5, 0.99, 1.0):
        print(f"lateness p{share * 100:.0f} {percentile(late, share):6.1f} ms")
    for name, seconds in spent.items():
        print(f"{name:14} {seconds / minutes:6.3f} CPU seconds a minute of call")


if __name__ == "__main__":
    uvloop.run(main())
