"""Progress of a run, by epochs and by the clock: its learning rates and default sizes."""

from __future__ import annotations

from math import cos, pi

from formulations import Network

FOLDED = 0.2
"""Final share of a run in which the thresholds are integers."""


def one_cycle(share: float, warm: float = 0.1) -> float:
    """Return the learning-rate factor: a linear rise for a share ``warm``, then a cosine fall.

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
    """Return the finished share of a run: of its epochs or of its time, whichever is larger.

    A run that is short of time still goes through its whole schedule, only faster.  Otherwise only
    the epochs count: the first tenth of the time is ignored.

    Examples
    --------
    >>> share_over(5.5, 10, 1.0, 4.0), round(share_over(0.5, 10, 2.2, 4.0), 6)
    (0.55, 0.5)
    >>> share_over(0.0, 10, 0.1, 4.0), share_over(0.0, 10, 4.0, 4.0)
    (0.0, 1.0)
    """
    share = epoch / epochs
    if time_limit is not None:
        # linear in time after a late start, and 1 at the limit
        share = max(share, (seconds / time_limit - 0.1) / (1 - 0.1))
    return min(share, 1.0)


STEP, SAMPLE, WEIGHT = 3e-4, 1e-6, 2e-10
"""Estimated seconds per training step, per sample, and per product of a sample."""


def default_batch(samples: int) -> int:
    """Return the samples per step: a tenth of all, at least 16 and at most 100.

    Examples
    --------
    >>> default_batch(60), default_batch(300), default_batch(60_000)
    (16, 30, 100)
    """
    return min(max(samples // 10, 16), 100)


def default_epochs(network: Network, samples: int, restarts: int, batch: int) -> int:
    """Return the number of epochs: 400 for small sets down to 40 for large, at most a minute.

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
    """Return the number of networks trained side by side: many if each is tiny.

    It is 1 if there are few samples for the weights: the best of several networks would be the one
    that overfits most.

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
    """Return the dropout share of hidden units: 0.3 if there are few samples for the weights.

    It is 0.8 if the targets are numbers, which are fitted as closely as the weights allow.  R^2 on
    one held-out fold of five (seed 0) at 0.3, 0.6 and 0.8: diabetes .306, .422 and .458; proline
    from the other columns of wine .605, .587 and .640.

    Examples
    --------
    >>> [default_dropout(Network.dense([13, hidden, 3]), 142) for hidden in (128, 4)]
    [0.3, 0.0]
    """
    few = samples < network.num_weights / 2
    return (0.8 if numbers else 0.3) if few else 0.0
