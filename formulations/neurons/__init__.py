"""Encodings of a neuron: one file each, and a line in this table."""

from formulations.checks import choose
from formulations.network.splines import Spline
from formulations.neurons.base import NeuronEncoding
from formulations.neurons.one_hot import OneHot
from formulations.neurons.threshold import Threshold
from formulations.neurons.twos_complement import TwosComplement

__all__ = ["ENCODINGS", "NeuronEncoding", "OneHot", "Threshold", "TwosComplement", "encoding_for"]

ENCODINGS: dict[str, type[NeuronEncoding]] = {
    "twos-complement": TwosComplement,
    "one-hot": OneHot,
    "threshold": Threshold,
}


def encoding_for(spec: str | None, spline: Spline) -> NeuronEncoding:
    """The encoding named, or for None the one that fits: words for two pieces, one-hot for more.

    Examples
    --------
    >>> from formulations.network.splines import sign
    >>> encoding_for(None, sign()).name
    'twos-complement'
    """
    if spec is None:
        return TwosComplement() if spline.num_pieces <= 2 else OneHot()
    return ENCODINGS[choose("encoding", spec, list(ENCODINGS))]()
