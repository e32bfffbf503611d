"""Encodings of a neuron: one file and one entry of this table each."""

from formulations.checks import choose
from formulations.network.splines import Spline
from formulations.neurons import one_hot, threshold, twos_complement
from formulations.neurons.base import NeuronEncoding

__all__ = ["ENCODINGS", "NeuronEncoding", "encoding_for"]

ENCODINGS = {
    encoding.name: encoding
    for encoding in (
        NeuronEncoding("twos-complement", True, twos_complement.count, twos_complement.encode),
        NeuronEncoding("one-hot", True, one_hot.count, one_hot.encode),
        NeuronEncoding("threshold", False, threshold.count, threshold.encode),
    )
}


def encoding_for(spec: str | None, spline: Spline) -> NeuronEncoding:
    """Return the encoding called ``spec``; None takes words for two pieces, one-hot for more.

    Examples
    --------
    >>> from formulations.network.splines import sign
    >>> encoding_for(None, sign()).name
    'twos-complement'
    """
    if spec is None:
        spec = "twos-complement" if spline.num_pieces <= 2 else "one-hot"
    return ENCODINGS[choose("encoding", spec, list(ENCODINGS))]
