"""The command line as a process: Ctrl-C, the standard streams, the working folder.

Only the interpreter's own modules are loaded here, so that Ctrl-C is heeded before others are.
"""

from __future__ import annotations

import codecs
import os
import re
import signal
import sys
from contextlib import suppress
from types import FrameType, TracebackType

INTERRUPTED = 130
"""Exit code of Ctrl-C before there was a result."""

SPELLED = {"…": "...", "±": "+-", "\u00d7": "x", "\u2013": "-", "—": "-", "≥": ">=", "≤": "<="}
"""What stands for a character that a terminal cannot show; others are shown as their number."""


# -- Ctrl-C ----------------------------------------------------------------------------------------


def heed_interrupts() -> None:
    """Let Ctrl-C end the process in one line from now on, unless it is ignored (``nohup``)."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, end_at_once)
        sys.unraisablehook = interrupt_again


def interrupt_again(lost: sys.UnraisableHookArgs) -> None:
    """Repeat a Ctrl-C that came where no exception can be raised, as in a call from C code."""
    if not issubclass(lost.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(lost)
        return
    from threading import Timer, get_ident

    again = Timer(0.01, signal.pthread_kill, [get_ident(), signal.SIGINT])  # also if it sleeps
    again.daemon = True
    again.start()


def end_at_once(number: int, frame: FrameType | None) -> None:
    """Heed Ctrl-C where there is nothing to keep."""
    with suppress(OSError):
        os.write(2, b"qnn: interrupted before there was a result\n")
    os._exit(INTERRUPTED)


def end_quietly(number: int, frame: FrameType | None) -> None:
    """Heed Ctrl-C once everything has been said."""
    os._exit(INTERRUPTED)


def raise_unless_importing(number: int, frame: FrameType | None) -> None:
    """Heed Ctrl-C before the work: an exception, but none in the midst of an import.

    There it might be caught, or come out as an ImportError.
    """
    outer = frame
    while outer is not None:
        if outer.f_code.co_filename.startswith("<frozen importlib"):
            end_at_once(number, frame)
        outer = outer.f_back
    raise KeyboardInterrupt


def work_begins() -> None:
    """Let Ctrl-C be an exception wherever it comes, for there may be something to keep now."""
    if signal.getsignal(signal.SIGINT) is raise_unless_importing:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, end_with_result)


def end_with_result(number: int, frame: FrameType | None) -> None:
    """Heed a scheduler that asks the process to end: as Ctrl-C the first time, at once then."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    raise KeyboardInterrupt


class interruptible:
    """A block in which Ctrl-C is an exception, if this process heeds it at all.

    After it Ctrl-C ends the process, so that it cannot come between an error and its message.
    """

    def __enter__(self) -> None:
        self.heeded = signal.getsignal(signal.SIGINT) is end_at_once
        if self.heeded:
            signal.signal(signal.SIGINT, raise_unless_importing)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.heeded:
            signal.signal(signal.SIGINT, end_quietly)


# -- streams and the working folder ----------------------------------------------------------------


def prepare() -> None:
    """Make the standard streams fit to be written to, and refuse what the work would fail on.

    Raises
    ------
    FileAccessError
        If standard output is closed, or the working folder is not there any more.
    """
    from formulations.errors import FileAccessError

    for name in ("COLUMNS", "LINES"):  # rich fails on digits such as ², and on very many
        if not re.fullmatch("[0-9]{1,4}", os.environ.get(name, "0"), re.ASCII):
            del os.environ[name]
    closed = [name for name in ("stdin", "stdout", "stderr") if getattr(sys, name) is None]
    for name in closed:
        _open_on_nothing(name)
    codecs.register_error("spelled", _spelled)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="spelled")
    if "stdout" in closed:
        raise FileAccessError(
            "standard output is closed, so that the result would be lost: send it to a file, or to "
            "/dev/null if it is not wanted"
        )
    try:
        os.getcwd()
    except OSError as error:
        raise FileAccessError(
            f"the working folder is not there any more ({error.strerror}): change to another one"
        ) from error


def _open_on_nothing(name: str) -> None:
    """Open a closed stream, so that no file of ours gets its number and what is meant for it."""
    number = ("stdin", "stdout", "stderr").index(name)
    descriptor = os.open(os.devnull, os.O_RDWR)
    if descriptor != number:
        os.dup2(descriptor, number)
        os.close(descriptor)
    mode = "r" if name == "stdin" else "w"
    setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115


def _spelled(error: UnicodeError) -> tuple[str | bytes, int]:
    """A handler of encoding errors that never fails."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = "".join(
        SPELLED.get(character) or character.encode("ascii", "backslashreplace").decode()
        for character in error.object[error.start : error.end]
    )
    return text, error.end
