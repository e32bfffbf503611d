"""How far a run is: its schedule of learning rates, by epochs and by the clock."""

from __future__ import annotations

from math import cos, pi

from formulations import Network

FOLDED = 0.2
"""Share of a run, at its end, in which the thresholds are integers."""


def one_cycle(share: float, warm: float = 0.1) -> float:
    """Factor of the learning rate: up linearly for a share ``warm``, then down by a cosine.

    [Smith and Topin 2018.]

    Examples
    --------
    >>> one_cycle(0.0), one_cycle(0.1), round(one_cycle(1.0), 6)
    (0.1, 1.0, 0.0)
    """
    if share < warm:
        return 0.1 + 0.9 * share / warm
    return 0.5 + 0.5 * cos(pi * min(1.0, (share - warm) / (1 - warm)))


def share_over(
    epoch: float, epochs: int, seconds: float = 0.0, time_limit: float | None = None
) -> float:
    """The share of a run that is over: of its epochs or of its time, whichever is larger.

    A run that is short of time goes through its whole schedule all the same, only faster.  One that
    is not goes by its epochs alone, whatever the clock says: the first tenth of the time does not
    count.

    Examples
    --------
    >>> share_over(5.5, 10, 1.0, 4.0), round(share_over(0.5, 10, 2.2, 4.0), 6)
    (0.55, 0.5)
    >>> share_over(0.0, 10, 0.1, 4.0), share_over(0.0, 10, 4.0, 4.0)
    (0.0, 1.0)
    """
    share = epoch / epochs
    if time_limit is not None:
        # a line that begins late, and is at 1 in time
        share = max(share, (seconds / time_limit - 0.1) / (1 - 0.1))
    return min(share, 1.0)


STEP, SAMPLE, WEIGHT = 3e-4, 1e-6, 2e-10
"""Seconds of a training step, of each of its samples, and of each product of these."""


def default_batch(samples: int) -> int:
    """Samples of a step: a tenth of all, at least 16 and at most 100.

    Examples
    --------
    >>> default_batch(60), default_batch(300), default_batch(60_000)
    (16, 30, 100)
    """
    return min(max(samples // 10, 16), 100)


def default_epochs(network: Network, samples: int, restarts: int, batch: int) -> int:
    """Passes over the data: 400 of small sets down to 40 of large ones, in a minute at most.

    Examples
    --------
    >>> default_epochs(Network.dense([16, 5, 1]), 100, 16, 16)
    400
    >>> default_epochs(Network.dense([784, 1000, 1000, 10]), 60_000, 1, 100)
    2
    """
    products = sum(layer.outputs * layer.fan_in for layer in network.layers) * restarts
    epoch = samples * (STEP / batch + SAMPLE * restarts + WEIGHT * products)
    return int(max(1, min(max(600_000 // samples, 40), 400, 60 // epoch)))


def default_restarts(network: Network, samples: int) -> int:
    """Networks that are trained side by side: many where one is tiny.

    One, where there are few samples for the weights: the best of several on these would be the one
    that fits them too closely.

    Examples
    --------
    >>> tiny, wide = Network.dense([16, 5, 1]), Network.dense([16, 128, 1])
    >>> default_restarts(tiny, 100), default_restarts(wide, 100), default_restarts(wide, 10_000)
    (16, 1, 9)
    """
    if samples < network.num_weights / 2:
        return 1
    return min(max(20_000 // network.num_weights, 1), 16)


def default_dropout(network: Network, samples: int, numbers: bool = False) -> float:
    """Share of the hidden units that a step leaves out: 0.3 of many weights for few samples.

    0.8, where the targets are numbers: each is fitted as closely as the weights allow.  R^2 on one
    fold left out of five (seed 0) at 0.3, 0.6 and 0.8: diabetes .306, .422 and .458; proline from
    the other columns of wine .605, .587 and .640.

    Examples
    --------
    >>> [default_dropout(Network.dense([13, hidden, 3]), 142) for hidden in (128, 4)]
    [0.3, 0.0]
    """
    few = samples < network.num_weights / 2
    return (0.8 if numbers else 0.3) if few else 0.0
