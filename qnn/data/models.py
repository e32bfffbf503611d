"""Files of constrained models, and of the answers to them."""

from __future__ import annotations

import io
import json
import re
import zipfile
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from formulations.errors import FileFormatError
from formulations.files.bounded import read_regular

if TYPE_CHECKING:
    import dimod

CQM_MAGIC, ZIP_MAGIC = b"DIMODCQM", b"PK"
KINDS = "a CQM file of dimod's to_file, an LP file (.lp), or a QCBO that this toolkit saved (.npz)"


def read_model(path: str | PathLike[str]) -> dimod.ConstrainedQuadraticModel:
    """The constrained model in a file, whose kind is seen by its first bytes and its ending.

    Raises
    ------
    FileAccessError
        If the file cannot be read.
    FileFormatError
        If it is damaged or of another kind, MPS among them: Ocean has no reader of it.

    Examples
    --------
    >>> import dimod, pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "model.lp"
    >>> x, y = dimod.Binaries("xy")
    >>> cqm = dimod.ConstrainedQuadraticModel()
    >>> _ = cqm.add_constraint(x + y <= 1, label="one")
    >>> _ = path.write_text(dimod.lp.dumps(cqm))
    >>> list(read_model(path).constraints)
    ['one']
    """
    import dimod

    from formulations import QCBO

    file = Path(path)
    data = read_regular(file)
    start = data[: len(CQM_MAGIC)]
    if start.startswith(ZIP_MAGIC):
        return QCBO.load(file).to_cqm()
    if file.suffix.lower() == ".mps":
        raise FileFormatError(
            f"{str(path)!r} is an MPS file, which Ocean cannot read: convert it to LP, for "
            "instance with HiGHS or SCIP, and give its integers bounds"
        )
    if start == CQM_MAGIC:
        return _read(file, lambda: _from_cqm_file(data))
    if file.suffix.lower() == ".lp":
        text = _lp_text(file, data)
        cqm = _read(file, lambda: dimod.lp.loads(text))
        if not cqm.num_variables():  # what dimod makes of a text that is no LP file
            raise FileFormatError(f"{str(path)!r}: expected an LP file, found no variable in it")
        return cqm
    raise FileFormatError(f"{str(path)!r}: expected {KINDS}")


def _lp_text(path: Path, data: bytes) -> str:
    """The text of an LP file; Ocean's reader may never end on what is none."""
    found = re.search(rb"[^\t\n\v\f\r -\x7e\x80-\xff]", data)
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        number, what = error.start, str(error.reason)
    else:
        if found is None:
            return text
        number, what = found.start(), "a control character"
    line = data.count(b"\n", 0, number) + 1
    raise FileFormatError(
        f"{str(path)!r}, line {line}: byte {data[number]:#04x} is no text ({what}); expected an LP "
        "file in UTF-8, save it again"
    )


def _from_cqm_file(content: bytes) -> dimod.ConstrainedQuadraticModel:
    """The model in a CQM file, its constraints in the file's order, which dimod does not keep."""
    import dimod
    from dimod.variables import deserialize_variable

    from formulations.cqm.to_dimod import ordered

    cqm = dimod.ConstrainedQuadraticModel.from_file(content)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        parts = [name.split("/") for name in archive.namelist()]
    said = dict.fromkeys(part[1] for part in parts if part[0] == "constraints")
    labels = [deserialize_variable(json.loads(label)) for label in said]
    return ordered(cqm, labels if set(labels) == set(cqm.constraints) else None)


def _read(path: Path, read: Any) -> dimod.ConstrainedQuadraticModel:
    """What ``read`` says, its errors as those of a file."""
    try:
        cqm: dimod.ConstrainedQuadraticModel = read()
    except Exception as error:
        raise FileFormatError(
            f"{str(path)!r} is damaged or of another kind, dimod says {error}; expected {KINDS}"
        ) from None
    return cqm


def answer_json(samples: dimod.SampleSet) -> str:
    """A sample set as dimod writes it: ``SampleSet.from_serializable(json.load(file))`` reads it.

    Of its ``info``, the status, the bound and what is said about feasibility.

    Examples
    --------
    >>> import dimod
    >>> samples = dimod.SampleSet.from_samples([{"a": 1}], "BINARY", energy=[-1.0])
    >>> samples.info.update(status="optimal", history={"loss": [1.0]})
    >>> back = dimod.SampleSet.from_serializable(json.loads(answer_json(samples)))
    >>> back.first.sample, back.info
    ({'a': np.int8(1)}, {'status': 'optimal'})
    """
    import dimod

    told = ("status", "lower_bound", "infeasibility", "reason", "constraint_labels")
    info = {name: samples.info[name] for name in told if name in samples.info}
    slim = dimod.SampleSet(samples.record, samples.variables, info, samples.vartype)
    return json.dumps(slim.to_serializable()) + "\n"
