"""Schemas of the files of models and trained networks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from formulations.checks import WIDEST
from formulations.errors import InvalidInputError
from formulations.files.schema import (
    INT64,
    ArrayForm,
    Form,
    Misfit,
    any_fields,
    fields,
    flag,
    items,
    may,
    nothing_or,
    number,
    one_of,
    text,
    whole,
)
from formulations.network import vocabulary
from formulations.network.activations import activation
from formulations.network.codes import MOST, WIDEST_INTEGER
from formulations.network.splines import Placement

# -- models ---------------------------------------------------------------------------------------


def _word(value: Any, where: str) -> None:
    """Check a part of a label: it holds no delimiter of labels and no format character."""
    text(value, where)
    if any(mark in value for mark in "%[],=\0"):
        raise Misfit(where, value, "a name without any of % [ ] , =")


def _label(value: Any, where: str) -> None:
    """Check a label that the user gave: a string, a number, null, or a list of these."""
    if isinstance(value, list):
        items(_label)(value, where)
    elif isinstance(value, str):
        text(value, where)
    elif isinstance(value, int) and not isinstance(value, bool):
        whole()(value, where)
    elif isinstance(value, float):
        if not abs(value) <= INT64:  # dimod converts whole floats to 64-bit integers
            raise Misfit(where, value, "a label: a number within 64 bits")
    elif value is not None and not isinstance(value, bool):
        raise Misfit(where, value, "a label: a text, a number, null, or a list of these")


def _family(value: Any, where: str) -> None:
    """Check a family of labels: names that the user gave, or a numbered family."""
    any_fields(value, where)
    if "names" in value:
        fields({"names": items(_label)})(value, where)
        return
    numbered = {"name": _word, "fields": items(_word), "widths": items(whole(1, 20))}
    fields(numbered)(value, where)
    if len(value["fields"]) != len(value["widths"]):
        raise Misfit(where, value, "as many fields as widths")


def model_content(value: Any, where: str) -> None:
    """Check the content of a model's file."""
    sizes = fields({"variables": whole(0), "rows": whole(0), "products": whole(0)})
    labels = items(_family)
    fields(
        {
            "sizes": sizes,
            "offset": number(),
            "group_names": items(text),
            "labels": labels,
            "row_labels": labels,
        }
    )(value, where)


def model_arrays(content: Mapping[str, Any], names: list[str]) -> dict[str, ArrayForm]:
    """Return the forms of a model's arrays, from the sizes that its content announces."""
    n, m, p = (content["sizes"][name] for name in ("variables", "rows", "products"))
    forms = {
        "linear": ArrayForm("biuf", (n,)),
        "rhs": ArrayForm("biuf", (m,)),
        "equality": ArrayForm("b", (m,)),
        "row_group": ArrayForm("iu", (m,)),
        "products": ArrayForm("iu", (p, 3)),
    }
    for name, rows in (("quadratic", n), ("rows", m)):
        forms[f"{name}.data"] = ArrayForm("biuf", (None,))
        forms[f"{name}.indices"] = ArrayForm("iu", (None,))
        forms[f"{name}.indptr"] = ArrayForm("iu", (rows + 1,))
    for key in ("labels", "row_labels"):
        for number_, family in enumerate(content[key]):
            if "fields" in family:
                forms[f"{key}.{number_}"] = ArrayForm("iu", (None, len(family["fields"])))
    return forms


# -- trained networks -----------------------------------------------------------------------------


def _activation(value: Any, where: str) -> None:
    """Check the name of an activation."""
    try:
        known = isinstance(value, str) and activation(value).name == value
    except InvalidInputError:
        known = False
    if not known:
        raise Misfit(where, value, " or ".join(map(repr, vocabulary.ACTIVATIONS)))


def _layer(value: Any, where: str) -> None:
    """Check a layer: the fields of :class:`~formulations.network.layer.Layer`."""
    most = max(MOST, 2**WIDEST_INTEGER)
    width, count, pair = whole(1, WIDEST), nothing_or(whole(1)), items(whole(0, WIDEST), 2, 2)
    code = fields(
        {
            "name": text,
            "coefficients": items(whole(-2 * most, 2 * most), 1),
            "offset": whole(-most, most),
            "step": number(above=0),
            "one_hot": flag,
        }
    )
    window = fields(
        {
            "shape": items(width, 3, 3),
            "filters": width,
            **dict.fromkeys(("size", "stride", "padding"), pair),
            "groups": width,
            "pooled": nothing_or(whole(-WIDEST, WIDEST)),
        }
    )

    def ties(value: Any, where: str) -> None:
        """Check shared weights: a window, or the shape of the arrays that describe them."""
        form = pair if isinstance(value, list) else window
        form(value, where)

    fields(
        {
            "inputs": width,
            "outputs": width,
            "code": code,
            "bias_code": nothing_or(code),
            "activation": nothing_or(_activation),
            "pieces": count,
            "order": nothing_or(one_of(0, 1)),
            "placement": one_of(*get_args(Placement)),
            "resolution": count,
            "scale": count,
            "ties": may(ties),
        }
    )(value, where)


def network_content(about: Form) -> Form:
    """Return the form of a network file's content, where ``about`` checks the stored details."""

    def check(value: Any, where: str) -> None:
        spline = fields({"step": number(above=0), "error": number(0), "scale": number(above=0)})
        fields({"layers": items(_layer, 1), "splines": items(spline), "about": may(about)})(
            value, where
        )
        if len(value["splines"]) != len(value["layers"]) - 1:
            raise Misfit("splines", value["splines"], "one for each layer but the last")

    return check


def network_arrays(content: Mapping[str, Any], names: list[str]) -> dict[str, ArrayForm]:
    """Return the forms of a trained network's arrays, from the widths of its layers."""
    forms: dict[str, ArrayForm] = {}
    for i, layer in enumerate(content["layers"]):
        tied = layer.get("ties")
        shape = (layer["outputs"], layer["inputs"])
        forms[f"matrix.{i}"] = ArrayForm("iu", (None,) if tied else shape)
        if layer["bias_code"] is not None:
            forms[f"bias.{i}"] = ArrayForm("iu", (None if tied else layer["outputs"],))
        if isinstance(tied, list):
            for part in ("numbers", "levels"):
                forms[f"{part}.{i}"] = ArrayForm("iu", (shape[0], shape[1] + 1))
    for i in range(len(content["splines"])):
        forms[f"spline.{i}.breakpoints"] = ArrayForm("iu", (None,))
        for part in ("slopes", "intercepts"):
            forms[f"spline.{i}.{part}"] = ArrayForm("iuf", (None,))
    return forms | {name: ArrayForm(finite=False) for name in names if name[:6] == "about."}
