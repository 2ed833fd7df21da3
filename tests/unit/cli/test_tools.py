"""`voicemesh tools`, as an author types it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cli.tools import tools


def run(*words: str) -> Result:
    return CliRunner().invoke(tools, list(words))


def test_list_shows_the_shipped_tools_with_their_effect() -> None:
    result = run("list", "--json")
    assert result.exit_code == 0
    by_name = {tool["name"]: tool for tool in json.loads(result.stdout)}
    assert by_name["search_knowledge_base"]["effect"] == "read_only"
    assert "identity" in by_name["get_account_summary"]["requires"]


def test_list_as_a_table_names_every_tool() -> None:
    listed = json.loads(run("list", "--json").stdout)
    table = run("list").stdout
    assert all(tool["name"] in table for tool in listed)


def test_list_by_a_tag_leaves_the_others_out() -> None:
    every = json.loads(run("list", "--json").stdout)
    tag = next(tag for tool in every for tag in tool["tags"])
    tagged = json.loads(run("list", "--json", "--tag", tag).stdout)
    assert tagged == [tool for tool in every if tag in tool["tags"]]
    assert json.loads(run("list", "--json", "--tag", "none-has-it").stdout) == []


def test_show_gives_the_schema_and_what_is_enforced() -> None:
    result = run("show", "get_account_summary")
    declared = json.loads(result.stdout)
    assert declared["function"]["name"] == "get_account_summary"
    assert declared["policy"]["requires"] == ["identity"]
    assert declared["timeout_seconds"] > 0


def test_show_tells_limits_and_questions_of_a_tool_that_acts() -> None:
    declared = json.loads(run("show", "refund_fee").stdout)
    assert {"argument": "runs", "per_day": "1"} in declared["policy"]["limits"]
    assert {"argument": "amount", "per_run": "50", "per_call": "50", "per_day": "50"} in (
        declared["policy"]["limits"]
    )
    assert "{amount}" in declared["policy"]["confirm"]
    assert (declared["claimed"], declared["cancellable"]) == (False, False)


def test_an_unknown_tool_is_named_and_the_way_to_find_one() -> None:
    for words in (("show", "nothing"), ("run", "nothing")):
        result = run(*words)
        assert result.exit_code == 2
        assert "no tool is named 'nothing'" in result.stderr
        assert "voicemesh tools list" in result.stderr


def test_new_writes_a_tool_that_is_listed_and_runs(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    made = run("new", "find_branch", "--folder", str(folder))
    assert made.exit_code == 0
    assert "find_branch" in run("list", "--folder", str(folder)).stdout
    ran = run("run", "find_branch", "--folder", str(folder), "--args", '{"topic": "branches"}')
    assert ran.exit_code == 0
    assert json.loads(ran.stdout)["message"] == "You asked about branches."


def test_the_skeleton_brings_a_test_that_passes(tmp_path: Path) -> None:
    run("new", "find_branch", "--folder", str(tmp_path))
    tested = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path / "tests")],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
    )
    assert tested.returncode == 0, tested.stdout
    assert "2 passed" in tested.stdout


def test_new_touches_nothing_that_exists(tmp_path: Path) -> None:
    run("new", "find_branch", "--folder", str(tmp_path))
    file = tmp_path / "find_branch.py"
    file.write_text("mine")
    again = run("new", "find_branch", "--folder", str(tmp_path))
    assert again.exit_code == 2
    assert "exists already" in again.stderr
    assert file.read_text() == "mine"


@pytest.mark.parametrize("name", ["Find-Branch", "1st", "import", "a" * 65, "../up", ""])
def test_a_name_that_cannot_be_a_function_is_refused(name: str, tmp_path: Path) -> None:
    result = run("new", name, "--folder", str(tmp_path))
    assert result.exit_code == 2
    assert "is not a tool's name" in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", ["not json", "[1]", "7"])
def test_arguments_that_are_no_json_object_are_refused(arguments: str) -> None:
    result = run("run", "search_knowledge_base", "--args", arguments)
    assert result.exit_code == 2
    assert "--args" in result.stderr


def test_arguments_that_do_not_fit_exit_two_with_the_field(tmp_path: Path) -> None:
    run("new", "find_branch", "--folder", str(tmp_path))
    result = run("run", "find_branch", "--folder", str(tmp_path), "--args", '{"wrong": 1}')
    assert result.exit_code == 2
    assert "topic" in result.stdout


def test_a_run_without_success_exits_four(tmp_path: Path) -> None:
    (tmp_path / "failing.py").write_text(
        "from toolkit import ToolResult, tool\n"
        '@tool("Fails.")\n'
        "async def fails() -> ToolResult:\n"
        '    return ToolResult(False, "No.")\n'
    )
    assert run("run", "fails", "--folder", str(tmp_path)).exit_code == 4


def test_a_folder_that_is_broken_is_named_with_its_file(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("1 / 0\n")
    result = run("list", "--folder", str(tmp_path))
    assert result.exit_code == 2
    assert "broken.py" in result.stderr
    assert "ZeroDivisionError" in result.stderr


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    result = run("list", "--folder", str(tmp_path / "absent"))
    assert result.exit_code == 2
    assert "absent" in result.stderr
