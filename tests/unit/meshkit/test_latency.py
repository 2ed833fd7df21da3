"""Stages of a session are timed, bounded, and kept where the session is."""

from __future__ import annotations

from typing import Any

import pytest

from meshkit.latency import MAX_SAMPLES, MAX_STAGES, LatencyError, LatencyTool, Summary


class Memory:
    """Context of one session."""

    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}

    def get_context(self, key: str, default: Any = None) -> Any:
        return self.kept.get(key, default)

    def set_context(self, key: str, value: Any) -> None:
        self.kept[key] = value


class Time:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def memory() -> Memory:
    return Memory()


@pytest.fixture
def clock() -> Time:
    return Time()


@pytest.fixture
def tool(memory: Memory, clock: Time) -> LatencyTool:
    return LatencyTool(memory, clock)


def test_a_stage_takes_what_passed(tool: LatencyTool, clock: Time, memory: Memory) -> None:
    tool.start("greeting_ttfb")
    clock.now += 0.25
    assert tool.stop("greeting_ttfb") == 0.25
    assert memory.kept == {"latency": {"greeting_ttfb": [0.25]}}


def test_stages_may_overlap(tool: LatencyTool, clock: Time) -> None:
    tool.start("llm")
    clock.now += 1
    tool.start("llm:ttfb")
    clock.now += 1
    assert tool.stop("llm") == 2
    assert tool.stop("llm:ttfb") == 1


def test_starting_again_begins_anew(tool: LatencyTool, clock: Time) -> None:
    tool.start("llm")
    clock.now += 5
    tool.start("llm")
    clock.now += 1
    assert tool.stop("llm") == 1


def test_stopping_what_does_not_run_names_it_and_what_does(tool: LatencyTool) -> None:
    tool.start("llm")
    with pytest.raises(LatencyError, match="'tts' was not started; running are: llm"):
        tool.stop("tts")
    tool.stop("llm")
    with pytest.raises(LatencyError, match="'llm' was not started; running are: none"):
        tool.stop("llm")


def test_a_summary_has_percentiles_by_nearest_rank(tool: LatencyTool, clock: Time) -> None:
    for tenth in range(1, 101):
        tool.start("llm")
        clock.now += tenth
        tool.stop("llm")
    assert tool.session_summary() == {"llm": Summary(100, 50, 95, 99, 100)}


def test_another_pod_goes_on_with_the_same_samples(memory: Memory, clock: Time) -> None:
    for _ in range(2):
        tool = LatencyTool(memory, clock)
        tool.start("llm")
        tool.stop("llm")
    assert LatencyTool(memory).session_summary()["llm"].count == 2


def test_samples_and_stages_are_bounded(tool: LatencyTool, clock: Time, memory: Memory) -> None:
    for _ in range(MAX_SAMPLES + 1):
        tool.start("llm")
        tool.stop("llm")
    assert len(memory.kept["latency"]["llm"]) == MAX_SAMPLES
    for number in range(MAX_STAGES):
        tool.start(f"stage-{number}")
    with pytest.raises(LatencyError, match="stages run already"):
        tool.start("one more")
    for number in range(MAX_STAGES - 1):
        tool.stop(f"stage-{number}")
    with pytest.raises(LatencyError, match="one too many"):
        tool.stop(f"stage-{MAX_STAGES - 1}")


def test_what_is_no_record_of_ours_is_begun_anew(memory: Memory, clock: Time) -> None:
    memory.kept["latency"] = "something else"
    tool = LatencyTool(memory, clock)
    tool.start("llm")
    tool.stop("llm")
    assert memory.kept["latency"] == {"llm": [0.0]}
