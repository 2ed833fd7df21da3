"""The seed's logging sample runs as written, with our module path."""

from __future__ import annotations

import json
import logging

import pytest

from meshkit.logging import configure_logging, get_logger


def test_structured_logging(capsys: pytest.CaptureFixture[str]) -> None:
    before = logging.root.handlers[:], logging.root.level
    session_id, call_connection_id = "s-1", "c-1"
    configure_logging("gateway")
    try:
        logger = get_logger("api.v1.media")
        logger.info(
            "Session started",
            extra={
                "session_id": session_id,
                "call_connection_id": call_connection_id,
            },
        )
    finally:
        logging.root.handlers[:], level = before
        logging.root.setLevel(level)
    record = json.loads(capsys.readouterr().err)
    assert (record["session_id"], record["call_connection_id"]) == ("s-1", "c-1")
