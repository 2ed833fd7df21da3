"""Start the planner: `python -m planner [--port 8090]`."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Sequence

EXIT_CANNOT_START = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM: 0, or 2 with one sentence if it cannot start."""
    # Read when numpy is imported: its threads would fight for the cores that the services need.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from planner.serving import CannotStart, Options, serve

    options = _options(arguments)
    logging.basicConfig(
        level=logging.INFO if options.verbose else logging.WARNING,
        format="%(levelname)s %(name)s: %(message)s",
    )
    try:
        asyncio.run(serve(Options(options.host, options.port, options.max_waiting)))
    except CannotStart as error:
        sys.stderr.write(f"planner: {error}\n")
        return EXIT_CANNOT_START
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m planner",
        description=(
            "The local profile's model endpoint, on the OpenAI wire. It is not a language model:"
            " embeddings choose among the tools offered, rules fill arguments, templates speak."
        ),
    )
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default: %(default)s)"
    )
    parser.add_argument(
        "--port", type=_port, default=8090, help="0 picks a free one (default: %(default)s)"
    )
    parser.add_argument(
        "--max-waiting", type=_positive, default=64, help="requests at once; more are answered 429"
    )
    parser.add_argument(
        "--verbose", action="store_true", help="log each decision, without its words"
    )
    return parser.parse_args(arguments)


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65535:
        raise argparse.ArgumentTypeError(f"{text} is no port: 0 to 65535")
    return port


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not at least 1")
    return value


if __name__ == "__main__":
    sys.exit(main())
