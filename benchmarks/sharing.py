"""Parser with ``--json`` and writer of figures, shared by several scripts."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from qnn.runs.output import to_json, write_text


def parser_of(doc: str | None) -> argparse.ArgumentParser:
    """Return a parser described by the first line of a script's docstring."""
    parser = argparse.ArgumentParser(description=(doc or "").splitlines()[0])
    parser.add_argument("--json", type=Path, help="write every figure to this file")
    return parser


def write_figures(path: Path | None, figures: Any) -> None:
    """Write figures to a file, if one is given: whole, or the old content stays."""
    if path is not None:
        write_text(path, to_json(figures))
