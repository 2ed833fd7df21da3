"""A call that is full of secrets leaves none of them in any log, audit file or archive."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio

from acs_standin.caller import PlacedCall
from cli.call import Conversation
from tests.support.scripted_mesh import scripted_mesh
from tests.support.tonetext import encode

SSN, PHONE, CODE, ACCOUNT = "457-55-5462", "415 555 2671", "four two one seven", "4471902881"
CARD, MAIL, KEYS = "4111 1111 1111 1111", "ada@example.org", "830164"
NAME, ARGUMENT = "Ada Lovelace", "9317"
LINES = (f"my name is {NAME}, ssn {SSN}", f"{PHONE}, {MAIL}, code {CODE}", f"card {CARD}")
ANSWERS = (
    {"text": f"Account {ACCOUNT}."},
    {"calls": [["verify_client_identity", {"full_name": NAME, "ssn_last_4": ARGUMENT}]]},
    {"text": f"No, {NAME}."},
    {"text": "Yes."},
    {"text": "Keys."},
)
ARCHIVE_SECONDS = 30.0


@dataclass
class Told:
    """What the mesh wrote."""

    logs: list[str] = field(default_factory=list)
    audit: str = ""
    archive: str = ""
    session: str = ""
    archived: asyncio.Event = field(default_factory=asyncio.Event)

    def line(self, part: str, line: str) -> None:
        """Take a line of a part's output."""
        self.logs.append(f"{part} {line}")
        if "session archived" in line:
            self.archived.set()


pytestmark = pytest.mark.slow  # a mesh of its own


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def told(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Told]:
    """A call at the most talkative log level, and what is left of it everywhere."""
    kept = tmp_path_factory.mktemp("sinks")
    told = Told()
    environment = {
        "VOICEMESH_LOG_LEVEL": "debug",
        "VOICEMESH_ARCHIVE_PATH": str(kept / "archive.db"),
        "VOICEMESH_AUDIT_FOLDER": str(kept / "audit"),
        "VOICEMESH_ARCHIVE_LINGER_SECONDS": "0",
    }
    script = kept / "answers.json"
    script.write_text(json.dumps(ANSWERS))
    model = ("--script", str(script))
    async with scripted_mesh(model, environment, told.line) as mesh:
        async with PlacedCall(f"{mesh.media_url}?scenario=banking") as call:
            told.session = call.call_connection_id
            conversation = Conversation(call, lambda event: None, turn_seconds=30.0)
            watching = asyncio.create_task(conversation.watch(mesh.control_url, ""))
            await conversation.until_answered("the greeting")
            for text in LINES:
                conversation.progress.line_begins()
                await call.say(encode(text))
                await conversation.until_answered("an answer")
            conversation.progress.line_begins()
            await call.press(f"{KEYS}#")
            await conversation.until_answered("an answer to the keys")
            await call.hang_up()
            await watching
        await asyncio.wait_for(told.archived.wait(), ARCHIVE_SECONDS)
    told.audit = "\n".join(p.read_text() for p in (kept / "audit").glob("*.jsonl"))
    told.archive = archived(kept / "archive.db")
    yield told


def archived(path: Path) -> str:
    """All documents of the archive."""
    connection = sqlite3.connect(path)
    try:
        return "\n".join(row[0] for row in connection.execute("SELECT document FROM sessions"))
    finally:
        connection.close()


def planted() -> dict[str, str]:
    """What must be nowhere, as patterns: digits with or without what stands between them."""
    numbers = (SSN, PHONE, ACCOUNT, CARD, KEYS, ARGUMENT)
    digits = {n: r"\D?".join(re.findall(r"\d", n)) for n in numbers}
    words = {w: re.escape(w) for w in (CODE, MAIL, *NAME.split())}
    return digits | words


@pytest.mark.parametrize("sink", ["logs", "audit", "archive"])
@pytest.mark.asyncio(loop_scope="module")
async def test_no_planted_secret_is_in_a_sink(told: Told, sink: str) -> None:
    text = "\n".join(told.logs) if sink == "logs" else getattr(told, sink)
    found = [name for name, p in planted().items() if re.search(rf"(?<!\w){p}(?!\w)", text, re.I)]
    assert found == []


@pytest.mark.asyncio(loop_scope="module")
async def test_the_call_was_told_of_in_every_sink(told: Told) -> None:
    """Else the scan above would find nothing because there is nothing."""
    logs = "\n".join(told.logs)
    assert logs.count('"message": "call began"') == 1
    assert told.session in logs
    assert "verify_client_identity" in told.audit
    document = json.loads(told.archive)
    heard = [e["utterance"]["transcript"] for e in document["events"] if "utterance" in e]
    assert len(heard) == len(LINES) + 1
    assert heard[0] == "my name is [name], ssn [number]"
    assert heard[-1] == "[keys]"
