"""Opens model files with onnxruntime, the way many calls on few cores want it.

The only module that imports onnxruntime. A session is safe to run from several threads at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, cast

from numpy.typing import NDArray

from speech_pool.engines.assets import INSTALL_HINT
from speech_pool.ports import ProviderUnavailable

Array = NDArray[Any]


class Port(Protocol):
    """The name and shape of an input or output; free dimensions are names in place of sizes."""

    name: str
    shape: Sequence[int | str]


class Session(Protocol):
    """What is used of `onnxruntime.InferenceSession`."""

    def run(self, outputs: Sequence[str] | None, inputs: Mapping[str, Array]) -> list[Array]: ...

    def get_inputs(self) -> list[Port]: ...

    def get_outputs(self) -> list[Port]: ...


def open_session(path: Path) -> Session:
    """Load a model for one thread per run.

    Concurrency comes from running several calls at once: more threads in one run only contend for
    the same cores, and threads that spin while they wait take the processor from other calls.
    Raises ProviderUnavailable where onnxruntime or the file is no good.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise ProviderUnavailable(f"onnxruntime is not installed: {INSTALL_HINT}") from error
    onnxruntime.disable_telemetry_events()  # on by default in some builds; nothing of ours leaves
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Utterances differ in length: an arena would keep the memory of the longest one for good, and
    # a pattern made for one length helps no other. Without them a run is no slower.
    options.enable_cpu_mem_arena = False
    options.enable_mem_pattern = False
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # onnxruntime raises its own many types
        raise ProviderUnavailable(f"{path.name} cannot be loaded: {INSTALL_HINT}") from error
    return cast(Session, session)
