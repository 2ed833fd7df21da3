"""Starting: which tools are served, what is refused with one sentence, and the index beforehand."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from meshkit.settings import SettingsError, load_settings
from meshkit.startup import StartupError
from tests.support import mcp_server
from tool_executor.__main__ import (
    declared_servers,
    make_policy,
    make_registry,
    mcp_servers,
    preparing,
)
from tool_executor.knowledge import CorpusInvalid, KnowledgeBase, KnowledgeUnavailable, Passage
from tool_executor.settings import ToolExecutorSettings
from tool_executor.wiring import make_embedder, make_knowledge_base
from toolkit import Registry

TOOL = """
from toolkit import tool

@tool("Say hello.", name={name!r})
async def hello() -> dict:
    return {{"message": "hello"}}
"""


def knowledge(settings: ToolExecutorSettings) -> KnowledgeBase:
    return make_knowledge_base(settings, make_embedder(settings))


def test_shipped_tools_and_those_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(TOOL.format(name="hello"))
    settings = ToolExecutorSettings(tools_folder=str(tmp_path))
    registry = make_registry(settings, knowledge(settings))
    assert len(registry) == 6
    assert "hello" in registry


def test_a_tool_that_takes_a_shipped_name(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(TOOL.format(name="get_account_summary"))
    settings = ToolExecutorSettings(tools_folder=str(tmp_path))
    with pytest.raises(StartupError, match=r"mine\.py: .*'get_account_summary' is there already"):
        make_registry(settings, knowledge(settings))


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    settings = ToolExecutorSettings(tools_folder=str(tmp_path / "none"))
    with pytest.raises(StartupError, match="is not a folder; make it, or unset the setting"):
        make_registry(settings, knowledge(settings))


def test_settings_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOICEMESH_EMBEDDINGS_API_KEY", "secret-key")
    monkeypatch.setenv("VOICEMESH_SESSION_STORE_TARGET", "dns:store:50054")
    settings = load_settings(ToolExecutorSettings)
    assert settings.session_store_target == "dns:store:50054"
    assert "secret-key" not in repr(settings)
    monkeypatch.setenv("VOICEMESH_SESSION_STORE_TARGET", "store")
    with pytest.raises(SettingsError, match="VOICEMESH_SESSION_STORE_TARGET"):
        load_settings(ToolExecutorSettings)


class Waking:
    """An endpoint that is up from the moment it is told."""

    model = "bag"

    def __init__(self) -> None:
        self.up, self.asked = False, asyncio.Event()

    async def embed(self, texts: Sequence[str], seconds: float) -> list[list[float]]:
        self.asked.set()
        if not self.up:
            raise KnowledgeUnavailable("not yet")
        return [[1.0, 0.0] for _ in texts]


CORPUS = [Passage("faq", "f.md", "A", "Text.")]


async def test_the_index_is_made_beforehand() -> None:
    waking = Waking()
    waking.up = True
    base = KnowledgeBase(lambda: CORPUS, waking, None)
    async with preparing(base):
        await waking.asked.wait()
        assert len(await base.prepare()) == 1


async def test_an_endpoint_that_is_not_up_yet_stops_nothing() -> None:
    waking = Waking()
    async with preparing(KnowledgeBase(lambda: CORPUS, waking, None)):
        await waking.asked.wait()


async def test_a_corpus_that_cannot_be_read_is_not_tried_for_ever() -> None:
    reads = 0

    def read() -> list[Passage]:
        nonlocal reads
        reads += 1
        raise CorpusInvalid("no folder")

    base = KnowledgeBase(read, Waking(), None)
    async with preparing(base):
        with pytest.raises(CorpusInvalid):
            await base.prepare()
    assert reads <= 2


def test_without_mcp_servers_their_sdk_is_not_imported() -> None:
    code = "import sys, tool_executor.__main__; assert 'mcp' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_a_file_of_mcp_servers_that_is_wrong_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "mcp.yaml"
    path.write_text("servers:\n  desk:\n    comand: [x]\n    tools: {a: {}}\n")
    settings = ToolExecutorSettings(mcp_servers_file=str(path))
    with pytest.raises(StartupError, match=r"mcp\.yaml:3: .*did you mean 'command'"):
        declared_servers(settings)


async def test_tools_of_a_declared_mcp_server_are_served(tmp_path: Path) -> None:
    path, registry = tmp_path / "mcp.yaml", Registry()
    command = json.dumps([sys.executable, mcp_server.__file__, "stdio"])
    path.write_text(
        f"servers:\n  desk:\n    command: {command}\n    tools: {{open_ticket: {{}}}}\n"
    )
    settings = ToolExecutorSettings(mcp_servers_file=str(path), mcp_start_seconds=30)
    declared = declared_servers(settings)
    async with mcp_servers(settings, registry, make_policy(settings), declared):
        assert [tool.name for tool in registry] == ["desk_open_ticket"]


def declared_desk(tmp_path: Path, policy: str) -> ToolExecutorSettings:
    """A server that is declared with one tool for one agent, and a policy file."""
    (tmp_path / "mcp.yaml").write_text(
        "servers:\n  desk:\n    command: [x]\n    tools: {refund: {agents: [concierge]}}\n"
    )
    (tmp_path / "policy.yaml").write_text(policy)
    return ToolExecutorSettings(
        mcp_servers_file=str(tmp_path / "mcp.yaml"), policy_file=str(tmp_path / "policy.yaml")
    )


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ("tools:\n  desk_refnud: {}\n", "policy.yaml:2: unknown tool 'desk_refnud'"),
        ("tools:\n  desk_refund: {agents: [cards]}\n", "policy.yaml:2: desk_refund is not for"),
    ],
)
def test_a_policy_for_a_tool_of_an_mcp_server_is_checked_at_start(
    tmp_path: Path, policy: str, said: str
) -> None:
    settings = declared_desk(tmp_path, policy)
    with pytest.raises(StartupError, match=said):
        make_registry(
            settings, knowledge(settings), make_policy(settings), declared_servers(settings)
        )


def test_a_policy_may_name_a_tool_that_its_server_has_not_offered_yet(tmp_path: Path) -> None:
    settings = declared_desk(tmp_path, "tools:\n  desk_refund: {disabled: true}\n")
    registry = make_registry(
        settings, knowledge(settings), make_policy(settings), declared_servers(settings)
    )
    assert "desk_refund" not in registry
