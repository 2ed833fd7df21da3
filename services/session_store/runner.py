"""Runs the session-store's scripts on Redis, and turns their refusals into errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from memory.hotstore import HotStore
from memory.scripts import Script, ScriptCall, Value, load_script
from session_store.records import session_keys
from session_store.refusals import accepted

_NAMES = (
    "create_session",
    "get_session",
    "update_session",
    "get_verified",
    "set_verified",
    "append_events",
    "list_events",
    "acquire_call",
    "renew_call",
    "release_call",
    "claim_tool",
    "renew_claim",
    "complete_tool",
    "get_claim",
    "export_session",
    "forget_session",
    "erase_session",
)


class ScriptRunner:
    """One step on the keys of one session."""

    def __init__(self, hot: HotStore) -> None:
        self.hot = hot
        self._scripts: Mapping[str, Script] = {
            name: load_script("session_store.scripts", name, shared="shared") for name in _NAMES
        }

    def call(self, name: str, session_id: str, args: Sequence[Value]) -> ScriptCall:
        """A script with the keys of a session, to be run."""
        return ScriptCall(self._scripts[name], session_keys(session_id), args)

    async def run(
        self,
        name: str,
        session_id: str,
        args: Sequence[Value] = (),
        *,
        timeout: float,
        durable: bool = False,
    ) -> Sequence[Any]:
        """Run a script; what follows `OK` in its reply. Raises MeshError."""
        call = self.call(name, session_id, args)
        reply = await self.hot.run(
            call.script, call.keys, call.args, timeout=timeout, durable=durable
        )
        return accepted(session_id, reply)


def milliseconds(seconds: float) -> int:
    """Whole milliseconds, as scripts count time."""
    return round(seconds * 1000)
