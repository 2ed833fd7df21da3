"""The image: what its Dockerfile says, and what the package that goes into it holds.

No container engine is needed. What only a build can show is built elsewhere.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from fnmatch import fnmatch
from pathlib import Path

import pytest

from meshkit.call_graph import SERVICES

ROOT = Path(__file__).parents[2]
CODE = {".py", ".pyi"}
NOT_SHIPPED = {".pyc", ".md"}
CONTEXT = ("pyproject.toml", "README.md", "LICENSE", "requirements-local.lock", "libs", "services")


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions and what each is given, comments and line breaks removed."""
    text = (ROOT / "services" / "Dockerfile").read_text()
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    parts = [line.partition(" ") for line in joined.splitlines() if line.strip()]
    return [(word, rest.strip()) for word, _, rest in parts]


def final_stage() -> list[tuple[str, str]]:
    """What the image is made of, after the last FROM."""
    found = instructions()
    return found[max(i for i, (word, _) in enumerate(found) if word == "FROM") :]


def ignored(path: str) -> bool:
    """Whether .dockerignore leaves a path of the repository out of the context; last rule wins."""
    out = False
    for rule in (ROOT / ".dockerignore").read_text().split("\n"):
        pattern = rule.removeprefix("!")
        if pattern and not pattern.startswith("#") and _covers(pattern, path):
            out = not rule.startswith("!")
    return out


def _covers(pattern: str, path: str) -> bool:
    parts = path.split("/")
    heads = ["/".join(parts[: n + 1]) for n in range(len(parts))]
    anywhere = pattern.removeprefix("**/")
    return any(fnmatch(head, pattern) for head in heads) or (
        pattern.startswith("**/") and any(fnmatch(part, anywhere) for part in parts)
    )


def test_both_stages_stand_on_the_same_pinned_python() -> None:
    froms = [rest.split(" AS ")[0] for word, rest in instructions() if word == "FROM"]
    assert froms == ["${PYTHON_IMAGE}"] * 2
    (image,) = [r for w, r in instructions() if w == "ARG" and r.startswith("PYTHON_IMAGE=")]
    assert re.fullmatch(r"PYTHON_IMAGE=docker\.io/library/python:3\.11-slim-\w+", image)


def test_the_image_runs_as_nobody_in_particular() -> None:
    (user,) = [rest for word, rest in final_stage() if word == "USER"]
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", user), "a number, or a pod cannot prove it"
    after = final_stage()[[word for word, _ in final_stage()].index("USER") + 1 :]
    assert {word for word, _ in after} <= {"WORKDIR", "ENTRYPOINT"}


def test_the_image_has_no_tools_to_build_with() -> None:
    assert not [rest for word, rest in final_stage() if word == "RUN"]
    (copy,) = [rest for word, rest in final_stage() if word == "COPY"]
    assert copy == "--from=build /opt/voicemesh /opt/voicemesh"


def test_signals_reach_python() -> None:
    (entry,) = [rest for word, rest in final_stage() if word == "ENTRYPOINT"]
    assert entry == '["/opt/voicemesh/bin/service"]', "the shell form would swallow SIGTERM"
    (run,) = [rest for word, rest in instructions() if "bin/service" in rest and word == "RUN"]
    assert "exec /opt/voicemesh/bin/python -P -m" in run


@pytest.mark.parametrize("service", [*SERVICES, "planner"])
def test_a_service_can_be_started_by_its_module(service: str) -> None:
    folder = "libs" if service == "planner" else "services"
    assert (ROOT / folder / service.replace("-", "_") / "__main__.py").is_file()


def test_an_unknown_service_or_profile_ends_the_build() -> None:
    runs = " ".join(rest for word, rest in instructions() if word == "RUN")
    assert re.search(r"SERVICE is '\$SERVICE'; use [^\"]+\" >&2; exit 1", runs)
    assert re.search(r"PROFILE is '\$PROFILE'; use local or azure\" >&2; exit 1", runs)


def test_the_embedded_engines_are_installed_by_their_hashes() -> None:
    (run,) = [r for w, r in instructions() if w == "RUN" and "requirements-local.lock" in r]
    assert "speech-pool:local|planner:local)" in run
    assert "--no-deps --require-hashes" in run


def test_the_context_holds_what_is_copied_and_no_more() -> None:
    copied = {
        source
        for word, rest in instructions()
        if word == "COPY" and not rest.startswith("--from")
        for source in rest.split()[:-1]
    }
    assert copied == set(CONTEXT)
    assert [path for path in CONTEXT if ignored(path)] == []


@pytest.mark.parametrize(
    "path",
    [
        ".git/config",
        ".env",
        ".venv/bin/python",
        "tests/conftest.py",
        "var/call.wav",
        "charts/voicemesh/values.yaml",
        "libs/meshkit/__pycache__/server.cpython-311.pyc",
        "services/Dockerfile",
    ],
)
def test_the_context_leaves_out(path: str) -> None:
    assert ignored(path)


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The files of the wheel that `pip install .` makes in the image."""
    context, out = (tmp_path_factory.mktemp(name) for name in ("context", "wheel"))
    skip = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for name in CONTEXT:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, context / name, ignore=skip)
        else:
            shutil.copy(source, context / name)
    pip = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation"]
    done = subprocess.run(
        [*pip, "-w", out, context], capture_output=True, text=True, check=False, timeout=110
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = out.glob("*.whl")
    return set(zipfile.ZipFile(wheel).namelist())


def test_the_package_holds_what_the_code_reads(packed: set[str]) -> None:
    """Agents, scenarios, corpus, scripts, customers: whatever lies beside the code in the tree."""
    data = {
        str(path.relative_to(ROOT / top))
        for top in ("libs", "services")
        for path in (ROOT / top).glob("*/**/*")
        if path.is_file() and path.suffix not in CODE | NOT_SHIPPED
    }
    assert any(name.startswith("session_store/scripts/") for name in data)
    assert data - packed == set()


def test_the_package_holds_the_corpus(packed: set[str]) -> None:
    corpus = ROOT / "services" / "tool_executor" / "corpus"
    passages = {str(path.relative_to(ROOT / "services")) for path in corpus.rglob("*.md")}
    assert passages
    assert passages <= packed


def test_the_package_holds_every_module(packed: set[str]) -> None:
    modules = {
        str(path.relative_to(ROOT / top))
        for top in ("libs", "services")
        for path in (ROOT / top).glob("*/**/*.py")
    }
    assert modules <= packed


def test_the_versions_agree(packed: set[str]) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f"voicemesh-{version}.dist-info/METADATA" in packed
