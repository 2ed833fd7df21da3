"""Tools that do nothing, for what running one costs."""

from pydantic import BaseModel

from toolkit import Effect, ToolResult, tool


class Number(BaseModel):
    """Differs from run to run, or the executor takes it for a model that goes round in circles."""

    number: int


@tool("Read.", effect=Effect.READ_ONLY, concurrency=64)
async def bare_read(args: Number) -> ToolResult:
    return ToolResult(True, "Read.")


@tool("Act.", effect=Effect.EFFECTFUL, concurrency=64)
async def bare_act(args: Number) -> ToolResult:
    return ToolResult(True, "Done.")
