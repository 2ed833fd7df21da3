"""A tool of a careless author: it fails with secrets in its error text, and logs them."""

import logging

from pydantic import BaseModel

from tests.support.planted import CARD, CONNECTION, NAME, REDIS_URL, TOKEN
from toolkit import Effect, ToolResult, tool


class Note(BaseModel):
    """What the caller said."""

    note: str


@tool("Look something up.", effect=Effect.READ_ONLY)
async def look_up(args: Note) -> ToolResult:
    logging.getLogger("bank.client").warning("refused by %s: Bearer %s", REDIS_URL, TOKEN)
    try:
        raise ConnectionError(f"no answer from {CONNECTION}")
    except ConnectionError as error:
        told = f"{error}; Authorization: Bearer {TOKEN}; card {CARD}; my name is {NAME}"
        raise RuntimeError(told) from error
