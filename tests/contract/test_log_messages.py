"""Messages of logs are constants: what varies goes into fields, where it is redacted by name."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
METHODS = {"debug", "info", "warning", "error", "exception", "critical"}
LOGGERS = {"logger", "log", "_log", "_logger", "logging"}
# Methods that pass a message on to a logger: their callers' messages are looked at instead.
PASSED_ON = {"_complain"}
# The planner logs to the terminal of whoever started it, without our fields.
EXEMPT = {ROOT / "libs" / "voicemesh", ROOT / "libs" / "planner"}


def calls(source: str) -> Iterator[ast.Call]:
    """The logger calls of a module, and the calls of what passes messages on."""
    pending: list[ast.AST] = [ast.parse(source)]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.FunctionDef) and node.name in PASSED_ON:
            continue
        pending.extend(ast.iter_child_nodes(node))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner, method = node.func.value, node.func.attr
            of_logger = isinstance(owner, ast.Name) and owner.id in LOGGERS and method in METHODS
            if of_logger or method in PASSED_ON:
                yield node


def is_constant(call: ast.Call) -> bool:
    """Whether the message is a constant without places for arguments."""
    message = call.args[0] if call.args else None
    arguments = isinstance(call.func, ast.Attribute) and call.func.attr in METHODS
    return not (arguments and len(call.args) > 1) and (
        isinstance(message, ast.Constant)
        and isinstance(message.value, str)
        and "%" not in message.value
    )


def test_every_message_is_a_constant() -> None:
    found, broken = 0, []
    for top in ("libs", "services"):
        for path in sorted((ROOT / top).rglob("*.py")):
            if EXEMPT & set(path.parents):
                continue
            for call in calls(path.read_text()):
                found += 1
                if not is_constant(call):
                    broken.append(f"{path.relative_to(ROOT)}:{call.lineno}")
    assert found > 50
    assert broken == []


def test_the_scan_finds_what_it_is_for() -> None:
    bad = ('logger.info(f"x {y}")', 'logger.info("x %s", y)', "log.error(str(e))", "_log.info()")
    for source in (*bad, "self._complain(f'{x}', y)"):
        assert [is_constant(call) for call in calls(source)] == [False], source
    for source in ('logger.info("x", extra={})', "self._complain('x', cause)"):
        assert [is_constant(call) for call in calls(source)] == [True], source
