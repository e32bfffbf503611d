"""``qnn verify``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qnn.cli import console, options
from qnn.cli.commands.predict import network_argument, reading, samples_option
from qnn.cli.commands.solve import oracle_of
from qnn.cli.help import command, option

if TYPE_CHECKING:
    from solvers.verification import Verdict


@command(
    examples="""
    qnn train digits --samples 500 --levels 4 --save network.npz
    qnn verify network.npz digits --samples 500 --first 100 --radius 1
    qnn verify network.npz digits --first 100 --save against.csv
    qnn verify network.npz digits --first 5 --oracle tabu
    """
)
@network_argument()
@options.data_argument
@option(
    "--radius N",
    "Number of levels that every input may move; for a thermometer code, levels of the raw number.",
    1,
)
@samples_option
@option("--first N", "Number of samples to verify.", otherwise="all")
@option(
    "--solver NAME",
    "Solver of the samples that intervals and a quick search leave open: cp-sat (proves or finds; "
    "extra exact), qcgd (asks an oracle), search (no model), intervals (no search either).",
    of=["cp-sat", "qcgd", "search", "intervals"],
    otherwise="qcgd with --oracle, else cp-sat, and search where that is not installed",
)
@option("--time-limit SECONDS", "Time for each sample, which stays open after it.", 10.0)
@option("--threads N", "Threads of cp-sat.", 2)
@options.oracle_options()
@options.timeout_option
@options.record_options
@options.budget_options
@options.seed_option
@reading
@options.file_option(
    "--save save_file FILE",
    "Write the counter-examples with their right classes to this CSV file, which qnn train "
    "--constraint right:FILE takes.",
)
def verify(
    run: str,
    data: str,
    radius: int,
    samples: int | str | None,
    first: int | None,
    solver: str | None,
    time_limit: float,
    threads: int,
    target: str | None,
    data_dir: str | None,
    seed: int,
    json_file: str | None,
    save_file: str | None,
    **given: Any,
) -> None:
    """Prove a network robust near each sample, or refute it.

    Each sample is robust (proven), has a counter-example (checked), or stays open.  If the data
    have a test part, only that part is verified.  Ctrl-C keeps the verdicts so far.
    """
    import numpy as np

    from formulations.checks import check_whole
    from qnn.export import TrainedModel
    from qnn.runs import scoring
    from qnn.runs.output import FORMAT, environment, write_text
    from qnn.verification import raw_example, verify

    console.check_outputs(json_file, save_file, inputs=[run, *console.data_files([data], data_dir)])
    model = TrainedModel.of(run)
    X, y = scoring.labelled(
        data,
        model.columns,
        model.names,
        target=target,
        data_dir=data_dir,
        samples=samples,
        seed=seed,
    )
    if first is not None:
        X, y = X[: check_whole("--first", first)], y[:first]
    if model.line is None:
        y = np.asarray(model.names)[y]
    with console.progress_bar(f"verify {run}") as move:
        wrong = 0

        def show(k: int, verdict: Verdict) -> None:
            nonlocal wrong
            wrong += verdict.verdict == "counter-example"
            move(k + 1, len(X), f"{wrong:,} counter-examples")

        found = verify(
            model, X, y, radius, solver=solver, oracle=oracle_of(given), time_limit=time_limit,
            seed=seed, workers=threads, on_verdict=show,
        )  # fmt: skip
    rows = []
    for k, verdict in enumerate(found):
        row: dict[str, Any] = {
            "sample": k, "class": str(y[k]), "verdict": verdict.verdict, "by": verdict.by,
            "seconds": verdict.seconds,
        }  # fmt: skip
        if (x := verdict.counter_example) is not None:
            own = model.on_lattice(X[k : k + 1])[0]
            row |= {
                "predicted": str(model.names[model.labels(x[None])[0]]),
                "changed_inputs": int((x != own).sum()),
                "counter_example": x,
                "raw": raw_example(model, X[k], x),
            }
        rows.append(row)
    record = {
        "format": FORMAT, "kind": "verification", "network": run, "data": data, "radius": radius,
        "counts": _counts(found), "samples": rows, "environment": environment(),
    }  # fmt: skip
    against = [row for row in rows if "raw" in row]
    lines = [",".join([*(f"x{i}" for i in range(len(row["raw"]))), "y"]) for row in against[:1]]
    lines += [",".join([*map(repr, row["raw"].tolist()), row["class"]]) for row in against]
    console.deliver(
        json_file,
        record,
        *_tables(f"{run} on {data}, radius {radius}", found, against),
        files={save_file: lambda: write_text(str(save_file), "\n".join([*lines, ""]))},
    )


def _counts(found: list[Verdict]) -> list[dict[str, Any]]:
    """Number of samples decided by each method, and its time."""
    groups = sorted({(v.verdict != "robust", v.verdict == "open", v.verdict, v.by) for v in found})
    return [
        {
            "verdict": verdict,
            "by": by,
            "samples": len(own := [v for v in found if (v.verdict, v.by) == (verdict, by)]),
            "seconds": sum(v.seconds for v in own),
        }
        for _, _, verdict, by in groups
    ]


def _tables(title: str, found: list[Verdict], against: list[dict[str, Any]]) -> list[Any]:
    """Tables of verdict counts and of the first counter-examples."""
    from qnn.runs.tables import terminal_table

    rows = [
        [c["verdict"], c["by"], f"{c['samples']:,}", f"{c['samples'] / len(found):.1%}",
         f"{c['seconds']:.2f}"]
        for c in _counts(found)
    ]  # fmt: skip
    robust = sum(v.verdict == "robust" for v in found) / len(found)
    caption = f"certified accuracy {robust:.3f}: right for every input within the radius"
    columns = ["verdict", "by", "samples", "share", "seconds"]
    tables = [terminal_table(title, columns, rows, words=(0, 1), caption=caption)]
    moved = sorted(
        (row for row in against if row["changed_inputs"]), key=lambda r: r["changed_inputs"]
    )
    if moved:
        few = [
            [f"{r['sample']:,}", r["class"], r["predicted"], f"{r['changed_inputs']:,}"]
            for r in moved[:5]
        ]
        columns = ["sample", "class", "taken for", "inputs changed"]
        tables.append(terminal_table("nearest counter-examples", columns, few, words=(1, 2)))
    return tables
