"""Lock on a folder: one run at a time may use it, across processes and threads."""

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
    """Holder of a folder: one thread of one process, which may claim it several times."""

    process: int
    thread: int
    descriptor: int | None
    claims: int = 1


# A record lock belongs to the whole process and is lost when any descriptor of its file is closed,
# so this table keeps the threads of one process apart.
_HELD: dict[object, _Holder] = {}
_GUARD = threading.Lock()


def _forked() -> None:
    """Reset the locks in a child process, which inherits none and could not release the guard."""
    global _GUARD
    _GUARD = threading.Lock()
    _HELD.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


class FolderLock:
    """Claim to a folder, which ends with the process in any case.

    The thread that holds it can claim it again, so code that takes the lock may call other code
    that takes it too.

    Parameters
    ----------
    folder : path-like
        Created if missing.
    what : str
        Name of the folder's content, for messages.

    Raises
    ------
    FileAccessError
        If the folder cannot be created or written to, or another run holds it.

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
        """Take the folder, unless this lock already holds it."""
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
        """Open a file with a lock that ends with this process; None if there are no locks.

        Uses a record lock, since forked workers would keep the other kind (``flock``) alive.
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
        """Release the folder, if this lock holds it."""
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
