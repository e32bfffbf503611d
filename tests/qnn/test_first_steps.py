"""What a newcomer runs first works as it is printed: README's Python, and the examples."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_python_of_the_readme() -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)
    assert blocks
    for block in blocks:
        names: dict[str, float] = {}
        exec(compile(block, "README.md", "exec"), names)
        assert names["accuracy"] > 0.5


@pytest.mark.parametrize("path", sorted((ROOT / "docs").glob("*.md")), ids=lambda p: p.name)
def test_python_of_the_docs(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The blocks of a page, one after another; a comment at a print says what it prints."""
    names: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", path.read_text(), flags=re.DOTALL):
        exec(compile(block, path.name, "exec"), names)
        shown = capsys.readouterr().out
        for said in re.findall(r"^print\(.*\)  # ([^:\n]*)", block, flags=re.MULTILINE):
            assert said in shown


def test_the_figure_of_the_docs(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the figure is drawn with the extra plot")
    script = runpy.run_path(str(ROOT / "docs" / "draw_cqm.py"))
    path = tmp_path / "figure.svg"
    script["draw"](script["history"](), path)
    assert path.read_text().startswith("<?xml")


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.py")), ids=lambda p: p.name)
def test_examples(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for extra in ("dask", "mpi4py", "torch"):
        if re.search(rf"^(import|from) {extra}\b", path.read_text(), flags=re.MULTILINE):
            pytest.importorskip(extra)
    runpy.run_path(str(path), run_name="__main__")
    assert capsys.readouterr().out
