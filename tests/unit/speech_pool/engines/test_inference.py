"""Opening model files: what is broken is named."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from speech_pool.engines.inference import open_session
from speech_pool.ports import ProviderUnavailable


def test_a_broken_model_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "weights.onnx"
    path.write_bytes(b"no model")

    with pytest.raises(ProviderUnavailable, match=r"weights.onnx cannot be loaded: run `make"):
        open_session(path)


def test_without_onnxruntime_it_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)

    with pytest.raises(ProviderUnavailable, match="onnxruntime is not installed: run `make"):
        open_session(tmp_path / "weights.onnx")
