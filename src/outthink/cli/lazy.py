"""A group of commands that are imported when they are needed, and that prints the package's own errors as one message."""

from __future__ import annotations

import errno
import importlib
from collections.abc import Mapping
from typing import IO, Any

import click

from outthink.core.errors import OutthinkError, explain

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it: 128 + SIGINT."""


class Refused(click.ClickException):
    """An error of the package as the command line shows it: one message, no traceback, exit status 1."""

    exit_code = 1

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the message on standard error."""
        click.echo(f"outthink: {self.format_message()}", err=True, file=file)


class Group(click.Group):
    """A group whose members are named as "module:command"."""

    def __init__(self, *args: Any, members: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.members = members

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all members, in the order of the table."""
        return list(self.members)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one member."""
        if cmd_name not in self.members:
            return None
        module, _, name = self.members[cmd_name].partition(":")
        command = getattr(importlib.import_module(module), name)
        if not isinstance(command, click.Command):
            raise TypeError(f"{self.members[cmd_name]} is not a command")
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As in click; words that are no text are refused, since names of runs, recipes and files are text everywhere."""
        for word in args:
            try:
                word.encode()
            except UnicodeEncodeError:
                raise Refused(_no_text(word)) from None
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; errors raised on purpose, and what the system refuses of files and sockets, become one message."""
        try:
            return super().invoke(ctx)
        except OutthinkError as error:
            raise Refused(str(error)) from error
        except OSError as error:
            if error.errno is None or error.errno == errno.EPIPE:
                raise  # no refusal of the system's, or whoever read the output has left, which click knows
            raise Refused(_refused(error)) from error
        except KeyboardInterrupt:
            click.echo("outthink: interrupted", err=True)
            ctx.exit(INTERRUPTED)


def _no_text(word: str) -> str:
    return explain(
        "A word of the command line is not UTF-8.",
        got=word.encode(errors="backslashreplace").decode(),
        expected="text",
        remedy="Rename the file, or give the word another way.",
    )


def _refused(error: OSError) -> str:
    where = f"{error.filename}: " if error.filename is not None else ""
    return f"{where}{error.strerror or error}"
