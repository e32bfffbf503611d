"""Data augmentation for training: images slightly moved, turned and stretched."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from formulations.arrays import Array, FloatArray


def warped(
    images: npt.ArrayLike,
    thresholds: FloatArray,
    rng: np.random.Generator,
    *,
    shift: float = 1.0,
    turn: float = 0.1,
    stretch: float = 0.1,
) -> Array:
    """Apply a random affine map near the identity to every image, pool, and put it on levels.

    The result at offset y from the centre is the image at A y - s, by bilinear interpolation
    between pixels and zero beyond the border: A = R(u_1 turn) S, s = shift (u_2, u_3), with
    S = [[1 / (1 + stretch u_4), stretch u_5], [0, 1 / (1 + stretch u_6)]] and u uniform in [-1, 1].
    Images are warped in random groups of 200, redrawn at each call.

    Parameters
    ----------
    images : array, shape (N, h, w)
        Images as in the source.
    thresholds : ndarray of float64, shape (levels - 1, d)
        See :func:`qnn.data.levels.on_levels`; with fewer columns than pixels, which must be a
        square number, images are pooled by sums over square blocks, see
        :func:`qnn.data.images.pool`.
    rng : Generator
    shift : float
        Maximum shift in pixels.
    turn : float
        Maximum rotation, in radians.
    stretch : float
        Maximum relative change in size, and maximum slant.

    Returns
    -------
    ndarray of int16, shape (N, d)

    Examples
    --------
    >>> square = np.zeros((1, 6, 6), dtype=np.uint8)
    >>> square[0, 1:5, 1:5] = 200
    >>> edges = np.full((1, 36), 100.0)
    >>> rng = np.random.default_rng(4)
    >>> moved = warped(square, edges, rng, shift=1, turn=0, stretch=0)
    >>> moved.reshape(6, 6)[2].tolist()
    [-1, -1, 1, 1, 1, 1]
    """
    images = np.asarray(images)
    image_shape, images = images.shape[1:], images.reshape(len(images), -1)
    found = np.empty((len(images), thresholds.shape[1]), dtype=np.int16)
    edges = thresholds.astype(np.float32)[:, :, None]
    count = len(edges) + 1
    order, group = rng.permutation(len(images)), 200  # one sparse product warps a whole group
    for start in range(0, len(order), group):
        chosen = order[start : start + group]
        drawn = rng.uniform(-1, 1, 6) * [turn, shift, shift, stretch, stretch, stretch]
        read = _reading(image_shape, thresholds.shape[1], *drawn)
        values = read @ np.ascontiguousarray(images[chosen].T, dtype=np.float32)
        above = np.zeros(values.shape, dtype=np.int16)
        for edge in edges:
            above += edge < values
        found[chosen] = 2 * above.T - (count - 1) if count % 2 == 0 else above.T - count // 2
    return found


def _reading(
    image_shape: tuple[int, int],
    inputs: int,
    turn: float,
    down: float,
    right: float,
    tall: float,
    slant: float,
    wide: float,
) -> sp.csr_array:
    """Weights of the raw pixels in each warped and pooled one, shape (inputs, h * w)."""
    h, w = image_shape
    side = round(inputs**0.5) if inputs < h * w else 0
    rows, columns = (side, side) if side else (h, w)
    top, left = h % rows // 2, w % columns // 2  # the border that pooling drops
    y, x = np.mgrid[top : h - top, left : w - left]
    block = ((y - top) // (h // rows) * columns + (x - left) // (w // columns)).ravel()
    cos, sin = np.cos(turn), np.sin(turn)
    A = np.array([[cos, -sin], [sin, cos]]) @ [[1 / (1 + tall), slant], [0, 1 / (1 + wide)]]
    middle = np.array([[(h - 1) / 2], [(w - 1) / 2]])
    at = A @ (np.stack([y.ravel(), x.ravel()]) - middle) + middle - [[down], [right]]
    corner = np.floor(at).astype(np.int64)
    part = at - corner
    pixels, blocks, weights = [], [], []
    for dy, dx in ((0, 0), (0, 1), (1, 0), (1, 1)):
        r, c = corner[0] + dy, corner[1] + dx
        weight = np.abs(1 - dy - part[0]) * np.abs(1 - dx - part[1])
        inside = (r >= 0) & (r < h) & (c >= 0) & (c < w) & (weight > 0)
        pixels.append((r * w + c)[inside])
        blocks.append(block[inside])
        weights.append(weight[inside])
    place = (np.concatenate(blocks), np.concatenate(pixels))
    values = np.concatenate(weights).astype(np.float32)
    return sp.csr_array((values, place), shape=(inputs, h * w))
