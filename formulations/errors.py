"""Exceptions: one root class, and a built-in parent for each exception.

A message names the offending value, what was expected, and the remedy.
"""


class QnnError(Exception):
    """Root of all errors that this toolkit raises deliberately."""


class InvalidInputError(QnnError, ValueError):
    """A value of the wrong shape, range, type or name."""


class InfeasibleModelError(InvalidInputError):
    """A model that no assignment can satisfy, proven without a search."""


class ModelSizeError(QnnError, MemoryError):
    """A model that would not fit in memory, refused before it is built."""


class FileFormatError(QnnError, ValueError):
    """A file that is corrupt, has another format, or was written by a newer version."""


class FileAccessError(QnnError, OSError):
    """A file that could not be read or written."""


class MissingExtraError(QnnError, ImportError):
    """A missing optional dependency; the message names the extra to install."""


class OracleError(QnnError, RuntimeError):
    """An oracle that failed or returned something unusable."""


class UnusableAnswerError(OracleError, ValueError):
    """An oracle's answer that does not fit the question, and of which nothing was used.

    Parameters
    ----------
    message : str
    answer : object
        The answer, kept because it may have been paid for.
    """

    def __init__(self, message: str, answer: object = None) -> None:
        super().__init__(message)
        self.answer = answer


class OracleRefusalError(OracleError, InvalidInputError):
    """An oracle that refuses the question, so that asking again would not help."""


class OracleTimeoutError(OracleError, TimeoutError):
    """An oracle that did not answer in time."""


class BudgetExhaustedError(QnnError, RuntimeError):
    """A budget that is used up; the call was not made."""
