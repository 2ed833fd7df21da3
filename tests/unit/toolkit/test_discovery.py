"""Tools of a folder and of installed packages, and what is said of a module that is wrong."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from toolkit import (
    DuplicateTool,
    Registry,
    ToolkitError,
    add_folder,
    add_installed,
    default_registry,
    initialize_tools,
    list_tools,
    reset_registry,
)

DECLARED = """
from pydantic import BaseModel
from toolkit import ToolResult, tool

class Arguments(BaseModel):
    town: str

@tool("Find a branch.")
async def find_branch(args: Arguments) -> ToolResult:
    return ToolResult(True, args.town)
"""
REGISTERED = """
from toolkit import register_tool

async def executor(args):
    return {"success": True}

register_tool("registered", {"name": "registered", "description": "Seed style."}, executor)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "declared.py").write_text(DECLARED)
    (tmp_path / "registered.py").write_text(REGISTERED)
    (tmp_path / "_private.py").write_text("raise SystemExit('not to be read')")
    (tmp_path / "notes.txt").write_text("not python")
    return tmp_path


@pytest.fixture(autouse=True)
def clean_default() -> Iterator[None]:
    reset_registry()
    yield
    reset_registry()


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An author's installed distribution: a package, and metadata with its entry points."""
    root = tmp_path / "site"
    (root / "author_tools").mkdir(parents=True)
    (root / "author_tools" / "__init__.py").write_text(DECLARED)
    info = root / "author_tools-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: author-tools\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[voicemesh.tools]\nauthor = author_tools\n")
    monkeypatch.syspath_prepend(str(root))
    yield root
    sys.modules.pop("author_tools", None)


def point_at(package: Path, value: str, source: str) -> None:
    (package / "author_tools" / "__init__.py").write_text(source)
    points = package / "author_tools-1.0.dist-info" / "entry_points.txt"
    points.write_text(f"[voicemesh.tools]\nauthor = {value}\n")


def test_a_folder(folder: Path) -> None:
    registry = Registry()
    assert add_folder(registry, folder) == 2
    assert [tool.name for tool in registry] == ["find_branch", "registered"]
    assert len(default_registry()) == 0


def test_the_seeds_functions_read_the_folder_of_the_environment(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("VOICEMESH_TOOLS_FOLDER", str(folder))
    monkeypatch.setenv("VOICEMESH_DATA_FOLDER", str(tmp_path / "data"))
    initialize_tools()
    assert {"find_branch", "registered"} <= set(list_tools())


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("def (", "SyntaxError"),
        ("1 / 0", "ZeroDivisionError"),
        ("from toolkit import register_tool\nregister_tool('a b', {}, print)", "1 to 64"),
    ],
)
def test_a_wrong_module_is_named(tmp_path: Path, source: str, said: str) -> None:
    (tmp_path / "wrong.py").write_text(source)
    with pytest.raises(ToolkitError, match=r"wrong\.py: .*" + said):
        add_folder(Registry(), tmp_path)


def test_a_duplicate_in_a_folder(folder: Path) -> None:
    (folder / "second.py").write_text(DECLARED)
    with pytest.raises(DuplicateTool, match=r"second\.py: .*'find_branch'"):
        add_folder(Registry(), folder)


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(ToolkitError, match="is not a folder"):
        add_folder(Registry(), tmp_path / "none")


def test_an_installed_package(package: Path) -> None:
    registry = Registry()
    assert add_installed(registry, skip={"tool_executor"}) == 1
    assert "find_branch" in registry


def test_an_entry_point_may_be_a_function(package: Path) -> None:
    source = DECLARED + "\ndef tools():\n    return [find_branch]\n"
    point_at(package, "author_tools:tools", source)
    registry = Registry()
    assert add_installed(registry, skip={"tool_executor"}) == 1


@pytest.mark.parametrize(
    ("value", "source", "said"),
    [
        ("author_tools:NUMBER", "NUMBER = 7", "neither a module nor a function"),
        ("author_tools:tools", "def tools(): return ['find_branch']", "must return tools"),
        ("author_tools:missing", "", "AttributeError"),
        ("author_tools", "raise RuntimeError('no key')", "no key"),
    ],
)
def test_a_wrong_entry_point_is_named(package: Path, value: str, source: str, said: str) -> None:
    point_at(package, value, source)
    with pytest.raises(ToolkitError, match=f"entry point author = .*{said}"):
        add_installed(Registry(), skip={"tool_executor"})
