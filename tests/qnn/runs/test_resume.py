"""``qnn train --checkpoint`` and ``qnn resume``."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from formulations.errors import FileAccessError, FileFormatError, InvalidInputError, QnnError
from qnn.cli import main as cli
from qnn.runs import resume, solver_table
from qnn.runs.resume import FILE, Asked
from qnn.runs.solver_options import SolverOptions
from qnn.runs.training import DataOptions, ModelOptions
from solvers.run import checkpoint

ROOT = Path(__file__).parents[3]
QUICK: list[object] = ["--inputs", 4, "--samples", 20, "--hidden", 2, "--iterations", 6]
QUICK += ["--reads", 2, "--sweeps", 20, "--flips", 500, "--seed", 5]
CLOCKS = {"seconds", "oracle_seconds", "ledger", "environment"}
KEPT = [
    name
    for name in solver_table.SOLVERS
    if hasattr(solver_table.make_solver(name, SolverOptions()), "checkpoint")
]

Outcome = tuple[int, str, str]
Run = Callable[..., Outcome]


def plain(record: dict[str, Any]) -> dict[str, Any]:
    """A record without its clocks."""

    def still(columns: dict[str, Any]) -> dict[str, Any]:
        return {name: column for name, column in columns.items() if name not in CLOCKS}

    return still(record) | {name: still(record[name]) for name in ("history", "trace")}


class Stopped(BaseException):
    """Stands for whatever ends a process."""


@pytest.fixture
def stop_after(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Let a training run die after so many checkpoints."""

    def arrange(saves: int) -> None:
        genuine, calls = checkpoint.Checkpoint.save, []

        def save(self: checkpoint.Checkpoint, snapshot: Any) -> None:
            genuine(self, snapshot)
            calls.append(1)
            if len(calls) == saves:
                monkeypatch.setattr(checkpoint.Checkpoint, "save", genuine)
                monkeypatch.setattr(checkpoint.Checkpoint, "due", False)  # from now on, for speed
                self.close()
                raise Stopped

        monkeypatch.setattr(checkpoint.Checkpoint, "save", save)

    return arrange


# -- going on -------------------------------------------------------------------------------------


@pytest.mark.parametrize("solver", KEPT)
def test_a_stopped_run_ends_as_one_that_was_not(
    solver: str, run: Run, stop_after: Callable[[int], None], tmp_path: Path
) -> None:
    train = ["train", "digits:3,8", *QUICK, "--solver", solver, "--json", "-"]
    if solver == "penalty":
        train += ["--penalty", 2]
    whole = json.loads(run(*train)[1])
    stop_after(2)
    with pytest.raises(Stopped):
        cli.main([str(a) for a in [*train, "--checkpoint", tmp_path, "--checkpoint-every", 0]])
    code, out, err = run("resume", tmp_path)
    assert (code, err) == (0, "")
    assert plain(json.loads(out)) == plain(whole)
    again = json.loads(run("resume", tmp_path)[1])
    assert plain(again) == plain(whole)


def test_the_same_train_goes_on_too(
    run: Run, stop_after: Callable[[int], None], tmp_path: Path
) -> None:
    train = ["train", "digits:3,8", *QUICK, "--solver", "annealing", "--json", "-"]
    kept = [*train, "--checkpoint", tmp_path / "new" / "folder", "--checkpoint-every", 0]
    whole = json.loads(run(*train)[1])
    stop_after(3)
    with pytest.raises(Stopped):
        cli.main([str(a) for a in kept])
    assert plain(json.loads(run(*kept)[1])) == plain(whole)


def test_killed_at_random_moments_it_ends_the_same(run: Run, tmp_path: Path) -> None:
    """SIGKILL, in processes of their own."""
    train = ["train", "digits:3,8", "--inputs", 16, "--solver", "annealing", "--hidden", 3]
    train += ["--samples", 300, "--flips", 1_000_000, "--json", tmp_path / "out.json"]
    assert run(*train)[0] == 0
    whole = json.loads((tmp_path / "out.json").read_text())
    (tmp_path / "out.json").unlink()
    rng = np.random.default_rng(0)
    kept: list[object] = [*train, "--checkpoint", tmp_path / "run", "--checkpoint-every", 0]
    resume_ = ["resume", tmp_path / "run", "--json", tmp_path / "out.json"]
    for _ in range(3):
        begun = (tmp_path / "run" / checkpoint.FILE).exists()
        arguments = resume_ if begun else kept
        command = [sys.executable, "-m", "qnn", *map(str, arguments)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as worker:
            while not (tmp_path / "run" / checkpoint.FILE).exists() and worker.poll() is None:
                time.sleep(0.01)
            time.sleep(rng.uniform(0.1, 0.8))
            worker.kill()
    assert run(*resume_)[0] == 0
    assert plain(json.loads((tmp_path / "out.json").read_text())) == plain(whole)


def test_relative_names_are_those_of_the_beginning(
    run: Run, stop_after: Callable[[int], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    rng = np.random.default_rng(0)
    np.savez(first / "data.npz", X=rng.integers(0, 2, (30, 4)), y=rng.integers(0, 2, 30))
    monkeypatch.chdir(first)
    stop_after(1)
    train = ["train", "data.npz", *QUICK[2:], "--solver", "annealing", "--save", "net.npz"]
    with pytest.raises(Stopped):
        cli.main([str(a) for a in [*train, "--json", "out.json", "--checkpoint", "run"]])
    monkeypatch.chdir(second)
    there = ["--json", "../first/out.json", "--save", "../first/net.npz"]
    assert run("resume", "../first/run", *there)[0] == 0
    assert {"net.npz", "out.json"} <= set(os.listdir(first))
    assert run("resume", "../first/run", "--json", "here.json", "--save", "here.npz")[0] == 0
    assert sorted(os.listdir(second)) == ["here.json", "here.npz"]
    assert Path.cwd() == second


def test_a_time_limit_can_be_raised(run: Run, tmp_path: Path) -> None:
    train = ["train", "digits:3,8", *QUICK, "--solver", "annealing", "--flips", 3_000_000]
    run(*train, "--time-limit", 0.05, "--checkpoint", tmp_path, "--json", tmp_path / "out.json")
    limited = json.loads((tmp_path / "out.json").read_text())
    assert limited["status"] == "time limit"
    assert run("resume", tmp_path, "--time-limit", 60, "--json", tmp_path / "out.json")[0] == 0
    whole = json.loads((tmp_path / "out.json").read_text())
    assert whole["status"] in ("finished", "optimal")
    assert whole["train_loss"] <= limited["train_loss"]


def test_an_interrupted_run_says_how_to_go_on(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from solvers.run.run import Run as SolverRun

    monkeypatch.setattr(SolverRun, "told_to_stop", _interrupt)
    train = ["train", "digits:3,8", *QUICK, "--solver", "annealing", "--checkpoint"]
    code, out, err = run(*train, tmp_path / "my run")
    assert code == 0
    assert "interrupted" in out
    assert f"qnn resume '{tmp_path}/my run'" in err


def _interrupt(self: Any, iteration: int, iterations: int | None = None) -> bool:
    raise KeyboardInterrupt


def test_a_full_disk_is_told_and_the_result_is_there(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: Any) -> None:
        raise FileAccessError("no space\nis left")

    monkeypatch.setattr(checkpoint, "write_archive", full)
    train = ["train", "digits:3,8", *QUICK, "--solver", "annealing", "--json", "-"]
    code, out, err = run(*train, "--checkpoint", tmp_path)
    assert code == 0
    assert json.loads(out)["train_loss"] >= 0
    assert err.splitlines() == [
        "qnn: warning: the run goes on without a new checkpoint: no space is left"
    ]


# -- what is refused ------------------------------------------------------------------------------


def refused(outcome: Outcome, *words: str) -> None:
    code, out, err = outcome
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    for word in words:
        assert word in err


def test_a_folder_without_a_run_is_refused(run: Run, tmp_path: Path) -> None:
    refused(run("resume", tmp_path), str(tmp_path), "holds no run", "--checkpoint")
    refused(run("resume", tmp_path / "nowhere"), "holds no run")


def test_another_run_in_the_folder_is_refused_by_name(run: Run, tmp_path: Path) -> None:
    train = ["train", "digits:3,8", *QUICK, "--solver", "annealing", "--checkpoint", tmp_path]
    assert run(*train)[0] == 0
    refused(run(*train, "--hidden", 3), "hidden is [2] there and [3] here")
    refused(run(*train, "--seed", 6), "seed is 5 there and 6 here")
    assert run(*train, "--time-limit", 100)[0] == 0


@pytest.mark.parametrize("solver", [name for name in solver_table.SOLVERS if name not in KEPT])
def test_a_solver_without_checkpoints_is_refused(solver: str, run: Run, tmp_path: Path) -> None:
    train = ["train", "digits:3,8", *QUICK, "--solver", solver, "--checkpoint", tmp_path / "run"]
    refused(run(*train), f"solver {solver!r} keeps no checkpoints")
    assert not (tmp_path / "run").exists()


def test_a_typing_mistake_does_not_block_the_folder(run: Run, tmp_path: Path) -> None:
    kept = [*QUICK, "--solver", "annealing", "--checkpoint", tmp_path]
    assert run("train", "digits:3,77", *kept)[0] == 2
    assert run("train", "digits:3,7", *kept)[0] == 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no json",
        "[]",
        "{}",
        '{"format": 1, "kind": "run"}',
        '{"format": 1, "kind": "run", "model": {"hidden": 5}}',
        '{"format": 99, "kind": "run"}',
        '{"format": 1, "kind": "size"}',
    ],
)
def test_a_damaged_run_file_is_refused(text: str, run: Run, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(text)
    with pytest.raises(FileFormatError):
        resume.read(str(tmp_path))
    refused(run("resume", tmp_path), FILE)


def test_a_damaged_checkpoint_is_refused(run: Run, tmp_path: Path) -> None:
    train = ["train", "digits:3,8", *QUICK, "--solver", "annealing", "--checkpoint", tmp_path]
    assert run(*train)[0] == 0
    path = tmp_path / checkpoint.FILE
    path.write_bytes(path.read_bytes()[:-100])
    refused(run("resume", tmp_path), checkpoint.FILE, "damaged")


def test_what_was_asked_for_survives_the_file(tmp_path: Path) -> None:
    asked = Asked(
        "qcgd",
        DataOptions("data.csv", samples=None, target="label"),
        ModelOptions(hidden=(8, 4), bias="uniform:2"),
        SolverOptions(time_limit=3.5),
        seed=7,
        json_file="-",
        folder=str(tmp_path),
    )
    resume.write(asked, str(tmp_path / "run"))
    assert resume.read(str(tmp_path / "run")) == asked
    (tmp_path / "run" / checkpoint.FILE).write_bytes(b"begun")
    with pytest.raises(InvalidInputError, match="target is 'label' there and None here"):
        resume.write(
            Asked("qcgd", DataOptions("data.csv", samples=None), asked.model, asked.options),
            str(tmp_path / "run"),
        )


# -- a folder of somebody else's -------------------------------------------------------------------


def foreign(folder: Path, **names: Any) -> Path:
    """A run that has not begun, whose file names places outside its folder."""
    options = SolverOptions(flips=500, record=names.pop("record", None))
    asked = Asked(
        names.pop("solver", "annealing"),
        DataOptions("digits:3,8", samples=20, inputs=4),
        ModelOptions(hidden=(2,)),
        options,
        folder=str(folder),
        **names,
    )
    resume.write(asked, str(folder / "run"))
    return folder / "run"


@pytest.mark.parametrize(
    ("option", "name"), [("--save", "save_file"), ("--json", "json_file"), ("--record", "record")]
)
@pytest.mark.parametrize("place", ["mine", "run/../mine", "run/link", "{}/mine"])
def test_a_foreign_run_writes_nowhere_outside_its_folder(
    option: str, name: str, place: str, run: Run, tmp_path: Path
) -> None:
    (tmp_path / "mine").write_text("precious")
    place = place.format(tmp_path)
    folder = foreign(tmp_path, **{name: place})
    (folder / "link").symlink_to(tmp_path / "mine")
    if name == "record" and place.endswith("link"):
        (folder / "link").unlink()
        (folder / "link").symlink_to(tmp_path)
    refused(run("resume", folder), "outside its folder", f"{option} {tmp_path}/")
    assert (tmp_path / "mine").read_text() == "precious"
    assert not (folder / checkpoint.FILE).exists()


def test_what_is_named_again_is_written(run: Run, tmp_path: Path) -> None:
    folder = foreign(tmp_path, save_file="net.npz", json_file="out.json")
    refused(run("resume", folder, "--save", tmp_path / "net.npz"), "out.json", "--json")
    again = ["--save", tmp_path / "net.npz", "--json", tmp_path / "out.json"]
    assert run("resume", folder, *again)[0] == 0
    assert {"net.npz", "out.json", "run"} == set(os.listdir(tmp_path))


def test_inside_its_folder_a_run_writes_as_it_says(run: Run, tmp_path: Path) -> None:
    folder = foreign(tmp_path, save_file="run/net.npz", json_file="run/out.json")
    assert run("resume", folder)[0] == 0
    assert {"net.npz", "out.json"} <= set(os.listdir(folder))
    bad = foreign(tmp_path / "other", json_file="run/run.json")
    refused(run("resume", bad), "keeps its own")


@pytest.mark.parametrize("name", [FILE, checkpoint.FILE, ".lock"])
def test_links_in_the_folder_lead_nowhere(name: str, run: Run, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("precious")
    folder = foreign(tmp_path)
    text = (folder / FILE).read_bytes()
    (folder / name).unlink(missing_ok=True)
    if name == FILE:
        (tmp_path / "mine").write_bytes(text)
    before = (tmp_path / "mine").read_bytes()
    (folder / name).symlink_to(tmp_path / "mine")
    refused(run("resume", folder), str(folder))
    assert (tmp_path / "mine").read_bytes() == before


def test_an_interrupted_run_names_what_resume_has_to_be_told(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from solvers.run.run import Run as SolverRun

    with monkeypatch.context() as patch:
        patch.setattr(SolverRun, "told_to_stop", _interrupt)
        train = ["train", "digits:3,8", *QUICK, "--solver", "annealing"]
        places = ["--checkpoint", tmp_path / "run", "--save", tmp_path / "net of mine.npz"]
        _, _, err = run(*train, *places)
    line = err[err.index("qnn resume") :].strip()
    assert line.endswith(f"--save '{tmp_path}/net of mine.npz'")
    assert run(*shlex.split(line)[1:])[0] == 0


@given(st.data())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_rewritten_run_file_is_refused_or_read(tmp_path: Path, data: st.DataObject) -> None:
    folder = foreign(tmp_path)
    content = json.loads((folder / FILE).read_text())
    part = data.draw(st.sampled_from(["", "data", "model", "options"]))
    inner = content[part] if part else content
    name = data.draw(st.sampled_from([*inner, "another"]))
    value = data.draw(
        st.sampled_from([None, True, -1, 0, 1.5, 10**400, "x", "a\0b", [], [1], {}, {"a": 1}])
    )
    inner[name] = value
    (folder / FILE).write_text(json.dumps(content))
    with suppress(QnnError):
        assert isinstance(resume.read(str(folder)), Asked)
