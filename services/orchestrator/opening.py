"""What a conversation begins with: its session, its agent, and what was said before on another pod."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agentkit import Agent, Catalog, Scenario, variables_of
from agentkit.prompts import render
from memory.memo import MemoManager
from meshkit.errors import MeshError, PeerUnreachable, Reason, invalid
from meshkit.fleet import Fleet
from meshkit.names import resource_id, session_id
from meshkit.rpc import Retry
from orchestrator.memory import ACTIVE_AGENT, SessionMemory, memo_of
from voicemesh.orchestrator.v1.orchestrator_pb2 import ConversationStart
from voicemesh.session.v1 import journal_pb2, session_store_pb2
from voicemesh.session.v1.journal_event_pb2 import JournalEvent
from voicemesh.session.v1.journal_pb2_grpc import JournalServiceStub
from voicemesh.session.v1.session_store_pb2_grpc import SessionStoreServiceStub

STORE_SECONDS = 2.0
MAX_PAGES = 100
_RETRY = Retry(attempts=3, first_seconds=0.05)


@dataclass(frozen=True, slots=True)
class Opened:
    """A conversation that may begin."""

    session: str
    """`sessions/{session}`."""
    epoch: int
    agent: Agent
    greeting: str
    """Rendered; empty: the agent waits for the caller."""
    prompt: str
    """Rendered system prompt."""
    memory: MemoManager
    """What the session knows, with the facts that the call brings, which are still to be written."""
    past: tuple[JournalEvent, ...] = ()
    """The journal so far."""


async def open_session(start: ConversationStart, catalog: Catalog, store: Fleet) -> Opened:
    """Check the start and read the session. Raises MeshError."""
    name = session_id(start.session)
    if start.owner_epoch < 0:
        raise invalid("owner_epoch", "must not be negative")
    scenario = _scenario(start, catalog)
    session, past = await _read(start.session, store)
    if session.owner.epoch > start.owner_epoch:
        raise MeshError(Reason.CALL_OWNER_SUPERSEDED, "the call has another owner")
    agent = _agent(session.active_agent, scenario, catalog)
    memory = MemoManager.of(name, SessionMemory(store, start.owner_epoch), memo_of(session))
    _remember(memory, _context(start.context_json))
    facts = {key: v for key, v in memory.get_all_context().items() if key != ACTIVE_AGENT}
    variables = variables_of(agent, scenario, facts)
    return Opened(
        session=start.session,
        epoch=start.owner_epoch,
        agent=agent,
        greeting=render(agent.greeting, variables),
        prompt=render(agent.prompt_template, variables),
        memory=memory,
        past=past,
    )


def _scenario(start: ConversationStart, catalog: Catalog) -> Scenario:
    name = resource_id("scenarios", start.scenario, "scenario")
    if name not in catalog.scenarios:
        known = ", ".join(sorted(catalog.scenarios))
        raise MeshError(Reason.SCENARIO_NOT_FOUND, f"scenario: there is none {name!r}: {known}")
    return catalog.scenarios[name]


def _agent(active: str, scenario: Scenario, catalog: Catalog) -> Agent:
    """The agent that has the floor by the session, if it belongs to the scenario."""
    name = active.removeprefix("agents/")
    return catalog.agents[name if name in scenario.agents else scenario.start_agent]


async def _read(session: str, store: Fleet) -> tuple[Any, tuple[JournalEvent, ...]]:
    """The session and its journal, asked for together."""
    asked = session_store_pb2.GetSessionRequest(name=session)
    try:
        response, events = await asyncio.gather(
            store.unary(
                SessionStoreServiceStub, "GetSession", asked, timeout=STORE_SECONDS, retry=_RETRY
            ),
            _journal(session, store),
        )
    except PeerUnreachable as error:
        raise MeshError(
            Reason.STORE_UNAVAILABLE,
            f"the session-store does not answer: {error.reason}",
            retry_after_seconds=1.0,
        ) from None
    return response.session, tuple(events)


async def _journal(session: str, store: Fleet) -> list[JournalEvent]:
    events: list[JournalEvent] = []
    token = ""
    for _ in range(MAX_PAGES):
        request = journal_pb2.ListEventsRequest(parent=session, page_token=token)
        page = await store.unary(
            JournalServiceStub, "ListEvents", request, timeout=STORE_SECONDS, retry=_RETRY
        )
        events.extend(page.events)
        token = page.next_page_token
        if not token:
            break
    return events


def _remember(memory: MemoManager, facts: Mapping[str, Any]) -> None:
    """Take in what the call brings and the session does not know yet."""
    known = memory.get_all_context()
    memory.update_context({key: v for key, v in facts.items() if known.get(key) != v})


def _context(written: Mapping[str, str]) -> dict[str, Any]:
    """Facts for prompts; what is not JSON is taken as text."""
    return {key: _value(text) for key, text in written.items()}


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
