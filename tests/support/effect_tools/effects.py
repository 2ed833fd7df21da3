"""Tools of the kill tests: each act is a line in a file, and the test can hold them at two points.

A point is reached by a connection to the test's socket; the tool goes on when it is told to.
"""

import asyncio
import os

from pydantic import BaseModel

from toolkit import Effect, ToolContext, ToolResult, tool

FILE = os.environ.get("EFFECTS_FILE", "")
SOCKET = os.environ.get("EFFECTS_SOCKET", "")


class Payment(BaseModel):
    """What is paid."""

    amount: int = 1


async def _reached(point: str) -> None:
    reader, writer = await asyncio.open_unix_connection(SOCKET)
    writer.write(f"{point}\n".encode())
    await reader.readline()
    writer.close()


async def _act(context: ToolContext) -> ToolResult:
    await _reached("during")
    file = os.open(FILE, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(file, f"{context.request_id}\n".encode())
    os.fsync(file)
    os.close(file)
    await _reached("after the effect")
    return ToolResult(True, "It is paid.")


@tool("Pay.", effect=Effect.EFFECTFUL, timeout_seconds=60)
async def pay(args: Payment, context: ToolContext) -> ToolResult:
    return await _act(context)


@tool("Put.", effect=Effect.IDEMPOTENT, claimed=True, timeout_seconds=60)
async def put(args: Payment, context: ToolContext) -> ToolResult:
    return await _act(context)
