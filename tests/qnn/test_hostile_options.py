"""Every command is given bad values for each of its options and arguments: each is met in one line.

The commands are those that click knows, so that a new option is tried without a word here.  Real
work is stopped where it begins; what comes before is carried out.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

import click
import dimod
import pytest

from qnn.cli import interrupts
from qnn.cli.main import cli, main

Run = Callable[..., tuple[int, str, str]]

TINY = ["--samples", "10", "--hidden", "1", "--iterations", "1", "--reads", "1", "--sweeps", "1"]
BASES = {
    "train": ["iris:0,1", *TINY, "--dry-run", "--search", "0"],
    "resume": ["run"],
    "compare": ["iris:0,1", *TINY, "--solvers", "annealing,qcgd"],
    "frontier": ["iris:0,1", "--samples", "20", "--kib", "0.02"],
    "predict": ["network.npz", "iris:0,1"],
    "test": ["network.npz", "iris:0,1"],
    "verify": ["network.npz", "iris:0,1"],
    "report": ["results.json"],
    "export": ["network.npz"],
    "size": ["2-1", "--samples", "3", "--search", "0"],
    "solve": ["model.lp", "--dry-run", "--search", "0"],
    "reproduce": ["svi"],
    "list": ["data"],
    "completion": ["bash"],
}
"""What each command is called with, beside the value that is tried."""

NUMBERS = [
    "", "-1", "0", "1e3", "1.5", "nan", "inf", "1e400", "9" * 19, "9" * 30, "9" * 5000, "2 3",
    "0x1", "--seed", "None",
]  # fmt: skip
TEXTS = [
    "", " ", ",", "4,", "4x", "1,1", "0-0", "-1-1", "é", "\x1b[31m", "a\nb", "\udcff", "-", "--",
    "x" * 10_000, "@file", "*", "~", "=", "a=b", "=1", "reads=NaN", "reads=0", "reads=true",
    "reads=" + "[" * 5000, "beta_range=[1]", "codebook:", "codebook:1,1", "codebook:nan,1",
    "codebook:1e300,1", "uniform:0", "uniform:" + "9" * 30, "hinge:nan", "hinge:-1", "a:b:c", ":",
    "pairs", "1-" * 500 + "1",
]  # fmt: skip
FILES = [".", "/", "fifo", "missing/file", "/dev/null", "/dev/full", "/dev/zero", "text", "empty",
         "\0", "text/file", "y" * 300, "locked"]  # fmt: skip
CODES = {0, 2, interrupts.INTERRUPTED}


class Reached(BaseException):
    """The work would begin now."""


def begin(*given: object, **named: object) -> None:
    raise Reached


def values(parameter: click.Parameter, rng: random.Random) -> list[str]:
    """Bad values, most of them of the kind that the parameter takes."""
    if parameter.type in (click.INT, click.FLOAT):
        return [*rng.sample(NUMBERS, 8), *rng.sample(TEXTS, 2)]
    if parameter.metavar in ("FILE", "FOLDER") or isinstance(parameter, click.Argument):
        return [*FILES, *rng.sample(TEXTS, 8), *rng.sample(NUMBERS, 2)]
    return [*rng.sample(TEXTS, 10), *rng.sample(NUMBERS, 2)]


def cases(name: str) -> list[list[str]]:
    """The arguments of every call of a command."""
    rng, base = random.Random(name), BASES[name]
    found = []
    for parameter in cli.commands[name].params:
        if isinstance(parameter, click.Argument):
            found += [[value, *base[1:]] for value in values(parameter, rng)]
            found.append(base[1:])
        elif not parameter.is_flag:
            word = parameter.opts[0]
            found += [[*base, f"{word}={value}"] for value in values(parameter, rng)]
            found += [[*base, word], [*base, word, "1", word, "2"], [*base, word[:-1], "1"]]
        else:
            found += [[*base, f"{parameter.opts[0]}=x"], [*base, *parameter.opts, *parameter.opts]]
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the base calls read, and with what is no file."""
    place = tmp_path_factory.mktemp("hostile")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        tiny = ["iris:0,1", *TINY, "--flips", "10"]
        kept = ["--solver", "annealing", "--save", "network.npz", "--checkpoint", "run"]
        compared = ["--solvers", "annealing", "--seeds", "1", "--json", "results.json"]
        for made in (["train", *tiny, *kept], ["compare", *tiny, *compared]):
            with pytest.raises(SystemExit) as ended:
                main(made)
            assert not ended.value.code
        x, y = dimod.Binaries("xy")
        cqm = dimod.ConstrainedQuadraticModel()
        cqm.add_constraint(x + y <= 1, label="one")
        Path("model.lp").write_text(dimod.lp.dumps(cqm))
        Path("text").write_text("no model")
        Path("empty").touch()
        os.mkfifo("fifo")
        Path("locked").mkdir(mode=0)
    return place


def test_every_command_has_a_base_call() -> None:
    assert set(BASES) == set(cli.commands)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", BASES)
def test_hostile_values(
    name: str,
    run: Run,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for link in folder.iterdir():  # what a call writes stays here
        (tmp_path / link.name).symlink_to(link)
    monkeypatch.chdir(tmp_path)
    for work in ("qnn.runs.training.train", "qnn.runs.frontier.frontier", "qnn.compare.run",
                 "qnn.reproduce.reproduce", "qnn.runs.dry_run.of_network", "qnn.export.export",
                 "qnn.verification.decide",
                 "solvers.footprint.first_qubo",
                 "solvers.footprint.Footprint.of",
                 "solvers.footprint.Footprint.by_formula"):  # fmt: skip
        monkeypatch.setattr(work, begin)
    monkeypatch.setattr("qnn.report.html", lambda results: "a page")
    monkeypatch.setattr("qnn.data.images.fetch_openml", begin, raising=False)
    monkeypatch.setenv("QNN_DATA", str(folder))  # nothing is fetched
    for words in cases(name):
        try:
            code, _, err = run(name, *words)
        except Reached:
            capsys.readouterr()
            continue
        shown = [f"{word[:60]}..." if len(word) > 60 else word for word in words]
        assert code in CODES, (shown, err)
        assert (code == 2) == err.startswith("qnn: error: "), (shown, err)
        assert err.count("qnn: error") <= 1, (shown, err)
        assert "\x1b" not in err, (shown, err)
