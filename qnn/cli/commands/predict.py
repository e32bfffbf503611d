"""``qnn predict`` and ``qnn test``."""

from __future__ import annotations

from typing import Any

from qnn.cli import console, options
from qnn.cli.help import argument, command, option, under
from qnn.cli.values import samples


def network_argument(metavar: str = "NETWORK") -> Any:
    """The trained network, as an argument ``run``."""
    return argument(
        "run",
        metavar=metavar,
        known={
            "network.npz": "A file written by qnn train --save.",
            "FOLDER": "A folder of qnn train --checkpoint: its best network so far.",
        },
    )


samples_option = option(
    "--samples N",
    "Leave out the N samples that qnn train --samples N trained on.",
    read=lambda text: text if text in (None, "all") else samples(text),
    otherwise="none are left out; if the data have a test part, only that part is used",
)
reading = under(None, *options.where_options, options.json_option)


@command(
    examples="""
    qnn train digits --levels 4 --save network.npz
    qnn predict network.npz digits > classes.txt
    qnn predict network.npz digits:3,8 --json -
    """
)
@network_argument()
@options.data_argument
@reading
def predict(
    run: str, data: str, target: str | None, data_dir: str | None, json_file: str | None
) -> None:
    """Print a trained network's prediction for each sample of DATA.

    The output has one line a sample: the name of its class, or the number that a regression
    predicts.  DATA are raw numbers, as in training.  A CSV file with as many columns as the network
    has inputs is taken to have no labels; in any other file the labels are ignored.  --json also
    writes the outputs.  There is no --seed, since nothing here is random.
    """
    from qnn.export import TrainedModel
    from qnn.runs import scoring
    from qnn.runs.output import FORMAT

    console.check_outputs(json_file, inputs=[run, *console.data_files([data], data_dir)])
    model = TrainedModel.of(run)
    X = scoring.unlabelled(data, model.columns, target=target, data_dir=data_dir)
    predictions = model.predict(X).tolist()
    record = {
        "format": FORMAT,
        "kind": "predictions",
        "network": run,
        "data": data,
        "classes": model.names,
        "predictions": predictions,
        "outputs": model.scores(model.on_lattice(X)).tolist(),
    }
    console.deliver(
        json_file, record, lambda: console.say("\n".join(str(word) for word in predictions))
    )


@command(
    "test",
    examples="""
    qnn train digits --samples 500 --levels 4 --save network.npz
    qnn test network.npz digits --samples 500
    qnn test network.npz digits:0,1,2 --json test.json
    """,
)
@network_argument()
@options.data_argument
@samples_option
@option("--seed N", "Seed that drew these samples.", 0, least=0)
@reading
def test_(
    run: str,
    data: str,
    samples: int | str | None,
    seed: int,
    target: str | None,
    data_dir: str | None,
    json_file: str | None,
) -> None:
    """Measure the accuracy of a trained network on DATA.

    The command prints accuracy, the confusion matrix, and precision, recall and F1 score of each
    class; for a regression it prints the errors.
    """
    from qnn.export import TrainedModel
    from qnn.runs import scoring
    from qnn.runs.output import FORMAT
    from qnn.runs.tables import class_tables, record_table

    console.check_outputs(json_file, inputs=[run, *console.data_files([data], data_dir)])
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
    about = {"format": FORMAT, "kind": "test", "network": run, "data": data}
    if model.line is not None:
        figures = scoring.regression_figures(y, model.predict(X))
        console.deliver(json_file, {**about, **figures}, record_table(f"{run} on {data}", figures))
        return
    figures = scoring.class_figures(y, model.labels(model.on_lattice(X)), model.names)
    shown = {name: value for name, value in figures.items() if not isinstance(value, list)}
    tables = [record_table(f"{run} on {data}", shown), *class_tables(figures)]
    record = {**about, "classes": model.names, **figures}
    console.deliver(json_file, record, *tables)
