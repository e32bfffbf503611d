"""Reports of answers to constrained models, from JSON that may be hostile."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from formulations.errors import QnnError
from qnn import report
from qnn.cli import main as cli
from tests.fuzzing import rewritten

OPB = "max: 3 x1 +2 x2 +4 ~x3 x1 x4 +1 x5 ;\n1 x1 1 x2 1 x4 1 x5 <= 3;\n1 x3 1 x1 1 x5 >= 1;\n"


@pytest.fixture(scope="module")
def answer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The JSON of two runs on a model that is maximised."""
    folder = tmp_path_factory.mktemp("answer")
    (folder / "small.opb").write_text(OPB)
    out = folder / "answer.json"
    with pytest.raises(SystemExit) as ended:
        cli.main(["solve", str(folder / "small.opb"), "--iterations", "5", "--workers", "2",
                  "--json", str(out)])  # fmt: skip
    assert not ended.value.code
    return out


def test_an_answer_is_told_in_the_sense_of_its_file(answer: Path) -> None:
    results = report.load(answer)
    page = report.markdown([results])
    assert "A feasible point has the objective 9." in page
    assert "| objective | 9 |" in page
    assert "| perturbation |" in page or "sources" not in results
    assert "| 1 | 9 |" in page  # the first run
    assert report.record([results])["runs"][0]["title"].startswith("Answer to")


def test_damaged_answers_are_shown_or_refused(answer: Path, tmp_path: Path) -> None:
    content, rng = json.loads(answer.read_text()), random.Random(0)
    path = tmp_path / "answer.json"
    refused = 0
    for _ in range(300):
        path.write_text(json.dumps(rewritten(rng, content, rng.choice([1, 1, 3]))))
        try:
            report.markdown([report.load(path)])
        except QnnError:
            refused += 1
    assert refused > 30


def test_answers_of_before_there_were_runs_and_senses_are_read(
    answer: Path, tmp_path: Path
) -> None:
    content = json.loads(answer.read_text())
    for name in ("sense", "runs", "trace", "sources", "gap", "bound", "lower_bound"):
        content.pop(name, None)
    path = tmp_path / "old.json"
    path.write_text(json.dumps(content))
    assert "Answer to" in report.markdown([report.load(path)])
