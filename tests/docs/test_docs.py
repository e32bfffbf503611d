"""The documentation does what it says: its code runs, its figures are drawn, its links lead on."""

from __future__ import annotations

import re
import sys
import types
from collections.abc import Iterable
from pathlib import Path

import pytest

from formulations.neurons import ENCODINGS
from qnn.cli import vocabulary
from qnn.runs.solver_table import SOLVERS
from solvers.oracles.registry import OURS

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(
    page
    for page in DOCS.rglob("*.md")
    if not {"_build", "copied"} & set(page.relative_to(DOCS).parts)
)
AROUND = [ROOT / x for x in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "changes/README.md")]
CODE = [page for page in PAGES if "```python\n" in page.read_text()]


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("page", CODE, ids=name)
def test_python_of_the_docs(
    page: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """The blocks of a page, one after another; a comment at a print says what it prints."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(ENCODINGS, "unary", ENCODINGS["one-hot"])  # a page puts its own there
    module = types.ModuleType("page")
    monkeypatch.setitem(sys.modules, "page", module)  # so that what it defines can be pickled
    for block in re.findall(r"```python\n(.*?)```", page.read_text(), flags=re.DOTALL):
        exec(compile(block, page.name, "exec"), module.__dict__)
        shown = capsys.readouterr().out
        for said in re.findall(r"^print\(.*\)  # ([^:\n]*)", block, flags=re.MULTILINE):
            assert said in shown


@pytest.mark.parametrize("figure", ["neuron", "model", "qcgd", "cqm", "frontier", "crossing"])
def test_the_figures_are_drawn(figure: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib", reason="figures are drawn with the extra plot")
    monkeypatch.syspath_prepend(DOCS)
    import drawing

    assert figure in drawing.NAMES
    assert "</svg>" in drawing.draw(figure)


@pytest.mark.parametrize("page", [*PAGES, *AROUND], ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    if page.name == "CONTRIBUTING.md" and not (ROOT / "formulations" / "arrays.py").exists():
        pytest.skip("the packages are not in their new folders yet")
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        there = (page.parent / file).resolve() if file else page
        assert there.exists(), f"{target} leads nowhere"
        if anchor:
            assert anchor in anchors(there), f"{target}: no such heading"


def anchors(page: Path) -> set[str]:
    """Of a page's headings, as forges make them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


def test_every_page_is_in_the_contents() -> None:
    listed: set[Path] = {DOCS / "index.md"}
    for page in PAGES:
        for tree in re.findall(r"```{toctree}\n(.*?)```", page.read_text(), flags=re.DOTALL):
            for line in tree.splitlines():
                if line and not line.startswith(":"):
                    listed.add((page.parent / f"{line.split('<')[-1].rstrip('>')}.md").resolve())
    assert set(PAGES) <= listed


@pytest.mark.parametrize(
    ("page", "names"),
    [
        ("choose-a-solver.md", SOLVERS),
        ("choose-an-oracle.md", OURS),
        ("published-tables.md", vocabulary.TABLES),
    ],
    ids=["solvers", "oracles", "tables"],
)
def test_pages_have_every_name(page: str, names: Iterable[str]) -> None:
    text = (DOCS / page).read_text()
    assert [name for name in names if f"`{name}`" not in text] == []


def test_every_benchmark_is_in_their_readme() -> None:
    text = (ROOT / "benchmarks" / "README.md").read_text()
    assert [f.name for f in (ROOT / "benchmarks").rglob("*.py") if f.name not in text] == []
