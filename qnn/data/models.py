"""Files of constrained models, and of their answers."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from formulations.arrays import FloatArray
from formulations.errors import FileFormatError
from formulations.files.bounded import read_regular
from qnn.data.model_files.text import checked_text, unpacked

if TYPE_CHECKING:
    import dimod

    from qnn.data.model_files.draft import Draft

KINDS = (
    "a CQM file of dimod's to_file, an LP, MPS, OPB or QPLIB file (.lp, .mps, .opb, .qplib), plain "
    "or packed (.gz, .xz), or a QCBO that this toolkit saved (.npz)"
)


@dataclass(frozen=True)
class ModelFile:
    """A model as its file states it.

    Parameters
    ----------
    cqm : dimod.ConstrainedQuadraticModel
        To be minimised.
    maximise : bool
        True if the file maximises; its objective is then negated in ``cqm``.
    draft : Draft, optional
        Source of ``cqm``, for files whose products of literals have added variables.
    """

    cqm: dimod.ConstrainedQuadraticModel
    maximise: bool = False
    draft: Draft | None = None

    @property
    def variables(self) -> list[Hashable]:
        """Labels of the file's own variables, which come first in ``cqm``."""
        labels, draft = list(self.cqm.variables), self.draft
        if draft is None or draft.complements is None:
            return labels
        return labels[: len(labels) - len(draft.complements) - len(draft.products)]

    def completed(self, values: FloatArray) -> FloatArray:
        """Extend values of the file's variables to all of ``cqm``, shape (k, own) -> (k, n)."""
        full = np.zeros((len(values), self.cqm.num_variables()))
        full[:, : values.shape[1]] = values
        if self.draft is not None and self.draft.complements is not None:
            of, complement = self.draft.complements.T
            full[:, complement] = 1.0 - full[:, of]
            for u, v, w in self.draft.products.tolist():  # factors precede their products
                full[:, u] = full[:, v] * full[:, w]
        return full

    def stated(self, value: float | None) -> float | None:
        """Convert an objective value of the CQM to the file's sense.

        Examples
        --------
        >>> import dimod
        >>> ModelFile(dimod.ConstrainedQuadraticModel(), maximise=True).stated(-3.0)
        3.0
        """
        return value if value is None or not self.maximise else 0.0 - value


def read_model_file(path: str | PathLike[str]) -> ModelFile:
    """Read a constrained model; first bytes and file extension determine the format.

    Raises
    ------
    FileAccessError
        If the file cannot be read, or its unpacked content exceeds memory.
    FileFormatError
        If it is damaged, cut off, of another kind, or has continuous variables.

    Examples
    --------
    >>> import gzip, pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "model.opb.gz"
    >>> _ = path.write_bytes(gzip.compress(b"max: 3 x1 ~x2;\\n1 x1 1 x2 <= 1;\\n"))
    >>> file = read_model_file(path)
    >>> file.variables, file.maximise
    (['x1', 'x2'], True)
    """
    from formulations import QCBO

    file = Path(path)
    data = read_regular(file)
    if data.startswith(b"PK"):
        return ModelFile(QCBO.load(file).to_cqm())
    data = unpacked(file, data)
    if data.startswith(b"DIMODCQM"):
        return ModelFile(_read(file, lambda: _from_cqm_file(data)))
    ending = Path(file.stem if file.suffix.lower() in (".gz", ".xz") else file).suffix.lower()
    if ending == ".lp":
        return _of_lp(file, data)
    if ending in (".mps", ".opb", ".qplib"):
        return _of_text(file, data, ending)
    raise FileFormatError(f"{str(path)!r}: expected {KINDS}")


def _of_lp(path: Path, data: bytes) -> ModelFile:
    import dimod

    text = checked_text(path, data, "an LP file")
    cqm = _read(path, lambda: dimod.lp.loads(text))
    if not cqm.num_variables():  # dimod's result for a text that is not an LP file
        raise FileFormatError(f"{str(path)!r}: expected an LP file, found no variable in it")
    aim = re.search(r"^(?:\s|\\.*\n)*(max|min)", text, re.IGNORECASE)
    return ModelFile(cqm, maximise=aim is not None and aim[1].lower() == "max")


def _of_text(path: Path, data: bytes, ending: str) -> ModelFile:
    """Read one of the text formats that this toolkit parses itself."""
    kind = ending[1:].upper()
    text = checked_text(path, data, f"{'a' if kind == 'QPLIB' else 'an'} {kind} file")
    if kind == "MPS":
        from qnn.data.model_files.mps import read_mps

        draft, maximise = read_mps(path, text)
    elif kind == "OPB":
        from qnn.data.model_files.opb import read_opb

        draft, maximise = read_opb(path, data)
        return ModelFile(draft.cqm(), maximise, draft)
    else:
        from qnn.data.model_files.qplib import read_qplib

        draft, maximise = read_qplib(path, text)
    return ModelFile(draft.cqm(), maximise)


def _from_cqm_file(content: bytes) -> dimod.ConstrainedQuadraticModel:
    """Read a CQM file, keeping the file's order of constraints, which dimod does not."""
    import dimod
    from dimod.variables import deserialize_variable

    from formulations.cqm.to_dimod import ordered

    cqm = dimod.ConstrainedQuadraticModel.from_file(content)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        parts = [name.split("/") for name in archive.namelist()]
    said = dict.fromkeys(part[1] for part in parts if part[0] == "constraints")
    labels = [deserialize_variable(json.loads(label)) for label in said]
    return ordered(cqm, labels if set(labels) == set(cqm.constraints) else None)


def _read(
    path: Path, read: Callable[[], dimod.ConstrainedQuadraticModel]
) -> dimod.ConstrainedQuadraticModel:
    """Call ``read``, converting its errors to file format errors."""
    try:
        cqm = read()
    except Exception as error:
        raise FileFormatError(
            f"{str(path)!r} is damaged or of another kind, dimod says {error}; expected {KINDS}"
        ) from None
    return cqm


def answer_json(samples: dimod.SampleSet) -> str:
    """Convert a sample set to JSON for ``SampleSet.from_serializable(json.load(file))``.

    Its ``info`` keeps only the status, the bound and the statement about feasibility.

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
