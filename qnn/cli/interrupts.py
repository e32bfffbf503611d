"""Handling of Ctrl-C on the command line.

This module is loaded first, so it imports almost nothing: until :func:`heed_interrupts` runs,
Ctrl-C prints the interpreter's own traceback.
"""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType, TracebackType

INTERRUPTED = 130
"""Exit code if Ctrl-C came before there was a result."""


def heed_interrupts() -> None:
    """Let Ctrl-C end the process with one line from now on, unless it is ignored (``nohup``)."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, end_at_once)
        sys.unraisablehook = interrupt_again


def interrupt_again(lost: sys.UnraisableHookArgs) -> None:
    """Repeat a Ctrl-C that came where no exception can be raised, such as a call from C code."""
    if not issubclass(lost.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(lost)
        return
    from threading import Timer, get_ident

    again = Timer(0.01, signal.pthread_kill, [get_ident(), signal.SIGINT])  # even if asleep
    again.daemon = True
    again.start()


def end_at_once(number: int, frame: FrameType | None) -> None:
    """Handle Ctrl-C while there is nothing to keep."""
    try:  # noqa: SIM105 (contextlib takes milliseconds to load)
        os.write(2, b"qnn: interrupted before there was a result\n")
    except OSError:
        pass
    os._exit(INTERRUPTED)


def end_quietly(number: int, frame: FrameType | None) -> None:
    """Handle Ctrl-C after all output is done."""
    os._exit(INTERRUPTED)


def raise_unless_importing(number: int, frame: FrameType | None) -> None:
    """Handle Ctrl-C before the work: raise an exception, except during an import.

    An import might catch the exception or turn it into an ImportError.
    """
    outer = frame
    while outer is not None:
        if outer.f_code.co_filename.startswith("<frozen importlib"):
            end_at_once(number, frame)
        outer = outer.f_back
    raise KeyboardInterrupt


def work_begins() -> None:
    """Let Ctrl-C raise an exception anywhere from now on, since there may be results to keep."""
    if signal.getsignal(signal.SIGINT) is raise_unless_importing:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, end_with_result)


def end_with_result(number: int, frame: FrameType | None) -> None:
    """Handle a scheduler's termination request: like Ctrl-C the first time, at once the second."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    raise KeyboardInterrupt


class interruptible:
    """Let Ctrl-C raise an exception inside this block, if the process handles it at all.

    After the block, Ctrl-C ends the process, so that it cannot separate an error from its message.
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
