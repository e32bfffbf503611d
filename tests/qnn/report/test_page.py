"""The page itself: whole, safe, small, the same each time; Markdown and JSON beside it."""

from __future__ import annotations

import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from formulations.errors import FileAccessError, InvalidInputError, MissingExtraError
from qnn import report
from qnn.cli.commands.report import report as command
from qnn.report.page import parts
from qnn.runs.output import to_json
from tests.conftest import ROOT
from tests.qnn.report.results import comparison, large, of_cells, outcome, reference

SOLVERS = {
    "qcgd": [5.0, 6.0, 7.0],
    "penalty 0.3": [6.0, 7.0, 9.0],
    "penalty 1": [8.0, 7.0, 8.0],
    "hedging": [9.0, None, 8.0],
}
VOID = {"meta", "br"}


class Checked(HTMLParser):
    """Reads a page and keeps its elements; refuses tags that do not match."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)
        assert not self.open, self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def page() -> str:
    pytest.importorskip("matplotlib")
    cells = comparison(SOLVERS)["cells"]
    return report.html([of_cells([*cells, *(reference("digits:3,8", s) for s in range(3))])])


def test_the_page_is_whole_and_needs_nothing_else(page: str) -> None:
    seen = Checked(page).seen
    ids = [attributes["id"] for _, attributes in seen if "id" in attributes]
    assert len(ids) == len(set(ids))
    for tag, attributes in seen:
        assert tag not in ("script", "link", "img", "iframe")
        for name in ("src", "href", "xlink:href"):
            assert (attributes.get(name) or "#").startswith("#")
    referred = re.findall(r'(?:href="|url\()#([^")]+)', page)
    assert set(referred) <= set(ids)
    assert "http" not in re.sub(r'xmlns(:xlink)?="[^"]*"', "", page)


def test_charts_have_words_and_the_page_s_colors(page: str) -> None:
    charts = re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL)
    titles = [re.search(r"<title[^>]*>(.*?)</title>", chart)[1] for chart in charts]  # type: ignore[index]
    assert [title.split(",")[0] for title in titles] == [
        "Training loss over time",
        "Time to target",
        "Test accuracy and stored bits",
        "Residuals of qcgd",
        "Multipliers of qcgd",
        "Consensus of hedging",
        "Loss and bound of hedging",
    ]
    for chart in charts:
        assert 'role="img"' in chart
        assert "<desc" in chart
        assert ">seconds</text>" in chart or ">round</text>" in chart or "stored bits" in chart
        assert not re.search(r"#[0-9a-f]{6}\b", chart)  # no color but the page's
        assert "font-family" not in chart
    assert "var(--c0)" in charts[0]


def test_solvers_that_are_equal_stand_out_together() -> None:
    equal = {"exact": [3.0, 5.0, 9.0], "qcgd": [9.0, 3.0, 5.0], "random": [5.0, 3.0, 9.5]}
    (part,) = parts([comparison({"iris": equal, "wine": {**equal, "random": [1.0, 5.0, 7.0]}})])
    overview, iris, wine, *_ = part.sections
    assert [row.best for row in overview.tables[1].rows] == [(1, 2), (3,)]
    assert [row.best for row in iris.tables[0].rows] == [(1,), (1,), ()]
    assert wine.line == "least median training loss: random, 5"
    assert wine.tables[1].columns[0] == "random against"
    assert [row.cells[0] for row in wine.tables[1].rows] == ["exact", "qcgd"] * 2


def test_tables_have_headers_with_a_scope(page: str) -> None:
    heads = [attributes for tag, attributes in Checked(page).seen if tag == "th"]
    assert heads
    assert {attributes.get("scope") for attributes in heads} == {"col", "row"}


def test_the_same_results_are_the_same_page() -> None:
    pytest.importorskip("matplotlib")
    results = comparison({"qcgd": [5.0, 6.0], "random": [7.0, 8.0]})
    assert report.html([results]) == report.html([results])


def test_names_and_errors_are_text_and_not_markup() -> None:
    pytest.importorskip("matplotlib")
    bad = "<script>alert(1)</script>|&\n"
    cells = [outcome(bad, "qcgd", 0, 5.0), outcome(bad, "random", 0, None, error=bad)]
    results = of_cells(cells, command=bad)
    page = report.html([results])
    assert "<script" not in page
    Checked(page)
    for line in report.markdown([results]).splitlines():
        if line.startswith("| random | 0 |"):
            assert r"&lt;/script>\|&\\n" in line


def test_a_large_comparison_stays_small() -> None:
    pytest.importorskip("matplotlib")
    five = report.html([large(5, 8)])
    assert len(five) < 2_000_000
    many = report.html([large(45, 1)])
    assert len(many) < 2_000_000
    assert many.count("<svg") <= 4
    assert five.count("<svg") > 4


def test_several_runs_are_one_page() -> None:
    pytest.importorskip("matplotlib")
    training = report.load(ROOT / "tests" / "fixtures" / "training-v1.json")
    page = report.html([training, comparison({"qcgd": [5.0], "random": [6.0]}), training])
    seen = Checked(page).seen
    assert page.count("<article") == 3
    ids = [attributes["id"] for _, attributes in seen if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {"run-1", "run-2", "run-3"} <= set(ids)


@pytest.mark.parametrize(
    "results",
    [
        comparison({"qcgd": [None, None]}),
        comparison({"qcgd": [5.0]}),
        of_cells([reference("iris", 0)]),
        of_cells([outcome("iris", "qcgd", 0, 0.0, trace=None, history=None, ledger=None)]),
        of_cells([outcome("iris", "qcgd", 0, 3.0, test_accuracy=None, stored_bits=None)]),
    ],
)
def test_there_is_a_page_where_there_is_little_to_show(results: dict[str, Any]) -> None:
    pytest.importorskip("matplotlib")
    Checked(report.html([results]))
    assert "What cannot" in report.markdown([results])


def test_without_matplotlib_only_html_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    results = comparison({"qcgd": [5.0]})
    with pytest.raises(MissingExtraError, match=r"qnn-ising\[plot\]"):
        report.check_place(str(tmp_path / "report.html"))
    with pytest.raises(MissingExtraError, match="Markdown or JSON"):
        report.html([results])
    report.write(str(tmp_path / "report.md"), [results])
    assert (tmp_path / "report.md").read_text().startswith("# 1 solver on digits:3,8")
    assert report.record([results])["runs"][0]["conclusions"]["cannot"]


def test_a_place_for_a_report_is_checked_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"ends in \.html or \.md"):
        report.check_place(str(tmp_path / "report.pdf"))
    with pytest.raises(FileAccessError, match="is not a folder"):
        report.check_place(str(tmp_path / "no" / "report.md"))


def test_the_command_writes_every_form(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    run = tmp_path / "run.json"
    run.write_text(to_json(comparison({"qcgd": [5.0, 6.0], "random": [7.0, 8.0]})))
    forms = {form: tmp_path / f"report.{form}" for form in ("html", "markdown", "json")}
    words = [word for form, path in forms.items() for word in (f"--{form}", str(path))]
    done = CliRunner().invoke(command, [str(run), *words], catch_exceptions=False)
    assert done.exit_code == 0
    assert "What cannot" in done.output
    assert f"written: {forms['html']}" in done.output
    assert forms["html"].read_text().startswith("<!doctype html>")
    assert forms["markdown"].read_text().startswith("# 2 solvers on digits:3,8")
    written = json.loads(forms["json"].read_text())
    assert written["runs"][0]["results"]["cells"][0]["train_loss"] == 5.0
    alone = CliRunner().invoke(command, [str(run), "--json", "-"], catch_exceptions=False)
    assert json.loads(alone.output)["kind"] == "report"


def test_the_best_reference_stands_in_the_verdict_and_in_the_paired_tests() -> None:
    cells = comparison({"iris": {"qcgd": [5.0, 6.0, 8.0], "penalty 1": [7.0] * 3}})["cells"]
    cells += [reference("iris", seed) for seed in range(3)]
    text = report.markdown([of_cells(cells)])
    assert "Most accurate on test samples: logistic-regression (0.931), with real weights" in text
    assert "| logistic-regression against |" in text
