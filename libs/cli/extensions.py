"""Commands that installed packages bring, by the entry point group `voicemesh.commands`.

Each is loaded when it is used, so that the others do not wait for its imports.
"""

from __future__ import annotations

from importlib.metadata import entry_points

import click

GROUP = "voicemesh.commands"


class ExtensibleGroup(click.Group):
    """A group of our own commands and of those that packages bring; ours win."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, sorted."""
        return sorted({*super().list_commands(ctx), *entry_points(group=GROUP).names})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name. Raises UsageError if its package lacks a part."""
        own = super().get_command(ctx, cmd_name)
        brought = entry_points(group=GROUP, name=cmd_name)
        if own is not None or not brought:
            return own
        (point, *_) = brought
        try:
            command = point.load()
        except ImportError as error:
            raise click.UsageError(
                f"{cmd_name} needs what is not installed here ({error}): install voicemesh[{cmd_name}]"
            ) from None
        if not isinstance(command, click.Command):
            raise click.UsageError(f"{point.value} is no command: its package is wrong")
        return command
