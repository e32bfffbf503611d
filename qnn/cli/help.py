"""Help of the command line: headings, examples, completion, and suggestions for wrong names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from inspect import cleandoc
from math import inf
from typing import Any

import click
from click.shell_completion import CompletionItem

from formulations.errors import FileFormatError
from qnn.cli.values import at_least

Items = list[CompletionItem]
Complete = Callable[[click.Context, click.Parameter, str], Items]
Names = Callable[[], Iterable[str]] | Iterable[str]

Decorator = Callable[..., Any]
"""Decorator that adds options to a command, its first argument, under a heading, its second."""


class Option(click.Option):
    """Option listed under a heading of the help.

    The word NAMES in its help is replaced by the valid names, including those of other packages.
    """

    def __init__(
        self,
        *words: Any,
        heading: str | None = None,
        names: Callable[[], Iterable[str]] | None = None,
        **given: Any,
    ) -> None:
        super().__init__(*words, **given)
        self.heading = heading
        self.names = names

    def get_help_record(self, context: click.Context) -> tuple[str, str] | None:
        """Return the option's spelling and its help text."""
        record = super().get_help_record(context)
        if record is None or self.names is None:
            return record
        words, text = record
        return words, text.replace("NAMES", ", ".join(self.names()), 1)


class Command(click.Command):
    """Command whose help groups options under headings, those without one last."""

    def format_options(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the valid arguments, then the options, headings in order of first option."""
        sections: dict[str, list[tuple[str, str]]] = {}
        last: list[tuple[str, str]] = []
        for parameter in self.get_params(context):
            if isinstance(parameter, click.Argument):
                known = getattr(parameter, "known", {})
                sections[parameter.make_metavar(context)] = list(known.items())
                continue
            record = parameter.get_help_record(context)
            heading = getattr(parameter, "heading", None)
            if record is not None:
                (last if heading is None else sections.setdefault(heading, [])).append(record)
        for heading, records in [*sections.items(), ("Options", last)]:
            if records:
                with formatter.section(heading):
                    formatter.write_dl(records, col_max=26)


class Group(click.Group):
    """Group that lists commands in the order added and suggests a name for a wrong one."""

    command_class = Command

    def list_commands(self, context: click.Context) -> list[str]:
        """Return the command names in the order added."""
        return list(self.commands)

    def invoke(self, context: click.Context) -> Any:
        """Run a command, since click would take an unexpected end of file for Ctrl-C."""
        try:
            return super().invoke(context)
        except KeyboardInterrupt as error:
            raise click.Abort from error
        except EOFError as error:
            raise FileFormatError(
                f"what is read ends too early ({error}): copy it again from where it came from"
            ) from error


def command(name: str | None = None, *, examples: str = "", **given: Any) -> Any:
    """Return the decorator of a command, with usage examples at the end of its help."""
    epilog = f"\b\nExamples:\n{_indented(examples)}" if examples else None
    return click.command(name, cls=Command, epilog=epilog, **given)


def option(
    words: str,
    help: str,
    default: Any = None,
    *,
    otherwise: str | None = None,
    read: Callable[[Any], Any] | None = None,
    least: float | None = None,
    more: bool = False,
    most: float = inf,
    of: Names | None = None,
    **given: Any,
) -> Decorator:
    """Return the decorator of an option.

    ``words`` are shown in the help; a different name of the command's argument stands between them,
    as in ``--json json_file FILE``. The last word gives the type: N is a whole number; SECONDS,
    TIME and WEIGHT are numbers; FILE and FOLDER are completed as paths.

    The help shows the default, or ``otherwise`` in its place. ``read`` parses the text and raises
    the toolkit's own errors; ``least`` and ``most`` bound a number; ``of`` lists the names offered
    for completion.
    """
    *known, takes = words.split() if " " in words else [words, ""]
    if otherwise is not None:
        help = f"{help}  [default: {otherwise}]"
    if takes:
        given["metavar"] = takes
    if read is not None:
        given["callback"] = lambda context, parameter, value: read(value)
    elif takes in ("N", "SECONDS", "TIME", "WEIGHT"):
        given["type"] = int if takes == "N" else float
    if least is not None:
        given["callback"] = at_least(least, more=more, most=most)
    if takes in ("FILE", "FOLDER"):
        given["shell_complete"] = file if takes == "FILE" else folder
    elif of is not None or "names" in given:
        given.setdefault("shell_complete", one_of(given["names"] if of is None else of))
    given.setdefault("show_default", default is not None)
    if default is not None:
        given["default"] = default

    def decorate(command: Any, heading: str | None = None) -> Any:
        return click.option(*known, cls=Option, help=help, heading=heading, **given)(command)

    return decorate


def under(heading: str | None, *options: Decorator) -> Decorator:
    """Combine several options, shown in this order under a heading, into one decorator."""

    def decorate(command: Any, _: str | None = None) -> Any:
        for decorator in reversed(options):
            command = decorator(command, heading)
        return command

    return decorate


def argument(*words: str, known: Mapping[str, str] | None = None, **given: Any) -> Any:
    """Return the decorator of an argument, whose valid words the help lists."""

    def made(*args: Any, **options: Any) -> Any:
        parameter: Any = click.Argument(*args, **options)
        parameter.known = dict(known or {})
        return parameter

    made_by: Any = made
    return click.argument(*words, cls=made_by, **given)


def _indented(lines: str) -> str:
    """Replace the common indentation of all lines by two blanks."""
    return "\n".join(f"  {line}".rstrip() for line in cleandoc(lines).splitlines())


# -- completion ------------------------------------------------------------------------------------


def one_of(names: Names) -> Complete:
    """Return a completer for one of the names."""

    def complete(context: click.Context, parameter: click.Parameter, start: str) -> Items:
        known = names() if callable(names) else names
        return [CompletionItem(name) for name in known if name.startswith(start)]

    return complete


def some_of(names: Callable[[], Iterable[str]]) -> Complete:
    """Return a completer for the last of several comma-separated names, without repeats."""

    def complete(context: click.Context, parameter: click.Parameter, start: str) -> Items:
        before, comma, last = start.rpartition(",")
        given = before.split(",")
        left = [name for name in names() if name.startswith(last) and name not in given]
        return [CompletionItem(before + comma + name) for name in left]

    return complete


def name_or_file(names: Iterable[str]) -> Complete:
    """Return a completer for one of the names or the name of a file."""

    def complete(context: click.Context, parameter: click.Parameter, start: str) -> Items:
        # The file comes first, because bash forgets any completion before it.
        return file(context, parameter, start) + one_of(names)(context, parameter, start)

    return complete


def file(context: click.Context, parameter: click.Parameter, start: str) -> Items:
    """Complete the name of a file."""
    return [CompletionItem(start, type="file")]


def folder(context: click.Context, parameter: click.Parameter, start: str) -> Items:
    """Complete the name of a folder."""
    return [CompletionItem(start, type="dir")]
