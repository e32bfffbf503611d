"""Keeping credentials out of every text: errors, logs, records and reports.

Credentials are Ocean's business: they come from ``DWAVE_*`` and ``dwave.conf``, and nothing here
keeps them.  But errors of a client may quote what they were given; their texts go through here.
"""

from __future__ import annotations

import os
import traceback
from configparser import ConfigParser
from configparser import Error as ConfigError
from contextlib import suppress
from functools import cached_property
from pathlib import Path

WORDS = ("token", "secret", "password", "authorization", "proxy", "key")
"""An entry of the configuration with one of these in its name is a secret."""

SHORTEST = 6
"""Shorter values are no credentials, and would be found in every text."""

HIDDEN = "[hidden]"


def redacted(text: str) -> str:
    """``text`` with every credential of Ocean's configuration replaced.

    Examples
    --------
    >>> redacted("no answer from solver A")
    'no answer from solver A'
    """
    return Redactor()(text)


class Redactor:
    """Redacts many texts, reading the configuration for the first of them.

    Examples
    --------
    >>> hide = Redactor()
    >>> hide("problem 17"), hide("solver A")
    ('problem 17', 'solver A')
    """

    @cached_property
    def secrets(self) -> list[str]:
        """What is replaced."""
        return _secrets()

    def __call__(self, text: str) -> str:
        """``text`` without credentials."""
        for secret in self.secrets:
            text = text.replace(secret, HIDDEN)
        return text


def without_secrets(error: BaseException) -> bool:
    """Whether an error, and all that it came from, may be shown."""
    lines = "".join(traceback.format_exception(error))
    return not any(secret in lines for secret in _secrets())


def _secrets() -> list[str]:
    """All credentials that are configured now, longest first, as one may hold another."""
    found = {value for name, value in os.environ.items() if _is_secret("DWAVE_", name, value)}
    for path in _config_files():
        config = ConfigParser(interpolation=None, default_section="defaults")
        with suppress(OSError, ConfigError, UnicodeDecodeError):
            config.read(path, encoding="utf-8")
        for section in [config.defaults(), *config.values()]:
            found |= {value for name, value in section.items() if _is_secret("", name, value)}
    return sorted(found, key=lambda secret: (-len(secret), secret))


def _is_secret(prefix: str, name: str, value: str | None) -> bool:
    named = name.upper().startswith(prefix) and any(word in name.lower() for word in WORDS)
    return named and value is not None and len(value) >= SHORTEST


def _config_files() -> list[Path]:
    """Where Ocean looks: the file that ``DWAVE_CONFIG_FILE`` names, and its own folders."""
    paths = [os.environ.get("DWAVE_CONFIG_FILE", "")]
    with suppress(Exception):  # without the client there is no configuration either
        from dwave.cloud.config import get_configfile_paths

        paths += get_configfile_paths()
    return [Path(path).expanduser() for path in paths if path]
