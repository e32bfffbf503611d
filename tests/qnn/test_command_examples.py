"""Every ``qnn ...`` of help, README, docs and make file is carried out, as far as the work itself.

Files that an example reads are there, small ones; options that come after its own make it quick.
"""

from __future__ import annotations

import lzma
import re
import shlex
import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import dimod
import numpy as np
import pytest

from qnn.cli.main import cli, main
from tests.conftest import ROOT

Run = Callable[..., tuple[int, str, str]]
PAGES = [
    page
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("*/README.md")]
    if not {"_build", "copied"} & set(page.parts)
]

QUICK = {
    "train": ["--dry-run", "--search", "0"],
    "size": ["--search", "0", "--samples", "10"],
    "solve": ["--iterations", "2"],
    "resume": ["--time-limit", "60"],
    "verify": ["--time-limit", "0.1", "--first", "2"],
}
"""What makes a command quick; compare, frontier and reproduce are stopped where the work begins."""


def commands(text: str) -> list[str]:
    """The commands that begin a line of ``text``, after a prompt or not, or stand in ``$(...)``."""
    text = re.sub(r"\\\n\s*", " ", text)
    lines = re.findall(r"^\s*(?:\$ |\$\(BIN\)/)?(qnn .*)$", text, flags=re.MULTILINE)
    return [*lines, *re.findall(r"\$\((qnn [^)]*)\)", text)]


def words(command: str) -> list[str]:
    """The words of a command after ``qnn``, without comments and where its output goes."""
    found = shlex.split(command, comments=True)[1:]
    ends = [found.index(sign) for sign in ("|", ">>", ">", "&&") if sign in found]
    return found[: min(ends, default=len(found))]


def examples() -> list[Any]:
    """Every command, with the page that it is on."""
    texts = {f"{name} --help": command.epilog or "" for name, command in cli.commands.items()}
    texts["--help"] = cli.epilog or ""
    texts |= {str(page.relative_to(ROOT)): page.read_text() for page in [*PAGES, ROOT / "Makefile"]}
    said: dict[tuple[str, ...], str] = {}
    for page, text in texts.items():
        for command in commands(text):
            said.setdefault(tuple(words(command)), page)
    return [
        pytest.param(example, id=f"{page}: {' '.join(example)}") for example, page in said.items()
    ]


EXAMPLES = examples()


class Reached(BaseException):
    """The work would begin now."""


def begin(*given: object, **named: object) -> None:
    raise Reached


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every file that an example reads."""
    folder = tmp_path_factory.mktemp("stage")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        x, y = dimod.Binaries("xy")
        cqm = dimod.ConstrainedQuadraticModel()
        cqm.set_objective(x - 2 * y)
        cqm.add_constraint(x + y <= 1, label="one")
        with cqm.to_file() as file:
            Path("model.cqm").write_bytes(file.read())
        Path("model.lp").write_text(dimod.lp.dumps(cqm))
        Path("model.opb.xz").write_bytes(
            lzma.compress(b"min: +1 x1 -2 x2 ;\n-1 x1 -1 x2 >= -1 ;\n")
        )
        Path("model.mps").write_text(
            "ROWS\n N cost\n L one\nCOLUMNS\n x cost 1 one 1\n y cost -2 one 1\n"
            "RHS\n one 1\nBOUNDS\n BV b x\n BV b y\nENDATA\n"
        )
        Path("best.sol").write_text("x 0\ny 1\n")
        rows = [f"{i % 7},{i % 5},{'ab'[i % 2]}" for i in range(200)]
        for column in ("species", "kind"):
            Path(f"{column}.csv").write_text("\n".join([f"u,v,{column}", *rows]))
        images = np.random.default_rng(0).integers(0, 255, (1500, 784), dtype=np.uint8)
        digits = np.r_[np.arange(100) % 10, np.tile([2, 4], 700)]
        for name in ("mnist", "fashion"):
            np.savez(f"{name}.npz", X=images, y=digits)
        tiny = ["--samples", "20", "--solver", "annealing", "--flips", "50"]
        network = ["--save", "network.npz", "--json", "run.json"]
        one = [*tiny[:2], "--solvers", "annealing", "--seeds", "2", "--flips", "50"]
        for made in (
            ["train", "digits", "--levels", "4", *tiny, *network],
            ["train", "digits", *tiny, "--checkpoint", "run"],
            ["train", "digits:3,8", *tiny, "--weights", "ternary", "--constraint", "fan-in:6",
             "--save", "lut.npz"],
            ["compare", "digits:3,8", *one, "--keep", "runs", "--json", "results.json"],
        ):  # fmt: skip
            with pytest.raises(SystemExit) as ended:
                main(made)
            assert not ended.value.code
        shutil.copy("network.npz", "weights.npz")
        shutil.copy("network.npz", "small.npz")
    return folder


def test_there_are_examples_of_every_command() -> None:
    assert {example.values[0][0] for example in EXAMPLES} >= set(cli.commands)
    for name, command in cli.commands.items():
        assert any(words(line)[0] == name for line in commands(command.epilog or ""))


@pytest.mark.filterwarnings("ignore:.*unknown images")
@pytest.mark.parametrize("example", EXAMPLES)
def test_the_example_works(
    run: Run,
    example: tuple[str, ...],
    stage: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if {"--html", "--report"} & set(example) and find_spec("matplotlib") is None:
        pytest.skip("pages have pictures with the extra plot")
    if {"--onnx", "--qonnx"} & set(example) and find_spec("onnx") is None:
        pytest.skip("needs the extra onnx")
    shutil.copytree(stage, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("QNN_DATA", str(tmp_path))
    monkeypatch.setattr("qnn.compare.run", begin)
    monkeypatch.setattr("qnn.reproduce.reproduce", begin)
    monkeypatch.setattr("qnn.runs.frontier.frontier", begin)
    if example[0] in ("train", "compare") and example[1] == "data.csv":
        shutil.copy(f"{example[example.index('--target') + 1]}.csv", "data.csv")
        shutil.copy("data.csv", "tests.csv")
    (tmp_path / "results").mkdir(exist_ok=True)
    try:
        embedded = ["--search", "0"] if "--dry-run" in example else []
        code, _, err = run(*example, *QUICK.get(example[0], []), *embedded)
    except Reached:
        assert example[0] in ("compare", "frontier", "reproduce")
        return
    assert code == 0, err


def test_options_within_a_sentence_are_there() -> None:
    """``qnn train --save`` between backquotes is a command and options that it has."""
    for page in PAGES:
        for line in re.findall(r"`qnn ([a-z]+[^`]*)`", page.read_text()):
            name, *rest = line.split()
            assert name in cli.commands, f"{page.name}: qnn {line}"
            known = {
                word for p in cli.commands[name].params for word in [*p.opts, *p.secondary_opts]
            }
            given = {word for word in rest if word.startswith("--")}
            assert given <= known | {"--help"}, f"{page.name}: qnn {line}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_benchmarks_that_are_named_are_there(page: Path) -> None:
    for file, rest in re.findall(r"python (benchmarks/\w+\.py)([^`\n]*)", page.read_text()):
        source = (ROOT / file).read_text()
        for shared in re.findall(r"^from (\w+) import", source, flags=re.MULTILINE):
            beside = ROOT / "benchmarks" / f"{shared}.py"
            source += beside.read_text() if beside.exists() else ""
        for option in re.findall(r"--[a-z-]+", rest.split("#")[0]):
            assert f'"{option}"' in source, f"{file} has no {option}"
