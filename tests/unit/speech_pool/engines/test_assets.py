"""Finding model files: a missing one is named, with what to do about it."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from speech_pool.engines.assets import asset, installed
from speech_pool.ports import ProviderUnavailable


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An installed package with a file, whose code must not be run."""
    folder = tmp_path / "some_model_wheel"
    (folder / "data").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise RuntimeError('imported')")
    (folder / "data" / "weights.onnx").write_bytes(b"weights")
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    return folder.name


def test_a_file_is_found_without_importing_its_package(package: str) -> None:
    assert asset(package, "data", "weights.onnx").read_bytes() == b"weights"
    assert package not in sys.modules
    assert installed(package)


def test_a_missing_file_is_named(package: str) -> None:
    with pytest.raises(
        ProviderUnavailable, match=r"some_model_wheel/data/other.onnx is missing.*make install"
    ):
        asset(package, "data", "other.onnx")


def test_a_missing_package_is_named_with_what_to_do() -> None:
    assert not installed("no_such_package")
    with pytest.raises(
        ProviderUnavailable, match=r"no_such_package/x is missing, .*not installed: do this"
    ):
        asset("no_such_package", "x", hint="do this")
