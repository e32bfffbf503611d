"""The command line: what it prints and writes, and that bad input ends in one clear line."""

from __future__ import annotations

import csv
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from formulations.errors import OracleError
from qnn.cli import console
from qnn.runs import solver_table, training
from qnn.runs.solver_options import SolverOptions
from qnn.runs.training import DataOptions, ModelOptions
from solvers.oracles import Annealer

QUICK = ["--inputs", "4", "--samples", "20", "--hidden", "2", "--iterations", "3"]
QUICK += ["--reads", "2", "--sweeps", "20", "--flips", "500"]
PROMISED = [
    "train_loss",
    "train_accuracy",
    "test_accuracy",
    "weight_bits",
    "num_variables",
    "oracle_calls",
    "oracle_seconds",
    "seconds",
    "status",
    "seed",
    "solver",
]

Outcome = tuple[int, str, str]
Run = Callable[..., Outcome]


def qnn(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run ``qnn`` as a process of its own."""
    command = [sys.executable, "-m", "qnn", *map(str, arguments)]
    return subprocess.run(command, text=True, stderr=subprocess.PIPE, timeout=120, **options)


# -- what works --------------------------------------------------------------------------------


@pytest.mark.parametrize("solver", list(solver_table.SOLVERS))
def test_train_reports_what_is_promised(run: Run, solver: str) -> None:
    code, out, err = run("train", "digits:3,8", *QUICK, "--solver", solver, "--json", "-")
    assert (code, err) == (0, "")
    record = json.loads(out)
    assert set(PROMISED) <= record.keys()
    assert record["solver"] == solver
    assert record["weight_bits"] == 4 * 2 + 2
    assert 0 <= record["train_accuracy"] <= 1
    again = json.loads(run("train", "digits:3,8", *QUICK, "--solver", solver, "--json", "-")[1])
    assert again["train_loss"] == record["train_loss"]
    assert again["test_accuracy"] == record["test_accuracy"]


@pytest.mark.parametrize("solver", list(solver_table.SOLVERS))
def test_a_time_limit_however_short_leaves_an_answer(run: Run, solver: str) -> None:
    options = [*QUICK, "--iterations", "1000", "--solver", solver, "--json", "-"]
    options += ["--time-limit", "1e-9"]
    code, out, err = run("train", "digits:3,8", *options)
    assert code == 0
    assert err == "" or err.startswith("qnn: stopped: ")  # where there was no time for a model
    assert json.loads(out)["status"] == "time limit"


def test_train_prints_a_table_and_writes_the_file(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "run.json"
    code, out, _ = run("train", "digits:3,8", *QUICK, "--json", file, "--seed", "3")
    assert code == 0
    assert "train loss" in out
    assert json.loads(file.read_text())["seed"] == 3
    assert os.listdir(tmp_path) == ["run.json"]


def test_train_on_a_file_of_three_classes_and_save(run: Run, tmp_path: Path) -> None:
    from formulations.files.saved import load_weights

    rng = np.random.default_rng(0)
    path = tmp_path / "[bold] :warning:.csv"
    with open(path, "w", newline="") as file:
        rows = [[*rng.normal(c, 1, 3).round(3), "abc"[c]] for c in range(3) for _ in range(12)]
        csv.writer(file).writerows([["u", "v", "w", "label"], *rows])
    options = [*QUICK[2:], "--levels", "3", "--save", tmp_path / "w.npz", "--json", "-"]
    code, out, err = run("train", path, *options)
    assert (code, err) == (0, "")
    title = run("train", path, *options[:-2])[1]
    assert "[bold]:warning:.csv" in "".join(title.split())  # it may be wrapped
    record = json.loads(out)
    assert record["widths"] == [3, 2, 3]
    assert record["classes"] == ["a", "b", "c"]
    network, weights = load_weights(tmp_path / "w.npz")
    assert list(network.widths) == [3, 2, 3]
    assert weights.matrices[0].shape == (2, 3)


def test_compare_writes_results_and_report(run: Run, tmp_path: Path) -> None:
    options = ["--seeds", 2, "--solvers", "qcgd,penalty,annealing", "--penalties", "0.5,2"]
    files = ["--json", tmp_path / "r.json", "--report", tmp_path / "r.md"]
    code, out, err = run("compare", "digits:3,8", *QUICK, *options, *files)
    assert (code, err) == (0, "")
    results = json.loads((tmp_path / "r.json").read_text())
    assert len(results["cells"]) == results["planned"] == 2 * (1 + 2 + 1)
    assert not results["interrupted"]
    (summary,) = results["summary"]
    assert [row["name"] for row in summary["rows"]] == [
        "qcgd",
        "penalty, best of 2",
        "penalty 0.5",
        "penalty 2",
        "annealing",
    ]
    report = (tmp_path / "r.md").read_text()
    for row in summary["rows"]:
        assert row["name"] in out
        assert row["name"] in report


def test_size_of_thresholds_and_levels_that_follow_from_the_inputs(run: Run) -> None:
    command = ["size", "6-3-3", "--samples", "5", "--bias", "auto", "--activation", "relu:2"]
    code, out, err = run(*command, "--loss", "multi-hinge", "--search", "0", "--json", "-")
    assert (code, err) == (0, "")
    record = json.loads(out)
    assert record["stored_bits"] > 6 * 3 + 3 * 3
    assert record["loss_error_bound"] == record["output_error_bound"] == 0


def test_size_needs_no_data(run: Run) -> None:
    command = ["size", "16-4-1", "--samples", "1000", "--bias", "same"]
    code, out, _ = run(*command, "--json", "-")
    assert code == 0
    assert json.loads(out)["num_variables"] == 32073
    assert "32,073" in run(*command)[1]


def test_as_a_process_only_json_is_on_standard_output() -> None:
    done = qnn("train", "digits:3,8", *QUICK, "--json", "-", stdout=subprocess.PIPE)
    assert done.returncode == 0, done.stderr
    assert set(PROMISED) <= json.loads(done.stdout).keys()


# -- what is refused: one line on standard error, exit code 2, nothing written ------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "digts"], "Did you mean 'digits'"),
        (["train", "digits:3,42"], "no class '42'"),
        (["train", "nothing.npz"], "'nothing.npz' does not exist"),
        (["train", "mnist", "--data-dir", "/nowhere"], "'/nowhere' does not exist: put mnist.npz"),
        (["train", "digits", "--samples", "-5"], "samples=-5"),
        (["train", "digits", "--samples", "99999"], "has 1797 to train on"),
        (["train", "digits", "--inputs", "17"], "can be pooled to 1, 4, 16, 64"),
        (["train", "digits", "--levels", "one"], "levels='one'"),
        (["train", "digits", "--levels", "1"], "levels=1"),
        (["train", "digits", "--levels", "99999999999"], "from 2 to 1,024, or 'keep'"),
        (["train", "digits", "--hidden", "99999999999"], "width of a hidden layer=99999999999"),
        (["train", "digits:3,8", "--weights", "codebook:1,1e30"], "times their common step"),
        (["train", "digits:3,8", "--weights", "codebook:1,inf"], "expected a finite number"),
        (["train", "digits:3,8", "--checkpoint-every", "nan"], "checkpoint_every=nan"),
        (["train", "digits:3,8", "--search", "-1"], "search=-1.0"),
        (["train", "digits:3,8", "--oracle-timeout", "0"], "oracle_timeout=0.0"),
        (["train", "digits:3,8", "--budget-calls", "-1"], "budget_calls=-1"),
        (["train", "digits:3,8", "--budget-charged", "nan"], "budget_charged=nan"),
        (["train", ""], "data='': expected a name or a path"),
        (["train", ":3"], "no name"),
        (["train", "."], "'.' is a folder: give the path of a CSV, NPZ or IDX file"),
        (["train", "digits:3,8", "--solver", ""], "unknown solver ''"),
        (["train", "digits:3,8", "--hidden", ""], "layers ''"),
        (["train", "digits:3,8", "--save", "."], "it is a folder"),
        (["train", "wine", "--levels", "keep"], "is not an integer"),
        (["train", "digits", "--seed", "-1"], "seed=-1"),
        (["train", "digits", "--hidden", "0"], "width of a hidden layer=0"),
        (["train", "digits", "--hidden", "five"], "layers 'five'"),
        (["train", "digits:3,8", "--activation", "sing"], "Did you mean 'sign'"),
        (["train", "digits:3,8", "--weights", "binary"], "unknown weight code 'binary'"),
        (["train", "digits:3,8", "--weights", "uniform:99"], "from 1 to 8"),
        (["train", "digits:3,8", "--bias", "yes"], "unknown weight code 'yes'"),
        (["train", "digits:3,8", "--loss", "hing"], "Did you mean 'hinge'"),
        (["train", "digits:3,8", "--encoding", "onehot"], "Did you mean 'one-hot'"),
        (["train", "digits:3,8", "--solver", "qcdg"], "Did you mean 'qcgd'"),
        (["train", "digits:3,8", "--reads", "0"], "reads=0"),
        (["train", "digits:3,8", "--sweeps", "0"], "sweeps=0"),
        (["train", "digits:3,8", "--threads", "0"], "threads=0"),
        (["train", "digits:3,8", "--iterations", "0"], "iterations"),
        (["train", "digits:3,8", "--time-limit", "0"], "time_limit"),
        (["train", "digits:3,8", "--solver", "penalty", "--penalty", "-1"], "penalty"),
        (["train", "digits:3,8", "--solver", "annealing", "--flips", "0"], "flips"),
        (["train", "digits:3,8", "--read", "5"], "--read"),
        (["train", "digits:3,8", "--reads", "many"], "many"),
        (["train"], "DATA"),
        (["trian", "digits"], "trian"),
        (["compare", "digits:3,8", "--solvers", "qcgd,qcgd"], "each name once"),
        (["compare", "digits:3,8", "--solvers", "qcgd,tabu"], "unknown solver 'tabu'"),
        (["compare", "digits:3,8", "--seeds", "0"], "seeds=0: expected a number from 1 to 100,000"),
        (["compare", "digits:3,8", "--seeds", "9" * 19], "expected a number from 1 to 100,000"),
        (["compare", "digits:3,8", "--penalties", "nan"], "expected numbers between commas"),
        (["compare", "digits:3,8", "--penalties", "1,x"], "'1,x'"),
        (["compare", "digits:3,8", "--penalties", "0"], "penalties"),
        (["compare", "digits:3,8", "--hidden", "5-0"], "width of a hidden layer=0"),
        (["compare", "digits:3,8", "--loss", "hing"], "Did you mean 'hinge'"),
        (["size", "16-0-1"], "width of a hidden layer=0"),
        (["size", "16"], "two or more"),
        (["size", "16-x-1"], "'16-x-1'"),
        (["size", "16-4-1", "--samples", "0"], "samples=0"),
        (["size", "16-4-1", "--levels", "1"], "levels=1"),
        (["size", "16-4-1", "--seed", "-1"], "seed=-1"),
        (["size", "16-4-1", "--annealing-time", "inf"], "annealing_time=inf"),
        (["size", "99999999-1"], "width of a hidden layer=99999999"),
        (["size", "4-2-3", "--loss", "cross-entropy"], "take loss='multi-hinge'"),
        (["solve", "."], "it is a folder"),
        (["resume", "."], "holds no run"),
        (["size", "16-4-1", "--encoding", "two"], "unknown encoding 'two'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input(run: Run, arguments: list[str], words: str, tmp_path: Path) -> None:
    file = tmp_path / "out.json"
    code, out, err = run(*arguments, "--json", file)
    assert code == 2
    assert words in err
    assert "Traceback" not in err + out
    assert not file.exists()
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.csv", b"u,v,label\n1,2,0\n1,2\n", "line 3: 2 columns, expected 3"),
        ("a.csv", b"u,v,label\n1,nan,0\n1,2,1\n", "must be a finite number"),
        ("a.csv", b"u,v,label\n1,x,0\n1,2,1\n", "'x' is not a number"),
        ("a.csv", b"u,v,label\n1,2,0\n3,4,0\n", "only one class"),
        ("a.csv", b"", "is empty"),
        ("a.npz", b"PK\x03\x04 no archive", "not a readable NPZ"),
        ("t10k-images-idx3-ubyte", b"\x00\x00\x08\x03", "not beside it"),
        ("a.txt", b"1 2 3", "of no known kind"),
    ],
)
def test_bad_file(run: Run, tmp_path: Path, name: str, content: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(content)
    code, out, err = run("train", tmp_path / name, "--samples", 2)
    assert (code, out) == (2, "")
    assert words in err
    assert err.count("\n") == 1


def test_model_too_large_is_refused_with_the_numbers(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("formulations.training.sizes.available_memory", lambda: 1000)
    code, _, err = run("train", "digits:3,8", *QUICK)
    assert code == 2
    assert "variables" in err
    assert "GiB" in err


# -- places that cannot be written to -----------------------------------------------------------


@pytest.mark.parametrize("option", ["--json", "--save"])
def test_places_are_checked_before_the_work(
    run: Run, tmp_path: Path, option: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "train", lambda *a, **k: pytest.fail("the work began"))
    (tmp_path / "file").write_text("x")
    for place, words in [
        (tmp_path / "absent" / "r.json", "is not a folder; make it first"),
        (tmp_path / "file" / "r.json", "is not a folder; make it first"),
        (tmp_path, "it is a folder"),
        ("/dev/null", "it is a device, and only regular files"),
    ]:
        code, _, err = run("train", "digits:3,8", option, place)
        assert code == 2
        assert words in err
    monkeypatch.setattr(os, "access", lambda *a: False)
    code, _, err = run("train", "digits:3,8", option, tmp_path / "r.json")
    assert code == 2
    assert "no permission" in err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_full_standard_output() -> None:
    with open("/dev/full", "w") as full:
        done = qnn("size", "16-4-1", "--json", "-", stdout=full)
    assert done.returncode == 2
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_write_cut_short_leaves_the_old_file(tmp_path: Path) -> None:
    """A limit on the size of files fails a write half-way, as a full disk does."""
    file = tmp_path / "size.json"
    file.write_text("old")

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (16, 16))

    done = qnn("size", "16-4-1", "--json", file, stdout=subprocess.DEVNULL, preexec_fn=limit)
    assert done.returncode == 2
    assert "File too large" in done.stderr
    assert "Traceback" not in done.stderr
    assert file.read_text() == "old"
    assert os.listdir(tmp_path) == ["size.json"]


def test_closed_pipe_is_quiet() -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as closed:
        done = qnn("size", "16-4-1", "--json", "-", stdout=closed)
    assert done.returncode == 1
    assert done.stderr == ""


# -- oracles that fail --------------------------------------------------------------------------


def test_an_oracle_that_fails_leaves_what_there_was(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    sample = Annealer.sample

    def fail(self: Annealer, *given: Any) -> Any:
        calls.append(1)
        if len(calls) == limit:
            raise OracleError("the machine is on fire")
        return sample(self, *given)

    monkeypatch.setattr(Annealer, "sample", fail)
    limit, options = 3, ["--solver", "qcgd-cold", "--json", "-"]
    code, out, err = run("train", "digits:3,8", *QUICK, *options, "--iterations", 10)
    assert code == console.ORACLE_FAILED
    assert json.loads(out)["status"] == "oracle failed"
    assert json.loads(out)["oracle_calls"] == 2
    assert "the machine is on fire" in err
    limit = len(calls) + 1
    code, out, err = run("train", "digits:3,8", *QUICK, *options)
    assert (code, out) == (console.ORACLE_FAILED, "")
    assert "the machine is on fire" in err


def test_no_memory_is_one_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*given: Any, **named: Any) -> None:
        raise MemoryError("Unable to allocate 7 PiB")

    monkeypatch.setattr(training, "train", fail)
    code, _, err = run("train", "digits:3,8", *QUICK)
    assert (code, err.count("\n")) == (2, 1)
    assert "not enough memory (Unable to allocate 7 PiB); take fewer" in err


# -- Ctrl-C -------------------------------------------------------------------------------------


def test_interrupt_without_an_incumbent(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "train", lambda *a, **k: signal.raise_signal(signal.SIGINT))
    code, out, err = run("train", "digits:3,8", *QUICK)
    assert (code, out) == (130, "")
    assert "interrupted" in err


@pytest.mark.parametrize("solver", ["qcgd", "penalty"])
def test_interrupt_keeps_the_incumbent(solver: str) -> None:
    def stop(progress: Any) -> None:
        if progress.iteration == 2:
            signal.raise_signal(signal.SIGINT)

    figures = training.train(
        DataOptions("digits:3,8", samples=20, inputs=4),
        ModelOptions(hidden=(2,)),
        solver,
        SolverOptions(iterations=10_000, reads=2, sweeps=10),
        callbacks=[stop],
    ).figures
    assert figures["status"] == "interrupted"
    assert figures["train_loss"] >= 0
