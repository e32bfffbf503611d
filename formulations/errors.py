"""Exceptions: one root, each class with a built-in parent.

A message names the offending thing, what was expected, and what to do.
"""


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
