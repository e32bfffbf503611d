"""How the command line explains itself: headings, examples, completion, the nearest name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import click
from click.shell_completion import CompletionItem

from formulations.errors import FileFormatError

Items = list[CompletionItem]
Complete = Callable[[click.Context, click.Parameter, str], Items]


class Option(click.Option):
    """An option that stands under a heading of the help.

    The word NAMES in its help becomes the names that can be given, those of other packages too.
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
        """The option's words and its help."""
        record = super().get_help_record(context)
        if record is None or self.names is None:
            return record
        words, text = record
        return words, text.replace("NAMES", ", ".join(self.names()), 1)


class Argument(click.Argument):
    """An argument whose possible words the help tells."""

    def __init__(self, *words: Any, known: Mapping[str, str] | None = None, **given: Any) -> None:
        super().__init__(*words, **given)
        self.known = dict(known or {})


class Command(click.Command):
    """A command whose help has its options under headings, those without one at the end."""

    def format_options(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what arguments may be, then options, each heading where its first option was."""
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
    """Commands in the order in which they were added; a wrong name is told the nearest one."""

    command_class = Command

    def list_commands(self, context: click.Context) -> list[str]:
        """Their names, as they were added."""
        return list(self.commands)

    def invoke(self, context: click.Context) -> Any:
        """Run a command; click would take the early end of a file for Ctrl-C, and break the line.

        Raises
        ------
        click.Abort
            After Ctrl-C.
        FileFormatError
            Where something that is read ends too early.
        """
        try:
            return super().invoke(context)
        except KeyboardInterrupt as error:
            raise click.Abort from error
        except EOFError as error:
            raise FileFormatError(
                f"what is read ends too early ({error}): copy it again from where it came from"
            ) from error


def command(name: str | None = None, *, examples: str = "", **given: Any) -> Any:
    """The decorator of a command, with examples of use at the end of its help."""
    epilog = f"\b\nExamples:\n{indented(examples)}" if examples else None
    return click.command(name, cls=Command, epilog=epilog, **given)


def option(*words: str, help: str, otherwise: str | None = None, **given: Any) -> Any:
    """The decorator of an option; its default is shown, or in words what there is ``otherwise``."""
    if otherwise is not None:
        help = f"{help}  [default: {otherwise}]"
    given.setdefault("show_default", given.get("default") is not None)
    return click.option(*words, cls=Option, help=help, **given)


def argument(*words: str, known: Mapping[str, str] | None = None, **given: Any) -> Any:
    """The decorator of an argument, with the words that it may be."""
    return click.argument(*words, cls=Argument, known=known, **given)


def indented(lines: str) -> str:
    """Lines without the blanks that all of them begin with, moved in by two."""
    from inspect import cleandoc

    return "\n".join(f"  {line}".rstrip() for line in cleandoc(lines).splitlines())


# -- completion ------------------------------------------------------------------------------------


def one_of(names: Callable[[], Iterable[str]] | Iterable[str]) -> Complete:
    """Completes one of the names."""

    def complete(context: click.Context, parameter: click.Parameter, start: str) -> Items:
        known = names() if callable(names) else names
        return [CompletionItem(name) for name in known if name.startswith(start)]

    return complete


def some_of(names: Callable[[], Iterable[str]]) -> Complete:
    """Completes the last of several names between commas, none of them twice."""

    def complete(context: click.Context, parameter: click.Parameter, start: str) -> Items:
        before, comma, last = start.rpartition(",")
        given = before.split(",")
        left = [name for name in names() if name.startswith(last) and name not in given]
        return [CompletionItem(before + comma + name) for name in left]

    return complete


def name_or_file(names: Iterable[str]) -> Complete:
    """Completes one of the names, or else the name of a file."""

    def complete(context: click.Context, parameter: click.Parameter, start: str) -> Items:
        found = [CompletionItem(name) for name in names if name.startswith(start)]
        return [CompletionItem(start, type="file"), *found]  # first, for bash forgets those before

    return complete


def file(context: click.Context, parameter: click.Parameter, start: str) -> Items:
    """Completes the name of a file."""
    return [CompletionItem(start, type="file")]


def folder(context: click.Context, parameter: click.Parameter, start: str) -> Items:
    """Completes the name of a folder."""
    return [CompletionItem(start, type="dir")]
