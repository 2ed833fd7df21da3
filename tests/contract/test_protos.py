"""The contracts: linted, formatted, unbroken, and the generated code fresh."""

from __future__ import annotations

import filecmp
import re
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from meshkit.errors import Reason

ROOT = Path(__file__).parents[2]
PROTOS = ROOT / "protos"
BUF = Path(sys.executable).parent / "buf"


@pytest.mark.parametrize(
    "arguments",
    [["lint"], ["format", "--diff", "--exit-code"], ["breaking", "--against", "baseline.binpb"]],
    ids=lambda arguments: arguments[0],
)
def test_buf(arguments: list[str]) -> None:
    done = subprocess.run(
        [BUF, *arguments], cwd=PROTOS, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_baseline_is_the_contract_of_today(tmp_path: Path) -> None:
    """An addition belongs into the baseline, or a later removal of it would go unnoticed."""
    subprocess.run([BUF, "build", "-o", tmp_path / "now.binpb"], cwd=PROTOS, check=True)
    arguments = ["breaking", PROTOS / "baseline.binpb", "--against", tmp_path / "now.binpb"]
    done = subprocess.run(
        [BUF, *arguments], cwd=PROTOS, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"cd protos && buf build -o baseline.binpb\n{done.stdout}"


def test_generated_code_is_fresh(tmp_path: Path) -> None:
    spec = spec_from_file_location("generate", PROTOS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    module.generate(tmp_path)
    committed, made = ROOT / "libs" / "voicemesh", tmp_path / "voicemesh"
    assert _files(committed) == _files(made), "make protos"
    _, different, odd = filecmp.cmpfiles(committed, made, sorted(_files(made)), shallow=False)
    assert (different, odd) == ([], []), "make protos"


def test_the_table_of_reasons_is_the_code() -> None:
    rows = re.findall(
        r"^\| ([A-Z_]+)(?: \+R)? \| ([A-Z_]+) \|", (PROTOS / "README.md").read_text(), re.M
    )
    assert {(status, reason) for status, reason in rows} == {(r.code.name, r.name) for r in Reason}
    assert len(rows) == len(Reason)


def test_every_reason_that_a_proto_names_is_in_the_table() -> None:
    statuses = "|".join({reason.code.name for reason in Reason})
    pattern = re.compile(rf"`(?:{statuses})` / ((?:`[A-Z_]+`(?:, )?)+)")
    for path in PROTOS.rglob("*.proto"):
        text = " ".join(re.sub(r"^\s*//", "", line) for line in path.read_text().splitlines())
        named = {
            r
            for group in pattern.findall(re.sub(r"\s+", " ", text))
            for r in re.findall(r"[A-Z_]+", group)
        }
        assert named <= set(Reason.__members__), path.name


def _files(folder: Path) -> set[str]:
    return {
        str(p.relative_to(folder)) for p in folder.rglob("*.py*") if p.suffix in (".py", ".pyi")
    }


@pytest.mark.parametrize("reason", list(Reason), ids=lambda reason: reason.name)
def test_every_reason_is_raised_by_the_product_and_seen_by_a_test(reason: Reason) -> None:
    product = _sources("libs") + _sources("services")
    default = r"|\binvalid\(" if reason is Reason.ARGUMENT_INVALID else ""
    assert any(re.search(rf"Reason\.{reason.name}\b{default}", text) for text in product)
    own = Path(__file__).name
    tests = [
        p.read_text()
        for p in (ROOT / "tests").rglob("test_*.py")
        if p.name not in (own, "test_errors.py")
    ]
    assert any(re.search(rf"\b{reason.name}\b", text) for text in tests)


def _sources(top: str) -> list[str]:
    skipped = (ROOT / "libs" / "voicemesh", ROOT / "libs" / "meshkit" / "errors.py")
    paths = [
        p for p in (ROOT / top).rglob("*.py") if not any(s in (p, *p.parents) for s in skipped)
    ]
    return [path.read_text() for path in paths]
