from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from formulations.errors import InvalidInputError, QnnError
from qnn.cli.main import cli
from qnn.reproduce import Report, ReproduceOptions, reproduce
from qnn.reproduce.data import available, split
from qnn.reproduce.report import Row, Table, finished, mean_row, verdict
from qnn.reproduce.show import drawn, markdown, record, remarks
from qnn.reproduce.work import processes
from qnn.runs.output import to_json

REPORT = Report(
    "made-up",
    "A method",
    "arXiv 0000.00000",
    (
        Table("Both", (Row("a", 1.0, 2.0), Row("b", 3.0, origin="measured")), "ten epochs"),
        Table("Ours alone", (Row("c", None, remark="no data"),)),
    ),
    ("The baseline is frozen.",),
)


def test_a_difference_is_ours_less_the_published_figure() -> None:
    assert Row("a", 1.0, 2.5).difference == -1.5
    assert Row("a", None, 2.5).difference is None
    assert Row("a", 1.0).difference is None
    assert Row("a", 1.0, 2.5, form="{:.1f}").cells() == [
        *["a", "2.5", "-", "1.0", "-", "-1.5", "not", ""]
    ]
    earlier = Row("a", 2.5, 2.5, form="{:.1f}", origin="measured").cells()
    assert earlier[1:3] == ["-", "2.5"]


def test_a_verdict_allows_one_unit_of_the_last_digit_or_twice_the_spread() -> None:
    assert Row("a", 65.79, 65.8).verdict == "found again"
    assert Row("a", 65.69, 65.8).verdict == "not"
    assert Row("a", 0.61459, 0.6145).verdict == "found again"
    assert Row("a", 64.0, 65.8, spread=1.0).verdict == "within the spread"
    assert Row("a", 63.7, 65.8, spread=1.0).verdict == "not"
    assert Row("a", -1.09, -1.0).verdict == "found again"
    assert Row("a", None, 65.8).verdict == "not run"
    assert Row("a", 1.0).verdict == ""


def test_the_page_begins_with_what_was_found_again() -> None:
    assert verdict(REPORT) == [
        "Published figures: 1 not found again.",
        "Furthest from it: a, 2.00 % published, 1.00 % here.",
    ]
    page = markdown(REPORT, ReproduceOptions())
    assert page.index("Furthest from it") < page.index("## Both")
    assert verdict(replace(REPORT, tables=()))[0].startswith("No published figure")


def test_a_figure_of_theory_does_not_count_as_published() -> None:
    row = Row("a", 99.996, 100.0, origin="theory")
    assert verdict(replace(REPORT, tables=(Table("t", (row,)),))) == [
        "Implied by theory: 1 found again."
    ]
    assert row.cells()[5] == "+0.00"


def test_a_mean_has_a_spread_if_there_are_several_seeds() -> None:
    assert mean_row("a", [1.0, 3.0]).spread == pytest.approx(np.sqrt(2))
    assert mean_row("a", [1.0]).spread is None


def test_the_page_has_every_figure_and_every_remark() -> None:
    page = markdown(REPORT, ReproduceOptions(seed=7))
    assert "| a | 2.00 % | 1.00 % | -1.00 | not |" in page
    assert "| c | no data |" in page
    assert "- The baseline is frozen." in page
    assert "ten epochs" in page
    assert "Quick form, seed 7." in page
    assert [table.title for table in drawn(REPORT)] == ["Both", "Ours alone"]
    assert remarks(REPORT) == "- The baseline is frozen."


def test_the_record_is_json_with_differences() -> None:
    kept = json.loads(to_json(record(REPORT, ReproduceOptions(full=True))))
    assert kept["form"] == "full"
    assert kept["tables"][0]["rows"][0]["difference"] == -1.0
    assert kept["tables"][0]["rows"][1]["origin"] == "measured"
    assert kept["remarks"] == ["The baseline is frozen."]


def rows(until: int) -> Iterator[Row]:
    """Rows without end, and Ctrl-C."""
    for number in count():
        if number == until:
            raise KeyboardInterrupt
        yield Row(str(number), float(number))


def test_ctrl_c_keeps_the_rows_that_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    def made_up(until: int) -> Report:
        return replace(REPORT, tables=(REPORT.tables[0], Table("long", rows(until))))

    kept = finished(made_up(3))
    assert [len(list(table.rows)) for table in kept.tables] == [2, 3]
    assert "Interrupted" in markdown(kept, ReproduceOptions())
    assert record(kept, ReproduceOptions())["interrupted"]
    assert [table.title for table in finished(made_up(0)).tables] == ["Both"]
    with pytest.raises(KeyboardInterrupt):
        finished(replace(REPORT, tables=(Table("none", rows(0)),)))


def test_processes_give_the_same_answers_in_the_same_order() -> None:
    with processes(2) as mapped:
        assert list(mapped(divmod, [(n, 3) for n in range(20)])) == [
            divmod(n, 3) for n in range(20)
        ]
    with pytest.raises(QnnError, match="fewer workers"), processes(2) as mapped:
        list(mapped(os._exit, [(1,)]))
    with pytest.raises(InvalidInputError, match="workers=0"), processes(0):
        pass


def test_unknown_names_and_seeds_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="published table 'manifolds'"):
        reproduce("manifolds")
    with pytest.raises(InvalidInputError, match="seed"):
        ReproduceOptions(seed=-1)


def test_a_split_is_drawn_by_the_seed_and_keeps_every_sample() -> None:
    parts, again = (split("digits", ReproduceOptions(seed=3)) for _ in range(2))
    assert len(parts.X_train) + len(parts.X_test) == 1797
    assert (parts.X_train == again.X_train).all()
    other = split("digits", ReproduceOptions(seed=4))
    assert (parts.y_test != other.y_test).any()
    few = split("digits", ReproduceOptions(seed=3), train=50)
    assert (few.X_train == parts.X_train[:50]).all()
    assert (few.X_test == parts.X_test).all()


def test_of_several_folders_the_one_with_most_samples_is_taken(tmp_path: Path) -> None:
    for name, size in (("few", 4), ("many", 9)):
        folder = tmp_path / name
        folder.mkdir()
        np.savez(folder / "mnist.npz", X=np.zeros((size, 4)), y=np.arange(size) % 2)
    folders = [str(tmp_path / name) for name in ("nowhere", "few", "many")]
    parts = split("mnist", ReproduceOptions(data_dirs=folders), test_share=1 / 3)
    assert (len(parts.X_train), len(parts.X_test), parts.num_classes) == (6, 3, 2)


def test_the_command_prints_and_writes_every_figure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[ReproduceOptions] = []

    def made_up(options: ReproduceOptions) -> Report:
        options.progress("something")
        asked.append(options)
        return REPORT

    monkeypatch.setattr("qnn.reproduce.REPRODUCTIONS", {"made-up": made_up})
    page, values = tmp_path / "page.md", tmp_path / "values.json"
    words = ["reproduce", "made-up", "--full", "--seed", "3", "--data-dir", "a", "--data-dir", "b"]
    result = CliRunner().invoke(cli, [*words, "--report", str(page), "--json", str(values)])
    assert result.exit_code == 0, result.output
    assert (asked[0].full, asked[0].seed, tuple(asked[0].data_dirs)) == (True, 3, ("a", "b"))
    assert "-1.00" in result.output
    assert "The baseline is frozen." in result.output
    assert "| a | 2.00 % | 1.00 % | -1.00 | not |" in page.read_text()
    assert json.loads(values.read_text())["tables"][0]["rows"][0]["ours"] == 1.0
    alone = CliRunner().invoke(cli, ["reproduce", "made-up", "--json", "-"])
    assert json.loads(alone.stdout)["name"] == "made-up"


def test_missing_data_say_what_to_do(tmp_path: Path) -> None:
    options = ReproduceOptions(data_dirs=[str(tmp_path)])
    assert not available("mnist", options)
    with pytest.raises(InvalidInputError, match="--data-dir"):
        split("mnist", options)
