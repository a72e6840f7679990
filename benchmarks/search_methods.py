"""The methods that `benchmarks/search.py` compares, and the settings that they run with.

Sizes are in samples: what a method of size n costs is about what n whole samples cost. Settings were chosen on problems of another seed
(`CHOSEN_ON` in search.py); what is not said here is the method's default.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from outthink.bench import Contestant, Pools, Question
from outthink.core.algorithm import Algorithm
from outthink.core.solver import ProcessFor, Search
from outthink.core.verifier import Equivalence, ScoreKind, Verifier
from outthink.search import (
    Adaptive,
    Beam,
    BestFirst,
    BestOfN,
    DiverseVerifierTreeSearch,
    Ess,
    Incremental,
    ParticleFilter,
    Rebase,
    Threshold,
    Tree,
    Vote,
)

POOL_SIZES = (1, 2, 4, 8, 16, 32, 64)
SIZES = (4, 8, 16, 32)
LINES = 3
"""Steps of an average solution: best-first search counts children, and a sample is worth so many."""


def step_wise(n: int) -> dict[str, Algorithm[Any]]:
    """Methods that look at partial answers, at the cost of about n samples."""
    return {
        "beam": Beam(n=n),
        "diverse-verifier-tree-search": DiverseVerifierTreeSearch(n=n),
        "rebase": Rebase(n=n),
        "particle-filter": ParticleFilter(n=n),
        "entropic-particle-filter": ParticleFilter(
            n=n,
            ess_threshold=1.0,
            twist=Incremental(accept_values=True),
            annealing=Ess(horizon=8),
            exact=False,
        ),
        "published-particle-filter": ParticleFilter(
            n=n, ess_threshold=1.0, twist=Incremental(accept_values=True), resampling="multinomial", weight="logit"
        ),
        "best-first": BestFirst(n=n * LINES, children=4, batch=2, eta=0.05),
        "tree": Tree(n=n, widening=2.0, exponent=0.8),
    }


def selecting(
    pools: Pools, verifiers: dict[str, Verifier], equivalence: Equivalence | None, seeds: Sequence[int], most: int
) -> list[Contestant]:
    """Methods that choose from the pool, at every size."""
    found = []

    def enter(name: str, n: int, algorithm: Algorithm[Any], verifier: str | None) -> None:
        def solver(question: Question, seed: int) -> Search:
            pool = pools.at(question.task.id, seed)
            judge = None if verifier is None else pool.scores(verifier, verifiers[verifier].spec)
            return Search(lambda task: pool.process(), algorithm, judge, equivalence)

        found.append(Contestant(name, n, solver, tuple(seeds)))

    for n in [size for size in POOL_SIZES if size <= most]:
        enter("vote", n, Vote(n=n), None)
        enter("adaptive-vote", n, Adaptive(n=n), None)
        for verifier in verifiers:
            enter(f"best-of-n/{verifier}", n, BestOfN(n=n), verifier)
            enter(f"weighted-best-of-n/{verifier}", n, BestOfN(n=n, select="weighted"), verifier)
            enter(f"adaptive/{verifier}", n, Adaptive(n=n, stop=Threshold(value=0.9), choose="score"), verifier)
    return found


def growing(
    process: ProcessFor,
    verifiers: dict[str, Verifier],
    equivalence: Equivalence | None,
    sizes: Sequence[int],
    seeds: dict[str, Sequence[int]],
    oracles: frozenset[str],
) -> list[Contestant]:
    """Methods that look at partial answers, at every size, for every verifier that rates them; the first seed of all of them comes first.

    Args:
        seeds: of each verifier.
    """

    def solver_of(algorithm: Algorithm[Any], judge: Verifier) -> Callable[[Question, int], Search]:
        return lambda question, seed: Search(process, algorithm, judge, equivalence)

    return [
        Contestant(f"{name}/{verifier}", n, solver_of(algorithm, judge), (seed,), sees_reference=verifier in oracles)
        for seed in sorted({seed for each in seeds.values() for seed in each})
        for n in sizes
        for verifier, judge in verifiers.items()
        if judge.spec.kind is not ScoreKind.OUTCOME and seed in seeds[verifier]
        for name, algorithm in step_wise(n).items()
    ]
