"""Decides the next step of a conversation from its messages alone. Pure, and without memory.

Nothing is kept between requests. What the planner is waiting for is found again by replaying: if
the decision on the messages before its last words would have been those words, then that
decision's question is still open.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from planner import replies
from planner.answers import answer
from planner.conversation import Decision, Message, Pending, Tool
from planner.intents import Embedder
from planner.outcomes import after_results
from planner.requests import heard_last, system_prompt, understand
from planner.slots import known_values
from planner.toolbox import AUTO, Toolbox
from planner.words import squeezed

MAX_REPLAY = 8
"""How many questions in a row are followed back."""
MAX_SAID = 2000
"""Characters of what the caller said that are looked at; nobody says more in one breath."""
MIN_HEARD_WORDS = 3
"""A question that was cut by the caller counts as asked from so many words on."""

_SILENCE = re.compile(r"\b(silent|silence|idle|not (answered|responded|said anything))\b", re.I)


def decide(
    messages: Sequence[Message], tools: Sequence[Tool], embedder: Embedder, choice: str = AUTO
) -> Decision:
    """What to say or call now. `choice` is the request's tool_choice (see Toolbox)."""
    return _decide(tuple(messages), Toolbox(tools, embedder, choice), MAX_REPLAY)


def _decide(messages: tuple[Message, ...], toolbox: Toolbox, replays: int) -> Decision:
    last = messages[-1] if messages else Message("system")
    if last.role == "user":
        return _on_words(messages, toolbox, replays)
    if last.role == "tool":
        return after_results(toolbox, messages, known_values(messages))
    toolbox.learn()
    return _unprompted(messages, last)


def _unprompted(messages: tuple[Message, ...], last: Message) -> Decision:
    """Nobody has said anything: the first words of the call, or a word into the silence."""
    if len(messages) > 1 and last.role == "system" and _SILENCE.search(last.text):
        return Decision(replies.STILL_THERE, why="silence")
    return Decision(replies.greeting(system_prompt(messages)), why="greeting")


def _on_words(messages: tuple[Message, ...], toolbox: Toolbox, replays: int) -> Decision:
    start = _run_start(messages, "user")
    before, text = messages[:start], " ".join(m.text for m in messages[start:]).strip()[:MAX_SAID]
    known = known_values(before)
    if not text:
        return Decision(replies.NOT_CAUGHT, why="empty")
    pending = _pending(before, toolbox, replays)
    if pending is not None and toolbox.forced is None:
        decision = answer(toolbox, pending, text, before, known)
        if decision is not None:
            return decision
    return understand(toolbox, text, before, known)


def _pending(before: tuple[Message, ...], toolbox: Toolbox, replays: int) -> Pending | None:
    """What the planner's last words asked for, if they were its own and a question."""
    heard = heard_last(before)
    prefix = before[: _run_start(before, "assistant")]
    if not replays or not heard or not prefix or prefix[-1].role not in ("user", "tool"):
        return None
    asked = _decide(prefix, toolbox, replays - 1)
    return asked.pending if asked.pending and _was_heard(asked.text, heard) else None


def _was_heard(text: str, heard: str) -> bool:
    """Whether the caller heard the question, at least its beginning: they may have cut it short."""
    asked, said = squeezed(text), squeezed(heard)
    whole = bool(asked) and asked in said
    return whole or (len(said.split()) >= MIN_HEARD_WORDS and asked.startswith(said))


def _run_start(messages: Sequence[Message], role: str) -> int:
    """Where the trailing messages of a role begin; calls end a run, for they are no words."""
    start = len(messages)
    while start and messages[start - 1].role == role and not messages[start - 1].tool_calls:
        start -= 1
    return start
