"""The history is what the caller said and heard, in an order that models take."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from session_store.projection import history, outcome_text
from voicemesh.session.v1 import journal_event_pb2 as ev
from voicemesh.tools.v1.outcome_pb2 import ToolFailure, ToolOutcome

USER, ASSISTANT, TOOL = ev.ROLE_USER, ev.ROLE_ASSISTANT, ev.ROLE_TOOL


def said(number: int, text: str) -> ev.JournalEvent:
    return ev.JournalEvent(utterance=ev.UtteranceAccepted(utterance=f"u{number}", transcript=text))


def planned(segment: str, text: str, agent: str = "agents/a") -> ev.JournalEvent:
    return ev.JournalEvent(segment=ev.SegmentPlanned(segment=segment, text=text, agent=agent))


def heard(segment: str, length: int, *, interrupted: bool = False) -> ev.JournalEvent:
    amended = ev.SegmentHeard(segment=segment, heard_text_length=length, interrupted=interrupted)
    return ev.JournalEvent(heard=amended)


def spoken(segment: str, text: str, agent: str = "agents/a") -> list[ev.JournalEvent]:
    return [planned(segment, text, agent), heard(segment, len(text))]


def answered(turn: str, round_: int, *ordinals: int) -> ev.JournalEvent:
    calls = [
        ev.ToolCall(request_id=f"sessions/s/{turn}/{round_}/{k}", call_id=f"c{k}", tool="tools/x")
        for k in ordinals
    ]
    answer = ev.RoundAnswered(turn=turn, round=round_, agent="agents/a", tool_calls=calls)
    return ev.JournalEvent(round=answer)


def result(turn: str, round_: int, ordinal: int, text: str = "{}") -> ev.JournalEvent:
    request_id = f"sessions/s/{turn}/{round_}/{ordinal}"
    outcome = ToolOutcome(result_json=text)
    return ev.JournalEvent(tool=ev.ToolAnswered(request_id=request_id, outcome=outcome))


def shown(events: list[ev.JournalEvent]) -> list[tuple[int, str]]:
    return [(message.role, message.text) for message in history(events)]


def test_segments_that_follow_one_another_are_one_message() -> None:
    events = [said(1, "hi"), *spoken("t1/s0", "Good morning. "), *spoken("t1/s1", "How are you?")]
    assert shown(events) == [(USER, "hi"), (ASSISTANT, "Good morning. How are you?")]
    assert [message.cause for message in history(events)] == ["u1", "t1"]


def test_what_was_planned_but_not_heard_is_not_shown() -> None:
    assert shown([said(1, "hi"), planned("t1/s0", "Good morning.")]) == [(USER, "hi")]


def test_a_cut_segment_shows_what_was_heard_though_told_after_the_next_utterance() -> None:
    events = [
        *spoken("t1/s0", "One."),
        planned("t1/s1", "Two and three."),
        planned("t1/s2", "Four."),
        said(2, "stop"),
        heard("t1/s1", 7, interrupted=True),
        heard("t1/s2", 0, interrupted=True),
    ]
    assert shown(events) == [(ASSISTANT, "One. Two and"), (USER, "stop")]
    assert history(events)[0].interrupted


def test_what_was_heard_may_be_told_before_its_segment() -> None:
    """Gateway and orchestrator write to the journal each for themselves."""
    events = [heard("t1/s0", 5, interrupted=True), planned("t1/s0", "Hello there.")]
    assert shown(events) == [(ASSISTANT, "Hello")]


def test_lengths_count_code_points() -> None:
    assert shown([planned("t1/s0", "🎧é日本"), heard("t1/s0", 3)]) == [(ASSISTANT, "🎧é日")]


def test_a_round_with_tools_ends_its_message_and_results_follow_it() -> None:
    events = [
        said(1, "balance?"),
        *spoken("t1/s0", "One moment."),
        answered("t1", 0, 0, 1),
        result("t1", 0, 0, '{"a":1}'),
        result("t1", 0, 1, '{"b":2}'),
        *spoken("t1/s1", "It is 25."),
        answered("t1", 1),
    ]
    assert shown(events) == [
        (USER, "balance?"),
        (ASSISTANT, "One moment."),
        (TOOL, '{"a":1}'),
        (TOOL, '{"b":2}'),
        (ASSISTANT, "It is 25."),
    ]
    messages = history(events)
    assert [call.call_id for call in messages[1].tool_calls] == ["c0", "c1"]
    assert messages[2].request_id == "sessions/s/t1/0/0"


def test_results_stand_behind_their_calls_whoever_spoke_in_between() -> None:
    events = [answered("t1", 0, 0), said(2, "hello?"), result("t1", 0, 0, "late")]
    assert shown(events) == [(ASSISTANT, ""), (TOOL, "late"), (USER, "hello?")]


def test_calls_are_shown_though_nothing_of_their_message_was_heard() -> None:
    messages = history([answered("t1", 0, 0)])
    assert len(messages) == 1
    assert messages[0].tool_calls


def test_another_agent_speaks_in_a_message_of_its_own() -> None:
    events = [*spoken("t1/s0", "I hand over."), *spoken("t1/s1", "Fraud desk.", "agents/fraud")]
    assert [(m.agent, m.text) for m in history(events)] == [
        ("agents/a", "I hand over."),
        ("agents/fraud", "Fraud desk."),
    ]


def test_amendments_and_results_of_what_is_not_there_are_passed_over() -> None:
    assert shown([heard("t9/s9", 5), result("t9", 0, 0), said(1, "")]) == []


def test_a_result_is_told_once() -> None:
    events = [answered("t1", 0, 0), result("t1", 0, 0, "a"), result("t1", 0, 0, "a")]
    assert shown(events) == [(ASSISTANT, ""), (TOOL, "a")]


def test_a_failure_reads_as_reason_and_message() -> None:
    failure = ToolFailure(reason="NOT_VERIFIED", message="ask for the name")
    assert outcome_text(ToolOutcome(failure=failure)) == "NOT_VERIFIED: ask for the name"


EVENTS = st.one_of(
    st.builds(said, st.integers(0, 3), st.text(max_size=5)),
    st.builds(planned, st.sampled_from(["t1/s0", "t1/s1", "t2/s0"]), st.text(max_size=9)),
    st.builds(heard, st.sampled_from(["t1/s0", "t1/s1", "t2/s0"]), st.integers(0, 12)),
    st.builds(answered, st.sampled_from(["t1", "t2"]), st.integers(0, 1), st.just(0)),
    st.builds(result, st.sampled_from(["t1", "t2"]), st.integers(0, 1), st.just(0)),
)


@given(st.lists(EVENTS, max_size=30))
def test_whatever_the_journal_every_result_follows_its_call(
    events: list[ev.JournalEvent],
) -> None:
    open_calls: set[str] = set()
    for message in history(events):
        if message.role == TOOL:
            assert message.request_id in open_calls
        else:
            open_calls = {call.request_id for call in message.tool_calls}
            assert message.text or open_calls
