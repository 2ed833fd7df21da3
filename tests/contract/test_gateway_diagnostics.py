"""Diagnostics over HTTP: off unless switched on, and then for who has the key, or this machine."""

from __future__ import annotations

import asyncio
import re
from importlib.metadata import version

import pytest

from tests.support.gateway_rig import NOWHERE, rig

KEY = "k" * 32
BEARER = {"Authorization": f"Bearer {KEY}"}
PATHS = ("/api/v1/diagnostics/tasks", "/api/v1/diagnostics/profile?seconds=0.05")


@pytest.mark.parametrize(
    ("settings", "headers", "status"),
    [
        ({}, {}, 403),
        ({"diagnostics": True}, {"Host": "rebound.example.com"}, 403),
        ({"diagnostics": True}, {}, 200),
        ({"control_key": KEY}, BEARER, 403),
        ({"control_key": KEY, "diagnostics": True}, {}, 401),
        ({"control_key": KEY, "diagnostics": True}, {"Authorization": f"Bearer x{KEY}"}, 401),
        ({"control_key": KEY, "diagnostics": True}, BEARER, 200),
    ],
)
async def test_who_is_told(
    settings: dict[str, object], headers: dict[str, str], status: int
) -> None:
    async with rig(**settings) as mesh:
        for path in PATHS:
            answered, body = await mesh.get(path, **headers)
            assert answered == status, body
            assert status != 403 or re.search("VOICEMESH_(DIAGNOSTICS|CONTROL_KEY)", body["detail"])


async def test_the_tasks_of_a_call_are_among_those_told() -> None:
    async with rig(control_key=KEY, diagnostics=True) as mesh, mesh.call():
        await mesh.until("turn_finished", turn="t0")
        _, body = await mesh.get(PATHS[0], **BEARER)
    places = [place for task in body["tasks"] for place in task["places"]]
    assert body["task_count"] == len(body["tasks"])
    assert any(place.startswith("gateway.call.") for place in places)


async def test_one_profile_at_a_time_and_not_for_long() -> None:
    async with rig(control_key=KEY, diagnostics=True) as mesh:
        path = "/api/v1/diagnostics/profile?seconds="
        for seconds in ("0", "31", "long"):
            assert (await mesh.get(path + seconds, **BEARER))[0] == 422
        both = await asyncio.gather(*(mesh.get(path + "0.5", **BEARER) for _ in range(2)))
        assert sorted(status for status, _ in both) == [200, 409]
        profile = next(body for status, body in both if status == 200)
        assert 0 < profile["sample_count"] <= 51
        assert sum(row["sample_count"] for row in profile["stacks"]) == profile["sample_count"]
        assert (await mesh.get(path + "0.05", **BEARER))[0] == 200


async def test_the_status_says_why_no_calls_are_taken() -> None:
    path = "/api/v1/diagnostics/status"
    async with rig(control_key=KEY, orchestrator_target=NOWHERE) as mesh:
        assert (await mesh.get(path))[0] == 401
        _, body = await mesh.get(path, **BEARER)
        assert body["not_ready_reasons"] == [
            "waiting for a service that it calls: orchestrator, UNAVAILABLE"
        ]
    async with rig(control_key=KEY) as mesh:
        _, body = await mesh.get(path, **BEARER)
    assert (body["service"], body["not_ready_reasons"]) == ("gateway", [])
    assert (body["version"], body["certificate_end_time"]) == (version("voicemesh"), None)
