"""Pacing on a clock that the test owns: what leaves when, what was heard, what is thrown away."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.media import FRAME_BYTES
from gateway.playback import PacingStats, Playback, Played, Tick

FRAME = 0.02
SAMPLES = 320


def frames(count: float) -> bytes:
    return b"\1\2" * int(SAMPLES * count)


def started(audio: bytes = frames(10), lead: int = 2, complete: bool = True) -> Playback:
    playback = Playback(lead)
    playback.open("t1/s0")
    playback.add("t1/s0", audio, now=0.0)
    if complete:
        playback.complete("t1/s0")
    return playback


def play_out(playback: Playback, now: float = 0.0) -> list[tuple[float, Tick]]:
    """Tick whenever playback asks for it, until it asks no more."""
    ticks = []
    at: float | None = now
    while at is not None:
        tick = playback.tick(at)
        ticks.append((at, tick))
        at = tick.next_at
    return ticks


def sent_at(ticks: list[tuple[float, Tick]]) -> list[float]:
    return [round(at, 3) for at, tick in ticks for _ in tick.frames]


def test_the_first_frame_leaves_at_once_and_the_rest_at_the_pace_of_speech() -> None:
    assert sent_at(play_out(started(frames(5), lead=1))) == [0.0, 0.02, 0.04, 0.06, 0.08]


def test_never_more_than_the_lead_is_ahead_of_the_caller() -> None:
    assert sent_at(play_out(started(frames(5), lead=2))) == [0.0, 0.0, 0.02, 0.04, 0.06]
    assert sent_at(play_out(started(frames(5), lead=3))) == [0.0, 0.0, 0.0, 0.02, 0.04]


def test_a_segment_is_finished_when_its_last_sample_was_played_not_sent() -> None:
    ticks = play_out(started(frames(3)))
    finished = [(round(at, 3), tick.finished) for at, tick in ticks if tick.finished]
    assert finished == [(0.06, [Played("t1/s0", 960, 960, complete=True)])]


def test_says_when_a_segment_begins() -> None:
    assert play_out(started())[0][1].started == ["t1/s0"]


def test_waits_for_a_whole_frame_while_the_segment_goes_on() -> None:
    playback = started(frames(0.5), complete=False)
    assert playback.tick(0.0).frames == []
    playback.add("t1/s0", frames(0.5), now=0.1)
    assert len(playback.tick(0.1).frames) == 1


def test_the_last_frame_of_a_segment_is_filled_with_silence() -> None:
    frame = started(frames(0.5)).tick(0.0).frames[0]
    assert frame == frames(0.5).ljust(FRAME_BYTES, b"\0")


def test_segments_are_played_in_the_order_opened_and_share_a_frame() -> None:
    playback = started(frames(1.5))
    playback.open("t1/s1")
    playback.add("t1/s1", frames(1.5), now=0.0)
    playback.complete("t1/s1")
    ticks = play_out(playback)
    assert len(sent_at(ticks)) == 3
    assert [p.segment for _, tick in ticks for p in tick.finished] == ["t1/s0", "t1/s1"]


def test_an_empty_segment_is_finished_in_its_turn() -> None:
    playback = Playback()
    for segment in ("t1/s0", "t1/s1"):
        playback.open(segment)
    playback.complete("t1/s1")
    assert playback.tick(0.0).finished == []
    playback.complete("t1/s0")
    assert [p.segment for p in playback.tick(0.0).finished] == ["t1/s0", "t1/s1"]


def test_audio_of_a_segment_that_is_not_open_is_refused() -> None:
    assert not Playback().add("t9/s0", frames(1), now=0.0)


def test_a_cut_says_to_the_sample_what_was_heard() -> None:
    playback = started(frames(10))
    playback.open("t1/s1")
    playback.tick(0.0)
    playback.tick(0.02)
    assert playback.cut(0.03) == [
        Played("t1/s0", 480, 3200, complete=True),
        Played("t1/s1", 0, 0, complete=False),
    ]
    assert not playback.active
    assert playback.tick(0.04).frames == []
    assert not playback.add("t1/s0", frames(1), now=0.05)


def test_a_hold_calls_back_what_was_sent_and_goes_on_with_it() -> None:
    playback = started(frames(4))
    playback.tick(0.0)
    assert playback.hold(0.02)
    assert playback.tick(1.0).frames == []
    playback.resume()
    ticks = play_out(playback, now=2.0)
    assert sent_at(ticks) == [2.0, 2.0, 2.02]
    assert ticks[-1][1].finished == [Played("t1/s0", 1280, 1280, complete=True)]


def test_a_hold_while_nothing_sounds_calls_nothing_back() -> None:
    assert not Playback().hold(0.0)


def test_counts_a_gap_inside_a_segment_but_not_between_segments() -> None:
    playback = started(frames(1), complete=False)
    playback.tick(0.0)
    playback.add("t1/s0", frames(1), now=0.12)
    playback.tick(0.12)
    assert (playback.stats.gaps, round(playback.stats.longest_gap_seconds, 3)) == (1, 0.1)
    playback.complete("t1/s0")
    playback.open("t1/s1")
    playback.add("t1/s1", frames(1), now=1.0)
    playback.tick(1.0)
    assert playback.stats.gaps == 1


def test_lateness_is_counted_from_the_moment_a_frame_was_due_and_at_hand() -> None:
    playback = started(frames(4), lead=1)
    playback.tick(0.005)
    playback.tick(0.055)
    assert playback.stats.lateness_ms(0.5) == 5
    assert playback.stats.lateness_ms(1.0) == 30


def test_lateness_of_nothing_is_nothing() -> None:
    assert PacingStats().lateness_ms(0.99) == 0


def test_a_late_tick_does_not_speed_the_caller_up() -> None:
    playback = started(frames(10), lead=2)
    playback.tick(0.0)
    assert len(playback.tick(0.2).frames) == 2  # refilled to the lead, no more


@given(
    sizes=st.lists(st.integers(1, 2000), min_size=1, max_size=12),
    lead=st.integers(1, 5),
    delays=st.lists(st.floats(0, 0.1), min_size=1, max_size=30),
)
def test_whatever_comes_when_every_sample_is_sent_once_in_order(
    sizes: list[int], lead: int, delays: list[float]
) -> None:
    pcm = bytes(i % 251 for i in range(2 * sum(sizes)))
    playback, sent, now, place = Playback(lead), b"", 0.0, 0
    playback.open("s")
    for index, size in enumerate(sizes):
        playback.add("s", pcm[place : place + 2 * size], now)
        place += 2 * size
        now += delays[index % len(delays)]
        sent += b"".join(playback.tick(now).frames)
    playback.complete("s")
    finished: list[Played] = []
    while not finished:
        tick = playback.tick(now)
        sent += b"".join(tick.frames)
        finished += tick.finished
        now = tick.next_at if tick.next_at is not None else now
    assert sent[: len(pcm)] == pcm
    assert not sent[len(pcm) :].strip(b"\0")
    assert finished == [Played("s", sum(sizes), sum(sizes), complete=True)]


@pytest.mark.parametrize("moment", [0.0, 0.005, 0.021, 0.05, 0.2, 5.0])
def test_hold_then_cut_loses_and_invents_nothing(moment: float) -> None:
    playback = started(frames(10))
    at: float | None = 0.0
    while at is not None and at <= moment:
        at = playback.tick(at).next_at
    playback.hold(moment)
    cut = playback.cut(moment + 1.0)
    heard = cut[0].heard_samples if cut else 3200
    assert heard <= moment * 16_000 + 20
    assert heard >= min(3200, int(moment / FRAME) * SAMPLES)
