"""Scripts are read from packages and run by hash, whether the server has them or not."""

from __future__ import annotations

from pathlib import Path

import pytest

from memory.embedded import EmbeddedValkey
from memory.hotstore import HotStore
from memory.scripts import load_script


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    folder = tmp_path / "lua_for_tests"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "common.lua").write_text("local function two() return 2 end\n")
    (folder / "set.lua").write_text("#!lua\nredis.call('SET', KEYS[1], ARGV[1] + two())\n")
    (folder / "bare.lua").write_text("return 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    return "lua_for_tests"


def test_the_shared_part_comes_after_the_first_line(package: str) -> None:
    script = load_script(package, "set", shared="common")
    assert script.text.splitlines()[:2] == ["#!lua", "local function two() return 2 end"]
    assert len(script.sha) == 40


def test_a_script_without_its_first_line_is_refused(package: str) -> None:
    with pytest.raises(ValueError, match=r"bare\.lua must begin with #!lua"):
        load_script(package, "bare")


@pytest.mark.parametrize("durable", [False, True])
async def test_a_server_that_forgot_a_script_is_given_it(
    package: str, tmp_path: Path, durable: bool
) -> None:
    script = load_script(package, "set", shared="common")
    async with EmbeddedValkey(tmp_path / "data") as valkey, HotStore(valkey.url) as hot:
        for number in range(3):
            await hot.run(script, ["k"], [number], durable=durable)
            assert await hot.command("GET", "k") == str(number + 2).encode()
            if number == 1:
                await hot.command("SCRIPT", "FLUSH")
