"""Embeddings: what is proven to fit, what is proven not to, and what a search finds."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from formulations.errors import InvalidInputError
from solvers.oracles.cloud.embedding import (
    GRAPHS,
    Chains,
    best_embedding,
    clique_bound,
    clique_embedding,
    clique_fit,
    expected_fit,
    expected_qubits,
    hardware_graph,
    largest_clique,
    least_qubits,
    num_qubits,
    searched_embedding,
    searched_fit,
)
from solvers.oracles.testing import random_qubo


def holds(chains: Chains, edges: list[tuple[int, int]], graph: nx.Graph) -> bool:
    """Whether chains are connected, apart, and touch wherever there is a coupler."""
    qubits = [qubit for chain in chains.values() for qubit in chain]
    touching = all(
        any(graph.has_edge(p, q) for p in chains[u] for q in chains[v]) for u, v in edges
    )
    connected = all(nx.is_connected(graph.subgraph(chain)) for chain in chains.values())
    return touching and connected and len(set(qubits)) == len(qubits)


def test_the_graphs_are_the_published_ones() -> None:
    """Qubits, couplers and degree of the whole graphs: Boothby et al. 2020 and 2021."""
    counts = {"P16": (5640, 40484, 15), "Z12": (4800, 45864, 20), "Z15": (7440, 71736, 20)}
    for name in GRAPHS:
        graph = hardware_graph(name)
        degree = max(degree for _, degree in graph.degree)
        assert (len(graph), graph.number_of_edges(), degree) == counts[name]


@pytest.mark.parametrize("name", ["P3", "P4", "P16", "Z2", "Z4", "Z15"])
def test_the_largest_clique_is_the_published_one(name: str) -> None:
    graph, largest = hardware_graph(name), clique_bound(name)
    assert largest_clique(graph) == largest
    assert len(graph) == num_qubits(name)
    chains = clique_embedding(largest, graph)
    assert chains is not None
    assert clique_embedding(largest + 1, graph) is None
    if largest < 40:
        pairs = [(u, v) for u in range(largest) for v in range(u)]
        assert holds(chains, pairs, graph)


def test_cliques_of_every_size_are_found_on_graphs_with_defects() -> None:
    """Without its cache minorminer goes on for ever on some of these."""
    random = np.random.default_rng(0)
    whole = hardware_graph("Z4")
    graph = whole.copy()
    graph.remove_nodes_from([q for q in whole if random.random() < 0.03])
    graph.remove_edges_from([edge for edge in list(graph.edges) if random.random() < 0.02])
    for n in range(1, largest_clique(graph) + 1):
        chains = clique_embedding(n, graph)
        assert chains is not None
        assert holds(chains, [(u, v) for u in range(n) for v in range(u)], graph)


@given(n=st.integers(1, 14), number=st.integers(0, 99), share=st.sampled_from([0.0, 0.2, 0.6, 1.0]))
@settings(max_examples=12)
def test_what_is_found_holds_and_stands_between_the_bounds(
    n: int, number: int, share: float
) -> None:
    qubo, graph = random_qubo(n, number, share), hardware_graph("Z3")
    edges = list(zip(qubo.heads.tolist(), qubo.tails.tolist(), strict=True))
    least = least_qubits(n, qubo.heads, qubo.tails, 20)
    clique, best = (
        best_embedding(n, qubo.heads, qubo.tails, graph, method=method, timeout=5.0)
        for method in ("clique", "best")
    )
    assert clique is not None
    assert best is not None
    for chains in (clique, best):
        assert sorted(chains) == list(range(n))
        assert holds(chains, edges, graph)
        assert sum(len(chain) for chain in chains.values()) >= least
    longest = [max(map(len, chains.values())) for chains in (clique, best)]
    assert longest[1] <= longest[0]


def test_the_same_seed_gives_the_same_chains() -> None:
    qubo, graph = random_qubo(12, 1), hardware_graph("P3")
    found = [searched_embedding(12, qubo.heads, qubo.tails, graph, timeout=20.0) for _ in range(2)]
    assert found[0] == found[1]


def test_a_search_that_finds_nothing_says_so_and_proves_nothing() -> None:
    qubo = random_qubo(60, share=1.0)
    fit = searched_fit(60, qubo.heads, qubo.tails, "P2", timeout=1.0)
    assert fit.fits is False  # of 40 qubits
    assert "at least" in str(fit)
    qubo = random_qubo(30, share=1.0)
    fit = searched_fit(30, qubo.heads, qubo.tails, "P3", timeout=0.5)
    assert fit.fits is None
    assert str(fit) == "none found in 0.5 s"
    assert clique_fit(30, "P3").fits is False


def test_expected_qubits_are_about_those_that_a_search_takes() -> None:
    """Of restricted problems; the whole comparison is benchmarks/embedding.py."""
    from formulations import Network, TrainingProblem
    from solvers import QCGD
    from solvers.footprint import first_qubo

    random = np.random.default_rng(0)
    whole = TrainingProblem(
        Network.dense([8, 3, 1]), random.choice([-1, 1], (12, 8)), random.choice([-1, 1], 12)
    )
    bits = random.integers(0, 2, whole.num_free_bits).astype(np.int8)
    problem = whole.restrict(np.arange(0, whole.num_free_bits, 4), bits)
    qubo = first_qubo(lambda oracle: QCGD(oracle=oracle).solve(problem))
    assert qubo is not None
    n, couplers = qubo.num_variables, len(qubo.couplings)
    for name in ("P6", "Z6"):
        found = searched_fit(n, qubo.heads, qubo.tails, name, timeout=20.0)
        clique = clique_fit(n, name)
        assert found.qubits is not None
        assert found.qubits == pytest.approx(expected_qubits(n, couplers, name), rel=0.4)
        assert clique.qubits is None or found.qubits <= clique.qubits
        assert expected_fit(n, couplers, name).fits


def test_unknown_graphs_and_ways_are_refused() -> None:
    for name in ("C16", "P", "Z1", "P16 "):
        with pytest.raises(InvalidInputError, match="expected P or Z and a size"):
            hardware_graph(name)
    none = np.zeros(0, dtype=np.int64)
    with pytest.raises(InvalidInputError, match="Did you mean 'clique'"):
        best_embedding(2, none, none, hardware_graph("P2"), method="cliques")
