"""Process setup for the command line: the standard streams and the working folder."""

from __future__ import annotations

import codecs
import os
import re
import sys


def prepare() -> None:
    """Make the standard streams writable, and refuse conditions under which the work would fail."""
    from formulations.errors import FileAccessError

    for name in ("COLUMNS", "LINES"):  # rich fails on digits such as ², and on very many digits
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
    """Open a closed stream on the null device, so that no file of ours receives its output."""
    number = ("stdin", "stdout", "stderr").index(name)
    descriptor = os.open(os.devnull, os.O_RDWR)
    if descriptor != number:
        os.dup2(descriptor, number)
        os.close(descriptor)
    mode = "r" if name == "stdin" else "w"
    setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115


def _spelled(error: UnicodeError) -> tuple[str | bytes, int]:
    """Encode without ever failing: spell characters out, or give their code points."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    spelled = {
        "…": "...", "±": "+-", "\u00d7": "x", "\u2013": "-", "—": "-", "≥": ">=", "≤": "<="
    }  # fmt: skip
    text = "".join(
        spelled.get(character) or character.encode("ascii", "backslashreplace").decode()
        for character in error.object[error.start : error.end]
    )
    return text, error.end
