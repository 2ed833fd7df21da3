"""Ask one server whether it serves: `python -m meshkit.probe grpc://127.0.0.1:50051`.

For container engines, whose health checks run a command inside the container; Kubernetes asks by
itself. Exit code 0: it serves; 1: it does not, with the reason on standard error; 2: wrong usage.
"""

from __future__ import annotations

import sys
import urllib.error
import urllib.request
from collections.abc import Sequence

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from meshkit.health import answer_of

SECONDS = 2.0
USAGE = "use grpc://host:port or http://host:port/path"


def why_not(url: str, timeout: float = SECONDS) -> str:
    """Why the server at `url` does not serve; empty if it does. Raises ValueError for another URL.

    `grpc://` asks the gRPC health service about the whole server; `http://` wants status 200.
    """
    scheme, _, rest = url.partition("://")
    if scheme == "grpc" and rest:
        return _grpc(rest, timeout)
    if scheme == "http" and rest:
        return _http(url, timeout)
    raise ValueError(f"{url!r} is not a server to ask; {USAGE}")


def main(arguments: Sequence[str]) -> int:
    """Ask the one URL given; the exit code."""
    try:
        (url,) = arguments
        reason = why_not(url)
    except ValueError as error:
        sys.stderr.write(f"probe: {error if len(arguments) == 1 else USAGE}\n")
        return 2
    if reason:
        sys.stderr.write(f"probe: {url}: {reason}\n")
    return 1 if reason else 0


def _grpc(address: str, timeout: float) -> str:
    with grpc.insecure_channel(address) as channel:
        try:
            response, call = health_pb2_grpc.HealthStub(channel).Check.with_call(
                health_pb2.HealthCheckRequest(), timeout=timeout
            )
        except grpc.RpcError as error:
            return str(error.code().name)
    answer = answer_of(response, call.trailing_metadata())
    return "" if answer.serves else ": ".join(filter(None, (answer.status, answer.reason)))


def _http(url: str, timeout: float) -> str:
    try:
        with urllib.request.urlopen(url, timeout=timeout) as answer:  # noqa: S310 (http only)
            return "" if answer.status == 200 else f"status {answer.status}"
    except urllib.error.HTTPError as error:
        return f"status {error.code}"
    except OSError as error:
        return str(error)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
