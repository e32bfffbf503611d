"""Exceptions: one root, each class with a built-in parent.

A message names the offending thing, what was expected, and what to do.
"""

import reprlib


class QnnError(Exception):
    """Root of every error that this toolkit raises on purpose."""


class InvalidInputError(QnnError, ValueError):
    """A value that cannot be used: wrong shape, range, kind or name."""


class InfeasibleModelError(InvalidInputError):
    """A model that no assignment can satisfy, proven without a search."""


class ModelSizeError(QnnError, MemoryError):
    """A model that would not fit in memory, refused before it is built."""


class FileFormatError(QnnError, ValueError):
    """A file that is corrupt, of another kind, or written by a newer version."""


class FileAccessError(QnnError, OSError):
    """A file that could not be read or written."""


class MissingExtraError(QnnError, ImportError):
    """An optional dependency that is not installed; the message names the extra."""


class OracleError(QnnError, RuntimeError):
    """An oracle that failed or returned something unusable."""


class UnusableAnswerError(OracleError, ValueError):
    """An oracle's answer that does not fit the question: nothing of it has been used.

    Parameters
    ----------
    message : str
    answer : object
        What came, for it may have cost.
    """

    def __init__(self, message: str, answer: object = None) -> None:
        super().__init__(message)
        self.answer = answer


class OracleRefusalError(OracleError, InvalidInputError):
    """An oracle that refuses the question itself: asking again would not help."""


class OracleTimeoutError(OracleError, TimeoutError):
    """An oracle that did not answer in time."""


class BudgetExhaustedError(QnnError, RuntimeError):
    """A budget that is used up: the call was not made."""


def shown(value: object) -> str:
    """A short text of any value for a message, even where ``repr`` fails.

    Examples
    --------
    >>> shown("5"), shown([1.5, None])
    ("'5'", '[1.5, None]')
    """
    try:
        text = repr(value)
    except Exception:  # such as an integer of too many digits to print
        return f"<{type(value).__name__}>"
    return text if len(text) <= 200 else reprlib.repr(value)


def choose(name: str, value: object, known: list[str]) -> str:
    """Return ``value`` if it is one of ``known``, else raise with the nearest valid name.

    Parameters
    ----------
    name : str
        What is being chosen, for the message.
    value : object
        The name given.
    known : list of str
        The valid names.

    Raises
    ------
    InvalidInputError
        If ``value`` is not one of ``known``.

    Examples
    --------
    >>> choose("loss", "hinge", ["hinge", "squared"])
    'hinge'
    """
    if isinstance(value, str) and value in known:
        return value
    from difflib import get_close_matches

    near = get_close_matches(value, known, n=1) if isinstance(value, str) else []
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise InvalidInputError(
        f"unknown {name} {shown(value)}: expected one of {', '.join(known)}.{hint}"
    )
