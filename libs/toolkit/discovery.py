"""Finding tools: modules of a folder, and installed packages by the entry point group.

A package declares, in its pyproject.toml:

    [project.entry-points."voicemesh.tools"]
    my_tools = "my_package.tools"            # a module with @tool functions
    more = "my_package.more:tools"           # or a function that returns tools

A module of a folder may also call `register_tool`, as the seed does: while it is read, the module
functions of this library act on the registry that reads it.
"""

from __future__ import annotations

import contextlib
import contextvars
import importlib.util
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType

from toolkit.errors import ToolkitError
from toolkit.registry import Registry, tools_of
from toolkit.tool import Tool

GROUP = "voicemesh.tools"

_reading: contextvars.ContextVar[Registry | None] = contextvars.ContextVar("reading", default=None)


def registry_being_filled() -> Registry | None:
    """The registry for which a module is being read right now."""
    return _reading.get()


def add_folder(registry: Registry, folder: Path) -> int:
    """Add the tools of every `*.py` in a folder, in order of name; how many there were.

    Names that begin with an underscore are left out. Raises ToolkitError, naming the file.
    """
    if not folder.is_dir():
        raise ToolkitError(f"tools folder {folder} is not a folder; make it, or unset the setting")
    before = len(registry)
    for path in sorted(folder.glob("[!_]*.py")):
        with _naming(str(path)), _filling(registry):
            registry.add_all(tools_of(_module_of(path)))
    return len(registry) - before


def add_installed(registry: Registry, *, skip: Iterable[str] = ()) -> int:
    """Add the tools of installed packages; how many there were. Raises ToolkitError.

    `skip` names entry points to leave out.
    """
    before = len(registry)
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        if point.name not in set(skip):
            with _naming(f"entry point {point.name} = {point.value}"), _filling(registry):
                registry.add_all(_tools_at(point))
    return len(registry) - before


def _tools_at(point: EntryPoint) -> list[Tool]:
    loaded: object = point.load()
    if isinstance(loaded, ModuleType):
        return tools_of(loaded)
    if not callable(loaded):
        raise ToolkitError("it names neither a module nor a function that returns tools")
    return _returned(loaded)


def _returned(make: Callable[[], Iterable[Tool]]) -> list[Tool]:
    made = list(make())
    if not all(isinstance(each, Tool) for each in made):
        raise ToolkitError("its function must return tools, made by @tool")
    return made


def _module_of(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"voicemesh_tools_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ToolkitError("it cannot be imported")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@contextlib.contextmanager
def _filling(registry: Registry) -> Iterator[None]:
    token = _reading.set(registry)
    try:
        yield
    finally:
        _reading.reset(token)


@contextlib.contextmanager
def _naming(source: str) -> Iterator[None]:
    """Whatever the module raises is an error of its author's; say in which one."""
    try:
        yield
    except ToolkitError as error:
        raise type(error)(f"{source}: {error}") from None
    except Exception as error:
        raise ToolkitError(f"{source}: {type(error).__name__}: {error}") from error
