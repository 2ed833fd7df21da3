"""A call that is full of secrets, in a mesh whose settings are, leaves none of them in any sink.

Read are the logs of the five services, what they send by OTLP and serve at `/metrics`, audit and
archive, status, tasks and a profile of each, and the problems that the gateway answers with. Not read,
because what was said belongs there: the model's prompt, the live session in Redis, and the call's
own events and timeline on the control plane, which only who has the control key is given.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
import pytest_asyncio

from acs_standin.caller import PlacedCall
from cli.call import Conversation
from cli.diagnostics import Process
from cli.mesh import LocalMesh
from cli.parts import Part
from cli.ports import Ports
from meshkit.call_graph import SERVICES
from tests.support import planted
from tests.support.otlp_sink import OtlpSink, otlp_sink
from tests.support.planted import CARD, MAIL, NAME
from tests.support.scripted_mesh import brief_agents, scripted_mesh
from tests.support.sink_scan import documents_of
from tests.support.tonetext import encode

LINES = (
    f"my name is {NAME}, ssn {planted.SSN}",
    f"{planted.PHONE}, {MAIL}, code {planted.CODE}",
    f"card {CARD}",
    f"the token is Bearer {planted.TOKEN}",
)
ANSWERS = (
    {"text": f"Account {planted.ACCOUNT}."},
    {"calls": [["verify_client_identity", {"full_name": NAME, "ssn_last_4": planted.LAST_FOUR}]]},
    {"text": f"No, {NAME}."},
    {"calls": [["look_up", {"note": f"{NAME}, {CARD}, {planted.CONNECTION}"}]]},
    {"text": "I could not look it up."},
    {
        "status": 400,
        "text": f"Incorrect API key provided: {planted.MODEL_KEY}, asked for {MAIL}",
    },
    {"text": "Keys."},
)
SETTINGS = {
    "VOICEMESH_MODEL_API_KEY": planted.MODEL_KEY,
    "VOICEMESH_CONTROL_KEY": planted.CONTROL_KEY,
    "VOICEMESH_ERASURE_KEY": planted.ERASURE_KEY,
    "AZURE_SPEECH_KEY": planted.SPEECH_KEY,
    "AZURE_APPCONFIG_ENDPOINT": planted.STORE,
    "VOICEMESH_APPCONFIG_START_SECONDS": "0.5",
    "VOICEMESH_LOG_LEVEL": "debug",
    "VOICEMESH_DIAGNOSTICS": "true",
    "VOICEMESH_ARCHIVE_LINGER_SECONDS": "0",
    "VOICEMESH_TOOLS_FOLDER": str(Path(__file__).parents[1] / "support" / "leaky_tools"),
}
"""Secrets, an App Configuration that is away, the most talkative level, a careless author's tools."""
ARCHIVE_SECONDS = 30.0
SINKS = ("logs", "otlp", "metrics", "audit", "archive", "status", "tasks", "profile", "problems")


@dataclass
class Told:
    """What the mesh told, by sink."""

    sinks: dict[str, str] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    session: str = ""
    otlp: OtlpSink = field(default_factory=OtlpSink)
    archived: asyncio.Event = field(default_factory=asyncio.Event)
    metrics_ports: Ports = field(default_factory=Ports.free)

    def line(self, part: str, line: str) -> None:
        """Take a line of a service's output; the scripted model is none."""
        if part in SERVICES:
            self.lines.append(f"{part} {line}")
        if "session archived" in line:
            self.archived.set()

    def adapt(self, part: Part) -> Part:
        """Have each service serve its metrics."""
        if part.name not in SERVICES:
            return part
        own = {"VOICEMESH_METRICS_PORT": str(self.metrics_port(part.name))}
        return replace(part, environment={**part.environment, **own})

    def metrics_port(self, service: str) -> int:
        name = "gateway_http" if service == "gateway" else service.replace("-", "_")
        port: int = getattr(self.metrics_ports, name)
        return port

    async def ask(self, mesh: LocalMesh) -> None:
        """Read what is read while the mesh runs."""
        processes = [
            Process(service, _where(mesh, service), None, planted.CONTROL_KEY)
            for service in SERVICES
        ]
        for sink, asked in {
            "status": (process.status() for process in processes),
            "tasks": (process.tasks() for process in processes),
            "profile": (process.profile(0.5) for process in processes),
            "metrics": (
                _text(f"http://127.0.0.1:{self.metrics_port(s)}/metrics") for s in SERVICES
            ),
            "problems": (_problem(mesh, path, key) for path, key in PROBLEMS),
        }.items():
            answers = await asyncio.gather(*asked)
            self.sinks[sink] = "\n".join(
                answer if isinstance(answer, str) else json.dumps(answer) for answer in answers
            )


PROBLEMS = (
    (f"calls/{quote(NAME)}", ""),
    (f"calls/{quote(CARD)}/timeline", planted.CONTROL_KEY),
    (f"calls/{quote(MAIL)}", planted.CONTROL_KEY),
    (f"diagnostics/profile?seconds={planted.ACCOUNT}", planted.CONTROL_KEY),
    (f"diagnostics/profile?seconds={quote(NAME)}", planted.CONTROL_KEY),
    (f"{planted.PHONE}", planted.CONTROL_KEY),
    (f"console/calls/{planted.PHONE.replace(' ', '')}", planted.CONTROL_KEY),
    (f"../../console/{quote(NAME)}", ""),
)
"""Paths of the control plane that are refused, with the key that is shown; 401, 404 and 422."""


def _where(mesh: LocalMesh, service: str) -> str:
    if service == "gateway":
        return mesh.control_url
    return f"127.0.0.1:{getattr(mesh.ports, service.replace('-', '_'))}"


async def _text(url: str) -> str:
    async with aiohttp.ClientSession() as http, http.get(url) as answer:
        assert answer.status == 200
        return await answer.text()


async def _problem(mesh: LocalMesh, path: str, key: str) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    url = f"{mesh.control_url}/api/v1/{path}"
    async with aiohttp.ClientSession(headers=headers) as http, http.get(url) as answer:
        assert answer.content_type == "application/problem+json"
        return dict(await answer.json(content_type=None))


pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]  # a mesh of its own


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def told(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Told]:
    """A call at the most talkative log level, and what is left of it everywhere."""
    kept, told = tmp_path_factory.mktemp("sinks"), Told()
    script = kept / "answers.json"
    script.write_text(json.dumps(ANSWERS))
    with otlp_sink() as told.otlp:
        environment = SETTINGS | {
            "VOICEMESH_AGENTS_DIR": str(brief_agents(kept, "look_up")),
            "VOICEMESH_ARCHIVE_PATH": str(kept / "archive.db"),
            "VOICEMESH_AUDIT_FOLDER": str(kept / "audit"),
            "VOICEMESH_OTLP_ENDPOINT": told.otlp.endpoint,
        }
        model = ("--script", str(script))
        async with scripted_mesh(model, environment, told.line, told.adapt) as mesh:
            await call_in(mesh, told)
            await asyncio.wait_for(told.archived.wait(), ARCHIVE_SECONDS)
    told.sinks["logs"] = "\n".join(told.lines)
    told.sinks["otlp"] = told.otlp.text
    told.sinks["audit"] = "\n".join(p.read_text() for p in (kept / "audit").glob("*.jsonl"))
    told.sinks["archive"] = "\n".join(documents_of(kept / "archive.db"))
    yield told


async def call_in(mesh: LocalMesh, told: Told) -> None:
    """Say all lines, press keys, look at the mesh meanwhile, hang up."""
    async with PlacedCall(f"{mesh.media_url}?scenario=banking") as call:
        told.session = call.call_connection_id
        conversation = Conversation(call, lambda event: None, turn_seconds=30.0)
        watching = asyncio.create_task(conversation.watch(mesh.control_url, planted.CONTROL_KEY))
        await conversation.until_answered("the greeting")
        for text in LINES:
            conversation.progress.line_begins()
            await call.say(encode(text))
            await conversation.until_answered("an answer")
        conversation.progress.line_begins()
        await call.press(f"{planted.KEYS}#")
        await conversation.until_answered("an answer to the keys")
        await told.ask(mesh)
        await call.hang_up()
        await watching


@pytest.mark.parametrize("sink", SINKS)
@pytest.mark.asyncio(loop_scope="module")
async def test_no_planted_secret_is_in_a_sink(told: Told, sink: str) -> None:
    assert planted.found_in(told.sinks[sink]) == []


@pytest.mark.asyncio(loop_scope="module")
async def test_the_call_was_told_of_in_every_sink(told: Told) -> None:
    """Else the scan above would find nothing because there is nothing."""
    assert set(told.sinks) == set(SINKS)
    logs = told.sinks["logs"]
    assert logs.count('"message": "call began"') == 1
    assert told.session in logs
    assert {line.split()[0] for line in told.lines} == set(SERVICES)
    assert "starting without app configuration" in logs, "with the secret of its connection string"
    assert "refused by" in logs, "as the careless tool says"
    assert "look_up" in logs
    assert {"verify_client_identity", "look_up"} <= set(
        re.findall(r"verify_client_identity|look_up", told.sinks["audit"])
    )
    document = json.loads(told.sinks["archive"])
    heard = [e["utterance"]["transcript"] for e in document["events"] if "utterance" in e]
    assert len(heard) == len(LINES) + 1
    assert heard[0] == "my name is [name], ssn [number]"
    assert heard[-1] == "[keys]"


@pytest.mark.asyncio(loop_scope="module")
async def test_every_service_was_told_of_in_every_sink_of_its_own(told: Told) -> None:
    assert {span.service for span in told.otlp.spans} == set(SERVICES)
    assert {point.service for point in told.otlp.points} == set(SERVICES)
    assert any(span.failed for span in told.otlp.spans), "errors are told of, and how"
    assert told.sinks["metrics"].count("# TYPE voicemesh_event_loop_lag_seconds") == len(SERVICES)
    assert all(f'"service": "{service}"' in told.sinks["status"] for service in SERVICES)
    assert told.sinks["tasks"].count("__main__.serve:") == len(SERVICES)
    assert "gateway.call.Call" in told.sinks["tasks"], "the call was under way"
    assert told.sinks["profile"].count('"sample_count"') > len(SERVICES)
    assert re.findall(r'"status": (\d+)', told.sinks["problems"]) == [
        "401", "404", "404", "422", "422", "404", "404", "404",
    ]  # fmt: skip
