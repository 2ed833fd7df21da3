"""What a journal tells the pod that goes on with the conversation."""

from __future__ import annotations

from orchestrator import records
from orchestrator.history import NO_RESULT, Segment, ToolCall
from orchestrator.llm import Answered
from orchestrator.resume import Past, read_past
from voicemesh.orchestrator.v1.orchestrator_pb2 import UserUtterance
from voicemesh.session.v1 import journal_event_pb2 as pb
from voicemesh.tools.v1.outcome_pb2 import ToolOutcome

Event = pb.JournalEvent
CALL = ToolCall("sessions/a/t1/0/0", "call_1", "get_balance", "{}")
ANSWERED = Answered((), "model")


def said(number: int, text: str) -> Event:
    return records.utterance_event(UserUtterance(utterance=f"u{number}", transcript=text))


def began(turn: int, cause: str) -> Event:
    return records.turn_began_event(f"t{turn}", cause, "front")


def test_the_span_that_a_turn_had_is_known_to_whoever_takes_it_up() -> None:
    traceparent = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
    past = read_past([records.turn_began_event("t1", "u1", "front", traceparent)], 10)
    assert past.last is not None
    assert past.last.traceparent == traceparent


def planned(name: str, text: str) -> Event:
    return records.segment_event(Segment(name, text), "front")


def heard(name: str, length: int, *, interrupted: bool = False) -> Event:
    amended = pb.SegmentHeard(segment=name, heard_text_length=length, interrupted=interrupted)
    return Event(event_id=f"{name}/heard", heard=amended)


def answered(turn: int, number: int, *calls: ToolCall) -> Event:
    return records.round_event(f"t{turn}", number, "front", "text", calls, ANSWERED)


def came_out(call: ToolCall) -> Event:
    return records.tool_event(call, ToolOutcome(result_json='{"success": true}'))


def ended(turn: int) -> Event:
    return records.turn_ended_event(f"t{turn}", "")


GREETED = [began(0, "greeting"), planned("t0/s0", "Hello."), ended(0), heard("t0/s0", 6)]


def past(*events: Event) -> Past:
    return read_past(events, max_turns=10)


def test_nothing_happened_yet() -> None:
    fresh = past(Event(event_id="owner-1", owner_changed=pb.OwnerChanged(epoch=1)))
    assert (fresh.next_turn, fresh.last, fresh.unanswered) == (0, None, [])


def test_a_greeting_that_was_heard_is_over() -> None:
    told = past(*GREETED)
    assert told.next_turn == 1
    assert told.last is not None
    assert not told.last.to_resume
    assert told.history.messages() == [{"role": "assistant", "content": "Hello."}]


def test_an_utterance_that_no_turn_took_up() -> None:
    told = past(*GREETED, said(1, "Hi"), said(2, "  "))
    assert told.unanswered == [("u1", "Hi")]
    assert told.known == {"u1", "u2"}


def test_a_turn_takes_up_what_waited_until_its_cause() -> None:
    told = past(*GREETED, said(1, "a"), said(2, "b"), began(1, "u2"), said(3, "c"))
    assert told.unanswered == [("u3", "c")]
    assert [m["content"] for m in told.history.messages()] == ["Hello.", "a", "b"]
    assert told.last is not None
    assert told.last.to_resume


def test_rounds_calls_and_results_stand_as_they_were() -> None:
    told = past(
        *GREETED,
        said(1, "Balance?"),
        began(1, "u1"),
        planned("t1/s0", "One moment."),
        answered(1, 0, CALL),
        came_out(CALL),
        planned("t1/s1", "You have"),
    )
    last = told.last
    assert last is not None
    assert (last.cause, last.rounds_answered, last.ended) == ("u1", 1, False)
    first, second = last.record.rounds
    assert first.calls == (CALL,)
    assert first.results == {"call_1": '{"success": true}'}
    assert [s.name for s in first.segments] == ["t1/s0"]
    assert [s.name for s in second.segments] == ["t1/s1"]


def test_a_call_that_did_not_come_out() -> None:
    told = past(*GREETED, said(1, "Balance?"), began(1, "u1"), answered(1, 0, CALL))
    assert told.history.messages()[-1]["content"] == NO_RESULT
    assert told.last is not None
    assert told.last.record.rounds[0].results == {}


def test_of_turns_before_the_last_what_nobody_heard_was_not_said() -> None:
    told = past(
        *GREETED,
        said(1, "Hi"),
        began(1, "u1"),
        planned("t1/s0", "One."),
        planned("t1/s1", "Two."),
        answered(1, 0),
        ended(1),
        heard("t1/s0", 4),
        said(2, "Bye"),
        began(2, "u2"),
    )
    assert [m["content"] for m in told.history.messages()] == ["Hello.", "Hi", "One.", "Bye"]


def test_the_last_turn_is_said_again_unless_the_caller_cut_it() -> None:
    spoken = [*GREETED, said(1, "Hi"), began(1, "u1"), planned("t1/s0", "One."), ended(1)]
    told = past(*spoken)
    assert told.last is not None
    assert told.last.to_resume, "it ended, but nobody heard it"
    cut = past(*spoken, heard("t1/s0", 1, interrupted=True))
    assert cut.last is not None
    assert not cut.last.to_resume
    assert cut.history.messages()[-1]["content"] == "O…"


def test_a_heard_may_stand_before_its_segment() -> None:
    told = past(began(0, "greeting"), heard("t0/s0", 5), planned("t0/s0", "Hello you."), ended(0))
    assert told.history.messages()[0]["content"] == "Hello…"


def test_events_of_turns_that_are_not_there_are_passed_over() -> None:
    told = past(planned("t7/s0", "?"), answered(7, 0, CALL), came_out(CALL), ended(7))
    assert told.last is None
    assert told.history.messages() == []
