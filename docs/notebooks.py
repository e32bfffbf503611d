"""Runs the notebooks of ``examples/`` and keeps what they print and draw.

python docs/notebooks.py NAME ...     # all of them without a name; needs the extra dev
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

FOLDER = Path(__file__).parents[1] / "examples"


def executed(name: str, folder: str | Path, instead: Mapping[str, str] | None = None) -> Any:
    """A notebook with the outputs of a run in a folder; its first error is raised.

    ``instead`` maps texts of the cells to those that replace them, such as a shorter time limit.
    """
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    for text, other in (instead or {}).items():
        assert any(text in cell.source for cell in notebook.cells), text
        for cell in notebook.cells:
            cell.source = cell.source.replace(text, other)
    where = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources=where).execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # when it was run
    return notebook


if __name__ == "__main__":
    import nbformat

    for name in sys.argv[1:] or [path.stem for path in sorted(FOLDER.glob("*.ipynb"))]:
        with TemporaryDirectory() as folder:
            nbformat.write(executed(name, folder), FOLDER / f"{name}.ipynb")
