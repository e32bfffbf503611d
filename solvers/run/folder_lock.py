"""A folder that one run works in, and no other: not in another process, nor in another thread."""

from __future__ import annotations

import errno
import os
import threading
from contextlib import suppress
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Self

from formulations.errors import FileAccessError
from formulations.files.bounded import access_error


@dataclass
class _Holder:
    """Who has a folder: of one process, one thread, which may claim it several times."""

    process: int
    thread: int
    descriptor: int | None
    claims: int = 1


# A record lock belongs to the whole process, and goes when any descriptor of its file is closed,
# so that only the process itself can keep its threads apart, by what it remembers here.
_HELD: dict[object, _Holder] = {}
_GUARD = threading.Lock()


def _forked() -> None:
    """Locks are not inherited, and nobody in the child would release a guard that was taken."""
    global _GUARD
    _GUARD = threading.Lock()
    _HELD.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


class FolderLock:
    """A claim to a folder, which ends with the process, however that ends.

    The thread that has it can claim it again: what takes the lock before it writes the first file
    may call what takes it for itself.

    Parameters
    ----------
    folder : path-like
        Made if there is none.
    what : str
        What is in the folder, for messages.

    Raises
    ------
    FileAccessError
        If the folder cannot be made or written to, or somebody else has it.

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> with FolderLock(folder, "the checkpoint"), FolderLock(folder, "the checkpoint"):
    ...     pass
    """

    def __init__(self, folder: str | PathLike[str], what: str) -> None:
        self.folder, self.what = Path(folder), what
        self._key: object = None

    def __enter__(self) -> Self:
        self.claim()
        return self

    def __exit__(self, *error: object) -> None:
        self.release()

    def claim(self) -> None:
        """Take the folder, unless this lock has it already."""
        if self._key is not None:
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with _GUARD:
                self._key = self._claimed()
        except FileAccessError:
            raise
        except (OSError, ValueError) as error:
            reason = error if isinstance(error, OSError) else OSError(str(error))
            raise access_error(f"keep {self.what} in", self.folder, reason) from error

    def _claimed(self) -> object:
        here = os.stat(self.folder)
        key = (here.st_dev, here.st_ino)
        held = _HELD.get(key)
        if held is not None and held.process == os.getpid():
            if held.thread != threading.get_ident():
                raise self._in_use()
            held.claims += 1
            return key
        _HELD[key] = _Holder(os.getpid(), threading.get_ident(), self._locked())
        return key

    def _locked(self) -> int | None:
        """A file whose lock ends with this process; None where there are no locks.

        A record lock, since workers forked off would keep one of the other kind (``flock``) alive.
        """
        try:
            import fcntl
        except ImportError:
            return None
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW
        descriptor = os.open(self.folder / ".lock", flags, 0o666)
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            if error.errno in (errno.EAGAIN, errno.EACCES):
                raise self._in_use() from error
            return None  # a file system without locks
        return descriptor

    def _in_use(self) -> FileAccessError:
        return FileAccessError(
            f"{self.what} in {str(self.folder)!r} is in use by a run that has not ended: wait "
            "for it or stop it, or choose another folder"
        )

    def release(self) -> None:
        """Let go of the folder, if this lock has it."""
        with _GUARD:
            held = _HELD.get(self._key)
            if self._key is not None and held is not None and held.process == os.getpid():
                held.claims -= 1
                if not held.claims:
                    del _HELD[self._key]
                    if held.descriptor is not None:
                        with suppress(OSError):
                            os.close(held.descriptor)
            self._key = None
