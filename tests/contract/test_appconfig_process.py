"""A service as a process, with App Configuration beside it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from tests.support.appconfig_emulator import AppConfigEmulator, Fault


@pytest.fixture
def store() -> Iterator[AppConfigEmulator]:
    with AppConfigEmulator() as running:
        yield running


@asynccontextmanager
async def gateway(**environment: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """The process, ended if the test did not end it."""
    settings = {
        "VOICEMESH_HTTP_PORT": "0",
        "VOICEMESH_MEDIA_PORT": "0",
        "VOICEMESH_APPCONFIG_REFRESH_SECONDS": "1",
        **environment,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "gateway",
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **settings},
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def logged(process: asyncio.subprocess.Process, message: str) -> dict[str, object]:
    """The next record with this message."""
    assert process.stderr
    async with asyncio.timeout(20):
        while line := await process.stderr.readline():
            record: dict[str, object] = json.loads(line)
            if record["message"] == message:
                return record
    raise AssertionError(f"the process ended without saying {message!r}")


async def test_a_running_service_takes_over_a_change_and_drains_by_it(
    store: AppConfigEmulator,
) -> None:
    store.set("voicemesh/gateway/drain_seconds", "7")
    async with gateway(AZURE_APPCONFIG_ENDPOINT=store.connection_string) as process:
        await logged(process, "ready")
        store.set("voicemesh/gateway/drain_seconds", "3")
        assert (await logged(process, "setting changed"))["setting"] == "drain_seconds"
        process.send_signal(signal.SIGTERM)
        assert (await logged(process, "draining"))["seconds"] == 3
        assert await asyncio.wait_for(process.wait(), 20) == 0


async def test_a_service_starts_without_its_store_and_says_so(store: AppConfigEmulator) -> None:
    store.always = Fault(503)
    async with gateway(AZURE_APPCONFIG_ENDPOINT=store.connection_string) as process:
        warning = await logged(process, "starting without app configuration")
        assert "503" in str(warning["why"])
        await logged(process, "ready")


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"VOICEMESH_APPCONFIG_REQUIRED": "true"}, "VOICEMESH_APPCONFIG_REQUIRED is set"),
        ({"ACS_STREAMING_MODE": "voice_live"}, "voice_live is not available yet; set media"),
    ],
)
async def test_what_cannot_start_is_a_sentence_and_exit_code_2(
    store: AppConfigEmulator, environment: dict[str, str], said: str
) -> None:
    store.always = Fault(503)
    async with gateway(AZURE_APPCONFIG_ENDPOINT=store.connection_string, **environment) as process:
        _, errors = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 2
    last = errors.decode().splitlines()[-1]
    assert last.startswith("gateway: ")
    assert said in last
    assert "Traceback" not in errors.decode()
