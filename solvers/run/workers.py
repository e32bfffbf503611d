"""Worker processes, which keep the models sent to them and run tasks on them."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import pickle
import signal
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from formulations.errors import InvalidInputError


@dataclass(frozen=True)
class PackedModel:
    """A model ready for sending: its bytes and their digest."""

    digest: str
    content: bytes

    @classmethod
    def of(cls, model: object) -> PackedModel:
        """Pack a model; refuse it if it cannot be pickled."""
        try:
            content = pickle.dumps(model, protocol=pickle.HIGHEST_PROTOCOL)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise InvalidInputError(
                f"the blocks cannot be sent to other processes ({error}): functions in them must "
                "be defined at the top of a module, no lambdas; or take executor='threads'"
            ) from error
        return cls(hashlib.sha256(content).hexdigest(), content)


@dataclass(frozen=True)
class Missing:
    """Answer of a worker that does not have the model."""

    digest: str


_models: OrderedDict[str, Any] = OrderedDict()
"""Models sent to this process, or packed ones not read yet.  This is the only module state: with a
user's executor, a worker has nothing between two tasks but its process's memory."""


def begin_worker() -> None:
    """Initialise our own worker process: it ignores Ctrl-C and ends with its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave_with_parent, daemon=True).start()


def begin_with(packed: Sequence[PackedModel]) -> None:
    """Initialise a worker process that holds all models."""
    begin_worker()
    _models.update((model.digest, model) for model in packed)


def _leave_with_parent() -> None:
    """End this worker when the parent process is killed, since nothing else would."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def serve(
    function: Callable[[Any, Any], Any], digest: str, content: bytes | None, argument: Any
) -> Any:
    """Run a task on a worker; ask for the model if it is missing."""
    model = _models.pop(digest, None)
    if model is None:
        if content is None:
            return Missing(digest)
        model = PackedModel(digest, content)
    if isinstance(model, PackedModel):
        model = pickle.loads(model.content)
    _models[digest] = model
    while len(_models) > 1024:  # drops the least recently used
        _models.popitem(last=False)
    return function(model, argument)
