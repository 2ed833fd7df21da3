"""Generate libs/voicemesh from the protos: `python protos/generate.py [OUT]`.

The proto package is the import path, so nothing is rewritten afterwards. Needs the pinned
grpcio-tools of the `dev` extra, because generated code refuses an older grpcio and protobuf.
"""

from __future__ import annotations

import sys
from importlib.resources import files
from pathlib import Path

from grpc_tools import protoc

HERE = Path(__file__).parent


def generate(out: Path) -> None:
    """Write the generated package below `out`. Raises RuntimeError with protoc's exit code."""
    out.mkdir(parents=True, exist_ok=True)
    sources = sorted(str(path.relative_to(HERE)) for path in HERE.rglob("*.proto"))
    well_known = str(files("grpc_tools") / "_proto")
    outputs = [f"--{kind}={out}" for kind in ("python_out", "pyi_out", "grpc_python_out")]
    code = protoc.main(["protoc", f"-I{HERE}", f"-I{well_known}", *outputs, *sources])
    if code:
        raise RuntimeError(f"protoc ended with {code}")
    for folder in {p for source in out.rglob("*_pb2.py") for p in source.relative_to(out).parents}:
        if folder.parts:
            (out / folder / "__init__.py").touch()


if __name__ == "__main__":
    generate(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parent / "libs")
