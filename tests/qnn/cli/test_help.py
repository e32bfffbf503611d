"""What the command line says of itself: help, lists of names, completion, the nearest name."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.shell_completion import get_completion_class

from qnn.cli import main as cli
from qnn.cli import vocabulary
from qnn.cli.commands.completion import SHELLS

Run = Callable[..., tuple[int, str, str]]
COMMANDS = list(cli.cli.commands)
NO_SEED = {"list", "completion", "report", "export", "predict"}
HEAVY = (
    "numpy",
    "scipy",
    "sklearn",
    "numba",
    "dimod",
    "rich",
    "solvers.oracles.base",
    "solvers.run.run",
    "formulations.network.network",
)


# -- help ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [None, *COMMANDS])
def test_help_fits_a_terminal(run: Run, command: str | None) -> None:
    code, out, _ = run(*([command] if command else []), "--help")
    assert code == 0
    assert max(map(len, out.splitlines())) <= 80
    assert "..." not in out.partition("Commands:")[2].partition("Exit codes")[0]
    assert " TEXT" not in out  # an option says what it takes: a FILE, a NAME
    if command is not None:
        assert "Examples:" in out
        assert "--json" in out
        assert command in NO_SEED or "--seed N" in out
        assert "--seed" in out or command == "export"


@pytest.mark.parametrize(
    ("words", "may"),
    [
        (["--help"], ()),
        (["train", "--help"], ()),
        (["completion", "zsh"], ()),
        (["list"], ("numpy", "rich")),
    ],
)
def test_help_and_lists_load_nothing_heavy(words: list[str], may: tuple[str, ...]) -> None:
    heavy = [name for name in HEAVY if name not in may]
    script = (
        "import sys\nfrom qnn.cli import main as cli\ntry:\n    cli.main(sys.argv[1:])\n"
        "except SystemExit:\n"
        f"    print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script, *words], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


def test_names_of_help_are_those_of_the_tables() -> None:
    from formulations.network.codes import code
    from formulations.network.losses import loss
    from formulations.network.network import activation
    from formulations.neurons import ENCODINGS
    from qnn.data.images import IMAGES
    from qnn.data.sources import BUNDLED
    from qnn.reproduce import REPRODUCTIONS

    assert list(vocabulary.DATA) == [*BUNDLED, *IMAGES]
    assert list(vocabulary.ENCODINGS) == list(ENCODINGS)
    assert list(vocabulary.TABLES) == list(REPRODUCTIONS)
    for name in vocabulary.ACTIVATIONS:
        spec = name.replace("BITS", "8")
        assert activation(spec).name == spec
    for name in vocabulary.LOSSES:
        spec = name.replace("MARGIN", "2.5").replace("SCALE", "2.5")
        assert loss(spec).name in (spec, f"{spec}:auto")
    for name in vocabulary.WEIGHTS:
        spec = name.replace("BITS", "8").replace("VALUES", "-1,0.5,2")
        assert code(spec).name == spec


# -- names -----------------------------------------------------------------------------------------


def test_list_says_the_options_of_an_oracle(run: Run) -> None:
    code, out, err = run("list", "oracles", "--json", "-")
    assert (code, err) == (0, "")
    oracles = {entry["name"]: entry for entry in json.loads(out)["oracles"]}
    assert oracles["annealer"]["options"]["sweeps"] == "500"
    assert oracles["mock-qpu"]["options"] == {"reads": "100", "graph": "'P16'"}
    assert "straight-through" in run("list")[1]


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("trian digits", "train"),
        ("train digits --itertions 5", "--iterations"),
        ("train digit", "digits"),
        ("train digits:3,8 --solver qcdg", "qcgd"),
        ("train digits:3,8 --oracle anealer", "annealer"),
        ("train digits:3,8 --oracle-option read=5", "reads"),
        ("train digits:3,8 --oracle mock-qpu --oracle-option grph=P4", "graph"),
        ("train digits:3,8 --oracle qpu --oracle-option embedding=cliqe", "clique"),
        ("train digits:3,8 --activation sing", "sign"),
        ("train digits:3,8 --loss hing", "hinge"),
        ("train digits:3,8 --weights bipolr", "bipolar"),
        ("train digits:3,8 --bias ternery", "ternary"),
        ("train digits:3,8 --encoding onehot", "one-hot"),
        ("train species.csv --target specis", "species"),
        ("train speces.csv", "species.csv"),
        ("train iris:0,versicolour", "0, 1, 2"),
        ("compare digits:3,8 --solvers qcgd,anealing", "annealing"),
        ("compare digits:3,8 --equal secnds", "seconds"),
        ("reproduce rdma", "rmda"),
        ("list oracle", "oracles"),
        ("completion bsh", "bash"),
        ("size 16-4-1 --loss hing", "hinge"),
        ("export network.npz --inputs rw", "raw"),
    ],
)
def test_the_nearest_name(
    run: Run, wrong: str, right: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "species.csv").write_text("a,b,species\n1,2,x\n3,4,y\n")
    code, out, err = run(*wrong.split())
    assert (code, out) == (2, "")
    assert right in err.splitlines()[-1]
    assert "Traceback" not in err


# -- completion ------------------------------------------------------------------------------------


def completions(*words: str, shell: str = "bash") -> list[Any]:
    """What completes the last word."""
    kind: Any = get_completion_class(shell)
    found = kind(cli.cli, {}, "qnn", "_QNN_COMPLETE").get_completions(list(words[:-1]), words[-1])
    return [item.value if item.type == "plain" else item.type for item in found]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("tr", ["train"]),
        ("train --it", ["--iterations"]),
        ("train di", ["file", "digits"]),
        ("train digits --solver an", ["annealing"]),
        ("train digits --oracle mock", ["mock-qpu", "mock-hybrid"]),
        ("train digits --oracle tabu --oracle-option re", ["reads=", "restarts="]),
        ("train digits --activation s", ["sign", "sigmoid"]),
        ("train digits --weights t", ["ternary"]),
        ("train digits --bias s", ["same"]),
        ("train digits --loss h", ["hinge", "hinge:"]),
        ("train digits --encoding o", ["one-hot"]),
        ("train digits --json r", ["file"]),
        ("train digits --checkpoint r", ["dir"]),
        ("compare wi", ["file", "wine"]),
        ("compare digits wi", ["file", "wine"]),
        ("compare digits --solvers qcgd,rm", ["qcgd,rmda"]),
        ("compare digits --solvers rmda,rm", []),
        ("compare digits --equal se", ["seconds"]),
        ("solve m", ["file"]),
        ("resume r", ["dir"]),
        ("reproduce s", ["svi"]),
        ("list o", ["oracles"]),
        ("completion f", ["fish"]),
    ],
)
def test_completion(words: str, found: list[str]) -> None:
    assert completions(*words.split()) == found


@pytest.mark.parametrize("shell", SHELLS)
def test_completion_prints_the_script_of_click(run: Run, shell: str) -> None:
    code, out, err = run("completion", shell)
    assert (code, err) == (0, "")
    assert "_QNN_COMPLETE" in out


def test_completion_in_bash(tmp_path: Path) -> None:
    """The function that the script defines, called as the TAB key calls it."""
    qnn = tmp_path / "qnn"
    qnn.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m qnn "$@"\n')
    qnn.chmod(0o755)
    script = (
        'eval "$(qnn completion bash)"\n'
        "COMP_WORDS=(qnn compare digits --solvers qcgd,an) COMP_CWORD=4\n"
        '_qnn_completion qnn\necho "${COMPREPLY[@]}"\ncomplete -p qnn\n'
    )
    here = {**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    here["PYTHONPATH"] = str(Path(cli.__file__).parents[1])
    done = subprocess.run(
        ["bash", "--norc", "-c", script], capture_output=True, text=True, env=here, timeout=60
    )
    assert done.stdout.splitlines() == [
        "qcgd,annealing",
        "complete -o nosort -F _qnn_completion qnn",
    ], done.stderr


def test_a_group_keeps_the_order_of_its_commands() -> None:
    context = click.Context(cli.cli)
    assert cli.cli.list_commands(context)[:3] == ["train", "resume", "compare"]
