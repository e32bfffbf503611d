"""Embedding of a QUBO in a quantum annealer, checked before anything is sent.

A chain of qubits represents each variable of a QUBO, because a qubit has few neighbours.  Four
numbers describe how many qubits that takes on a graph of largest degree D:

    at least   sum_i max(1, (d_i - 2) / (D - 2)), rounded up each; d_i is the degree of variable i,
    at most    the qubits of the clique K_n, which holds every QUBO of n variables,
    between    the result of a search,
    roughly    a n^(1 + b) d^c, d being the mean degree: the expected result of a search.

The first holds because a chain of L qubits spends 2 (L - 1) of its L D coupler ends on itself.  The
second is found in polynomial time (Boothby, King and Roy, Quantum Inf. Process. 15, 495, 2016;
``minorminer.busclique``), the third by a heuristic (Cai, Macready and Roy, arXiv 1406.2741;
``minorminer.find_embedding``) whose failure proves nothing, and the fourth is fitted to it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from formulations.arrays import IntArray
from formulations.checks import choose
from formulations.errors import InvalidInputError, MissingExtraError
from formulations.extras import load_extra

if TYPE_CHECKING:
    import networkx as nx

Chains = dict[int, tuple[int, ...]]
"""An embedding: the qubits of each variable."""

GRAPHS: Mapping[str, str] = {
    "P16": "Advantage",
    "Z12": "Advantage2",
    "Z15": "Zephyr",
}
"""QPU graphs without defects: Pegasus of size 16, Zephyr of sizes 12 and 15. (Which QPU has which:
D-Wave documentation, "Per-QPU Solver Properties and Schedules".)"""

METHODS = ["best", "clique", "search"]
"""Embedding methods."""

WITHOUT = "not tried: pip install 'qnn-ising[ocean]' brings what embeds"


def hardware_graph(name: str) -> nx.Graph:
    """Make the graph called ``name``: ``P16`` is Pegasus of size 16, ``Z12`` is Zephyr of size 12.

    Raises
    ------
    InvalidInputError
        If the name is not P or Z and a size of at least 2.

    Examples
    --------
    >>> len(hardware_graph("P16")), len(hardware_graph("Z12"))
    (5640, 4800)
    """
    graphs = load_extra("dwave.graphs", "ocean", "the graph of a QPU")
    letter, size = _parts(name)
    make = {"P": graphs.pegasus_graph, "Z": graphs.zephyr_graph}[letter]
    return make(size)


def _parts(name: str) -> tuple[str, int]:
    match = re.fullmatch(r"([PZ])(\d+)", name)
    if match is None or int(match[2]) < 2:
        raise InvalidInputError(
            f"unknown graph {name!r}: expected P or Z and a size, such as {', '.join(GRAPHS)}"
        )
    return match[1], int(match[2])


def num_qubits(name: str) -> int:
    """Count the qubits of a graph: 8 (m - 1) (3 m - 1) in P_m, 16 m (2 m + 1) in Z_m.

    Examples
    --------
    >>> [num_qubits(name) for name in GRAPHS]
    [5640, 4800, 7440]
    """
    letter, m = _parts(name)
    return 8 * (m - 1) * (3 * m - 1) if letter == "P" else 16 * m * (2 * m + 1)


def clique_bound(name: str) -> int:
    """Count the variables of the largest clique on a graph.

    It is 12 (m - 1) on P_m from P_3 on, and 16 m - 8 on Z_m.

    (Boothby, Bunyk, Raymond and Roy, arXiv 2003.00133; D-Wave technical report 14-1056A-A.)

    Examples
    --------
    >>> [clique_bound(name) for name in GRAPHS]
    [180, 184, 232]
    """
    letter, m = _parts(name)
    return 12 * (m - 1) if letter == "P" else 16 * m - 8


def largest_clique(graph: nx.Graph) -> int:
    """Count the variables of the largest clique known to fit a graph, intact or with defects.

    Examples
    --------
    >>> largest_clique(hardware_graph("P16")), clique_bound("P16")
    (180, 180)
    """
    return len(_cliques(graph).largest_clique())


def _cliques(graph: nx.Graph) -> Any:
    """Return all cliques of a graph, found on first use and cached in Ocean's folder.

    Without that cache the search never ends for some Zephyr graphs (minorminer 0.2.22).
    """
    busclique = load_extra("minorminer.busclique", "ocean", "embedding")
    return busclique.busgraph_cache(graph, seed=0)


def clique_embedding(num_variables: int, graph: nx.Graph) -> Chains | None:
    """Return chains of which every two touch; None if the graph is too small.

    Examples
    --------
    >>> chains = clique_embedding(180, hardware_graph("P16"))
    >>> max(len(chain) for chain in chains.values())
    17
    >>> clique_embedding(181, hardware_graph("P16")) is None
    True
    """
    found = _cliques(graph).find_clique_embedding(num_variables)
    return _plain(found) if len(found) == num_variables else None


def searched_embedding(
    num_variables: int,
    heads: IntArray,
    tails: IntArray,
    graph: nx.Graph,
    *,
    timeout: float,
    seed: int = 0,
) -> Chains | None:
    """Search for chains by minorminer for at most ``timeout`` seconds; None if it finds none.

    The same seed gives the same chains, unless the time ran out.

    Examples
    --------
    >>> import numpy as np
    >>> heads, tails = np.array([0, 1, 0]), np.array([1, 2, 2])
    >>> chains = searched_embedding(4, heads, tails, hardware_graph("P2"), timeout=5.0)
    >>> sorted(chains)  # a variable without couplers has its qubit too
    [0, 1, 2, 3]
    """
    minorminer = load_extra("minorminer", "ocean", "embedding")
    found: dict[int, tuple[int, ...]] = {}
    coupled = np.union1d(heads, tails)
    if len(coupled):  # Otherwise minorminer would idle until the time is up.
        edges = list(zip(heads.tolist(), tails.tolist(), strict=True))
        found = minorminer.find_embedding(
            edges, list(graph.edges), timeout=timeout, random_seed=seed, threads=1
        )
        if not found:
            return None
    used = {qubit for chain in found.values() for qubit in chain}
    unused = (qubit for qubit in graph if qubit not in used)
    alone = np.setdiff1d(np.arange(num_variables), coupled).tolist()
    singles = {v: (qubit,) for v, qubit in zip(alone, unused, strict=False)}
    return _plain({**found, **singles}) if len(singles) == len(alone) else None


def best_embedding(
    num_variables: int,
    heads: IntArray,
    tails: IntArray,
    graph: nx.Graph,
    *,
    method: str = "best",
    timeout: float = 60.0,
) -> Chains | None:
    """Return the embedding with the shortest longest chain, then the fewest qubits, or None.

    Parameters
    ----------
    num_variables, heads, tails
        Variables and couplers of the QUBO.
    graph : networkx.Graph
        Graph of the machine.
    method : {"best", "clique", "search"}
        Embeddings to consider; only a search takes long.
    timeout : float
        Most seconds of the search.

    Examples
    --------
    >>> import numpy as np
    >>> ring = np.array([0, 0, 1, 2]), np.array([1, 3, 2, 3])
    >>> chains = best_embedding(4, *ring, hardware_graph("P2"))
    >>> [len(chain) for chain in chains.values()]
    [1, 1, 1, 1]
    """
    choose("embedding", method, METHODS)
    found = []
    if method != "search":
        found.append(clique_embedding(num_variables, graph))
    if method != "clique":
        found.append(searched_embedding(num_variables, heads, tails, graph, timeout=timeout))
    return min((chains for chains in found if chains is not None), key=_rank, default=None)


def _rank(chains: Chains) -> tuple[int, int]:
    lengths = [len(chain) for chain in chains.values()]
    return max(lengths, default=0), sum(lengths)


def _plain(found: Mapping[int, tuple[int, ...]]) -> Chains:
    return {int(v): tuple(int(q) for q in chain) for v, chain in sorted(found.items())}


def least_qubits(num_variables: int, heads: IntArray, tails: IntArray, degree: int) -> int:
    """Count the qubits that any embedding needs on a graph of largest degree ``degree``.

    Examples
    --------
    >>> import numpy as np
    >>> star = np.zeros(20, dtype=np.int64), np.arange(1, 21)
    >>> least_qubits(21, *star, degree=15)  # the centre needs 2
    22
    """
    neighbours = np.bincount(heads, minlength=num_variables)
    neighbours = neighbours + np.bincount(tails, minlength=num_variables)
    return int(np.maximum(1, -((2 - neighbours) // (degree - 2))).sum())


def unsearched_fit(least: int, name: str) -> Fit:
    """Judge a least number of qubits without a search: too many, or not tried.

    Examples
    --------
    >>> print(unsearched_fit(9000, "P16"))
    does not fit: 9,000 of 5,640 qubits at least
    """
    size = num_qubits(name)
    if least > size:
        return Fit(
            name, "search", False, note=f"does not fit: {least:,} of {size:,} qubits at least"
        )
    return Fit(name, "search", None, note="not tried")


def expected_qubits(num_variables: int, num_couplers: int, name: str) -> float:
    """Estimate the qubits that a search would take, at least one per variable.

    The law is fitted to 21 embeddings each of restricted problems with 26 to 755 variables on P16
    and Z12, and off by 12 % and 10 % there (root mean square); for other QUBOs it is a guess.

    Examples
    --------
    >>> round(expected_qubits(331, 1679, "P16"))  # a search found 1,355
    1092
    """
    laws = {"P": (0.126, 0.181, 0.956), "Z": (0.184, 0.120, 0.868)}
    a, b, c = laws[_parts(name)[0]]
    degree = 2.0 * num_couplers / max(1, num_variables)
    return float(num_variables * max(1.0, a * num_variables**b * degree**c))


@dataclass(frozen=True)
class Fit:
    """Fit of a QUBO to a graph by one embedding method.

    Parameters
    ----------
    graph : str
        Such as ``P16``.
    method : {"clique", "search", "expected"}
    fits : bool or None
        None if unknown: no search was made, or it found nothing.
    qubits, longest_chain : int or None
        Size of the embedding, if there is one.
    note : str
        Explanation if there is no embedding.
    """

    graph: str
    method: str
    fits: bool | None
    qubits: int | None = None
    longest_chain: int | None = None
    note: str = ""

    @classmethod
    def of(cls, graph: str, method: str, chains: Chains) -> Fit:
        """Make the fit of an embedding that was found."""
        lengths = [len(chain) for chain in chains.values()]
        return cls(graph, method, True, sum(lengths), max(lengths, default=0))

    def __str__(self) -> str:
        return self.note or f"fits: chains of {self.longest_chain} at most, {self.qubits:,} qubits"


def expected_fit(num_variables: int, num_couplers: int, name: str) -> Fit:
    """Estimate whether a search finds an embedding: it should fill at most half of the graph.

    Examples
    --------
    >>> print(expected_fit(331, 1679, "P16"))
    expected to fit: 1,092 of 5,640 qubits
    >>> print(expected_fit(1403, 6806, "P16"))
    not expected to fit: 5,761 of 5,640 qubits
    """
    qubits, size = expected_qubits(num_variables, num_couplers, name), num_qubits(name)
    # A search fills half of a graph in a minute or two: up to 0.42, the embeddings behind the laws
    # rarely failed; above 0.57 hardly any was found.
    fits = qubits <= 0.5 * size
    words = f"{'' if fits else 'not '}expected to fit: {qubits:,.0f} of {size:,} qubits"
    return Fit(name, "expected", fits, round(qubits), note=words)


def clique_fit(num_variables: int, name: str) -> Fit:
    """Check whether any QUBO of so many variables fits as a clique.

    Examples
    --------
    >>> print(clique_fit(100, "P16"))
    fits: chains of 10 at most, 982 qubits
    >>> print(clique_fit(200, "P16"))
    does not fit: 180 variables at most
    """
    largest, chains = clique_bound(name), None
    if num_variables <= largest:
        try:
            graph = hardware_graph(name)
            chains = clique_embedding(num_variables, graph)
            largest = largest_clique(graph)
        except MissingExtraError:
            return Fit(name, "clique", None, note=WITHOUT)
    if chains is None:
        return Fit(name, "clique", False, note=f"does not fit: {largest} variables at most")
    return Fit.of(name, "clique", chains)


def searched_fit(
    num_variables: int,
    heads: IntArray,
    tails: IntArray,
    name: str,
    *,
    timeout: float | None,
    seed: int = 0,
) -> Fit:
    """Search for an embedding for ``timeout`` seconds; None skips the search.

    A QUBO that needs more qubits than the graph has is refused without a search.

    Examples
    --------
    >>> import numpy as np
    >>> pair = np.array([0]), np.array([1])
    >>> print(searched_fit(2, *pair, "Z12", timeout=5.0))
    fits: chains of 1 at most, 2 qubits
    >>> print(searched_fit(2, *pair, "Z12", timeout=None))
    not tried
    """
    neighbours = {"P": 15, "Z": 20}  # at most, of a qubit in Pegasus and Zephyr
    least = least_qubits(num_variables, heads, tails, neighbours[_parts(name)[0]])
    if timeout is None or least > num_qubits(name):
        return unsearched_fit(least, name)
    try:
        graph = hardware_graph(name)
        chains = searched_embedding(num_variables, heads, tails, graph, timeout=timeout, seed=seed)
    except MissingExtraError:
        return Fit(name, "search", None, note=WITHOUT)
    if chains is None:
        return Fit(name, "search", None, note=f"none found in {timeout:g} s")
    return Fit.of(name, "search", chains)
