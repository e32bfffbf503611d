"""Configuration shared by all tests: hypothesis profile and folder of real data."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# Every run draws the same examples, so a commit always has the same verdict.  To draw new ones, set
# HYPOTHESIS_PROFILE=explore; any failure found becomes a test of its own.
usual: dict[str, Any] = {
    "deadline": None,
    "max_examples": 30,
    "suppress_health_check": [HealthCheck.filter_too_much, HealthCheck.too_slow],
}
settings.register_profile("qnn", derandomize=True, **usual)
settings.register_profile("explore", derandomize=False, **usual)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "qnn"))

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder ``../shared/data`` beside the project; skip the test if it is missing."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("no ../shared/data beside the project")
    return folder


@pytest.fixture(scope="session", autouse=True)
def no_waiting_for_the_disk() -> Iterator[None]:
    """Let the disk write when it likes: what a process has written is there for all others."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


def pytest_configure(config: pytest.Config) -> None:
    """Handle Ctrl-C even if the run was started in the background, which ignores it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Spare the garbage collector what stays until the end: thousands of tests and all modules."""
    gc.collect()
    gc.freeze()
