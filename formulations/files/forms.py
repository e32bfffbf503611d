"""Schemas of the files of models and of trained networks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from formulations.checks import WIDEST
from formulations.errors import InvalidInputError
from formulations.files.schema import (
    INT64,
    ArrayForm,
    Form,
    Misfit,
    anything,
    fields,
    flag,
    items,
    mapping,
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
from formulations.network.splines import PLACEMENTS

LARGEST_LEVEL = max(MOST, 2**WIDEST_INTEGER)

# -- models ---------------------------------------------------------------------------------------


def _word(value: Any, where: str) -> None:
    """A part of a label: what is not taken for the end of it, or for a format."""
    text(value, where)
    if any(mark in value for mark in "%[],=\0"):
        raise Misfit(where, value, "a name without any of % [ ] , =")


def _label(value: Any, where: str) -> None:
    """A label of a user's own: a string, a number, null, or a list of these."""
    if isinstance(value, list):
        items(_label)(value, where)
    elif isinstance(value, str):
        text(value, where)
    elif isinstance(value, int) and not isinstance(value, bool):
        whole()(value, where)
    elif isinstance(value, float):
        if not abs(value) <= INT64:  # dimod takes whole floats for integers of 64 bits
            raise Misfit(where, value, "a label: a number within 64 bits")
    elif value is not None and not isinstance(value, bool):
        raise Misfit(where, value, "a label: a text, a number, null, or a list of these")


_FAMILY = fields({"name": _word, "fields": items(_word), "widths": items(whole(1, 20))})
_NAMES = fields({"names": items(_label)})


def _family(value: Any, where: str) -> None:
    mapping(anything)(value, where)
    if "names" in value:
        _NAMES(value, where)
        return
    _FAMILY(value, where)
    if len(value["fields"]) != len(value["widths"]):
        raise Misfit(where, value, "as many fields as widths")


MODEL_CONTENT = fields(
    {
        "sizes": fields({"variables": whole(0), "rows": whole(0), "products": whole(0)}),
        "offset": number(),
        "group_names": items(text),
        "labels": items(_family),
        "row_labels": items(_family),
    }
)


def model_arrays(content: Mapping[str, Any], names: list[str]) -> dict[str, ArrayForm]:
    """The arrays of a model, by the sizes that its content announces."""
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

_CODE = fields(
    {
        "name": text,
        "coefficients": items(whole(-2 * LARGEST_LEVEL, 2 * LARGEST_LEVEL), 1),
        "offset": whole(-LARGEST_LEVEL, LARGEST_LEVEL),
        "step": number(above=0),
        "one_hot": flag,
    }
)


def _activation(value: Any, where: str) -> None:
    """The name of an activation."""
    try:
        known = isinstance(value, str) and activation(value).name == value
    except InvalidInputError:
        known = False
    if not known:
        raise Misfit(where, value, " or ".join(map(repr, vocabulary.ACTIVATIONS)))


_PAIR = items(whole(0, WIDEST), 2, 2)
_WINDOW = fields(
    {
        "shape": items(whole(1, WIDEST), 3, 3),
        "filters": whole(1, WIDEST),
        "size": _PAIR,
        "stride": _PAIR,
        "padding": _PAIR,
        "groups": whole(1, WIDEST),
        "pooled": nothing_or(whole(-WIDEST, WIDEST)),
    }
)


def _ties(value: Any, where: str) -> None:
    """Shared weights: a window, or the two lengths of arrays that say which."""
    if isinstance(value, list):
        _PAIR(value, where)
    else:
        _WINDOW(value, where)


_LAYER = fields(
    {
        "inputs": whole(1, WIDEST),
        "outputs": whole(1, WIDEST),
        "code": _CODE,
        "bias_code": nothing_or(_CODE),
        "activation": nothing_or(_activation),
        "pieces": nothing_or(whole(1)),
        "order": nothing_or(one_of(0, 1)),
        "placement": one_of(*PLACEMENTS),
        "resolution": nothing_or(whole(1)),
        "scale": nothing_or(whole(1)),
        "ties": may(_ties),
    }
)
_SPLINE = fields({"step": number(above=0), "error": number(0), "scale": number(above=0)})


ANY_ABOUT = mapping(anything)


def network_content(about: Form) -> Form:
    """The content of a network's file, with what is kept beside it."""

    def check(value: Any, where: str) -> None:
        table: dict[str, Form | may] = {
            "layers": items(_LAYER, 1),
            "splines": items(_SPLINE),
            "about": may(about),
        }
        fields(table)(value, where)
        if len(value["splines"]) != len(value["layers"]) - 1:
            raise Misfit("splines", value["splines"], "one for each layer but the last")

    return check


def network_arrays(content: Mapping[str, Any], names: list[str]) -> dict[str, ArrayForm]:
    """The arrays of a trained network, by the widths of its layers."""
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
