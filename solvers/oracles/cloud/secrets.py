"""Redaction of credentials from every text: errors, logs, records and reports.

Ocean manages credentials: they come from ``DWAVE_*`` and ``dwave.conf``, and nothing here stores
them.  A client's errors may quote them, so their texts pass through this module.
"""

from __future__ import annotations

import json
import os
import re
import traceback
from base64 import b64encode
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from configparser import ConfigParser
from configparser import Error as ConfigError
from contextlib import suppress
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus, urlsplit

SHORTEST = 6
"""Least length of a credential; shorter values would be found in every text."""

HIDDEN = "[hidden]"


def redacted(text: str) -> str:
    """Replace every credential of Ocean's configuration in ``text``.

    Examples
    --------
    >>> redacted("no answer from solver A")
    'no answer from solver A'
    """
    return Redactor()(text)


class Redactor:
    """Redactor of many texts; the first one reads the configuration.

    A credential is found in every form that a client may print: broken over lines, line by line,
    escaped as by ``repr`` or JSON, quoted for a URL or HTML, in hexadecimal, and inside base64 as
    in headers.

    Examples
    --------
    >>> hide = Redactor()
    >>> hide("problem 17"), hide("solver A")
    ('problem 17', 'solver A')
    """

    @cached_property
    def forms(self) -> list[str]:
        """Texts to look for, without blanks and escapes."""
        return _forms(_secrets())

    def __call__(self, text: str) -> str:
        """Return ``text`` without credentials."""
        for start, end in reversed(self.found(text)):
            text = f"{text[:start]}{HIDDEN}{text[end:]}"
        return text

    def found(self, text: str) -> list[tuple[int, int]]:
        """Return the spans of credentials in a text, in order and disjoint."""
        if not self.forms:
            return []
        bare, places = _bare(text)
        spans: list[tuple[int, int]] = []
        for form in self.forms:
            at = bare.find(form)
            while at >= 0:
                spans.append((at, at + len(form)))
                at = bare.find(form, at + 1)
        merged: list[tuple[int, int]] = []
        for start, end in sorted(spans):
            if merged and start <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
            else:
                merged.append((start, end))
        return [(places(start), places(end - 1) + 1) for start, end in merged]

    def deep(self, value: Any) -> Any:
        """Return a JSON value with all its texts redacted."""
        if isinstance(value, str):
            return self(value)
        if isinstance(value, Mapping):
            return {self.deep(name): self.deep(part) for name, part in value.items()}
        return [self.deep(part) for part in value] if isinstance(value, list) else value


def without_secrets(error: BaseException) -> bool:
    """Return whether an error and its whole chain of causes may be shown."""
    lines = "".join(traceback.format_exception(error))
    return not Redactor().found(lines)


def _bare(text: str) -> tuple[str, Callable[[int], int]]:
    r"""Strip blanks and escapes from a text; also return where each character stood.

    Examples
    --------
    >>> bare, places = _bare(r"DEV-ab\n cdef")
    >>> bare, places(6)
    ('DEV-abcdef', 9)
    """
    parts: list[str] = []
    begins, stood, last = [0], [0], 0
    # Anywhere in a credential there may be a line break, raw or written out, or an escape.
    for blank in re.finditer(r"(?:\s|\\+[nrt]?)+", text):
        parts.append(text[last : blank.start()])
        begins.append(begins[-1] + len(parts[-1]))
        last = blank.end()
        stood.append(last)
    parts.append(text[last:])

    def places(index: int) -> int:
        part = bisect_right(begins, index) - 1
        return stood[part] + index - begins[part]

    return "".join(parts), places


def _forms(secrets: Iterable[str]) -> list[str]:
    """Return all forms of all secrets, without blanks and escapes."""
    forms = {_bare(form)[0] for secret in secrets for form in _in_other_words(secret)}
    return sorted(form for form in forms if len(form) >= SHORTEST)


def _in_other_words(secret: str) -> Iterator[str]:
    """Yield a secret and its lines plain, escaped, quoted, in hexadecimal and inside base64."""
    for piece in [secret, *secret.split(), "".join(secret.split())]:
        data = piece.encode("utf-8", "surrogatepass")
        yield from (piece, ascii(piece)[1:-1], repr(data)[2:-1])
        yield from (json.dumps(piece)[1:-1], escape(piece), escape(piece, quote=False))
        for quoted in (quote(data, safe=""), quote_plus(data), quote(data)):
            yield from (quoted, re.sub("%..", lambda found: found[0].lower(), quoted))
        yield from (data.hex(), data.hex().upper())
        yield from _in_base64(data)


def _in_base64(data: bytes) -> Iterator[str]:
    """Yield the common part of all base64 texts with ``data`` inside, for each of three offsets."""
    for offset in range(3):
        whole = b64encode(bytes(offset) + data).decode().rstrip("=")
        inside = whole[(8 * offset + 5) // 6 : 8 * (offset + len(data)) // 6]
        yield inside
        yield inside.replace("+", "-").replace("/", "_")


def _secrets() -> list[str]:
    """Return all configured credentials."""
    found = {value for name, value in os.environ.items() if _is_secret("DWAVE_", name, value)}
    for path in _config_files():
        config = ConfigParser(interpolation=None, default_section="defaults")
        with suppress(OSError, ConfigError, UnicodeDecodeError):
            config.read(path, encoding="utf-8")
        for section in [config.defaults(), *config.values()]:
            found |= {value for name, value in section.items() if _is_secret("", name, value)}
    proxies = ("http_proxy", "https_proxy", "all_proxy")  # A URL may hold a password.
    addresses = {value for name, value in os.environ.items() if name.lower() in proxies}
    passwords = {_password(value) for value in found | addresses}
    return sorted(found | {word for word in passwords if word and len(word) >= SHORTEST})


def _password(address: str) -> str | None:
    """Return the password in a URL such as a proxy's."""
    try:
        return urlsplit(address).password if "@" in address else None
    except ValueError:
        return None


def _is_secret(prefix: str, name: str, value: str | None) -> bool:
    """Decide by name and length whether a configuration entry is a secret."""
    words = ("token", "secret", "password", "authorization", "proxy", "key")
    named = name.upper().startswith(prefix) and any(word in name.lower() for word in words)
    return named and value is not None and len(value) >= SHORTEST


def _config_files() -> list[Path]:
    """List Ocean's configuration files: the one ``DWAVE_CONFIG_FILE`` names and its own folders."""
    paths = [os.environ.get("DWAVE_CONFIG_FILE", "")]
    with suppress(Exception):  # Without the client there is no configuration either.
        from dwave.cloud.config import get_configfile_paths

        paths += get_configfile_paths()
    return [Path(path).expanduser() for path in paths if path]
