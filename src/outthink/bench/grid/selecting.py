"""Methods that only choose among whole samples, played on a stored pool: the same samples, the same answer, and nobody pays again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from outthink.agent import Agent
from outthink.bench.contest import Contestant, Question, play
from outthink.bench.outcome import Outcome
from outthink.bench.pools import Pool
from outthink.core.algorithm import Algorithm
from outthink.core.session import Session
from outthink.core.solver import Search
from outthink.core.verifier import ScoreSpec
from outthink.recipes.recipe import Recipe
from outthink.search import Adaptive, BestOfN, Vote
from outthink.search.temperatures import Steady


def selects(algorithm: Algorithm[Any], spec: ScoreSpec | None) -> bool:
    """Whether a method only chooses among whole samples, so that a stored pool serves it: the same samples, the same answer."""
    if spec is not None and spec.relative:
        return False
    match algorithm:
        case BestOfN():
            return True
        case Vote():
            return not algorithm.early_stop and not algorithm.redraws
        case Adaptive():
            return algorithm.pruning is None and isinstance(algorithm.temperature, Steady)
        case _:
            return False


def reads_pools(recipe: Recipe, spec: ScoreSpec | None) -> bool:
    """Whether a recipe's method only selects, and from samples that a pool keeps: texts. An agent's episode is a conversation."""
    return not isinstance(recipe.process, Agent) and selects(recipe.algorithm, spec)


def members(algorithm: Algorithm[Any]) -> int:
    """How many samples of a pool a method that selects may read."""
    if not isinstance(algorithm, BestOfN | Vote | Adaptive):
        raise TypeError(f"{algorithm.name()} does not select from a pool")
    return algorithm.n


def asks(algorithm: Algorithm[Any]) -> bool:
    """Whether a method that selects looks at scores at all."""
    return not isinstance(algorithm, Vote | Adaptive) or bool(algorithm.needs_verifier)


def reading(search: Search, pool: Pool, label: str | None) -> Search:
    """The search on the samples of a pool. `label`: where the verdicts of its own verifier are stored there; None for none."""
    judge = search.verifier
    verifier = None if judge is None or label is None else pool.scores(label, judge.spec)
    return replace(search, process=lambda task: pool.process(), verifier=verifier)


async def select(contestant: Contestant, question: Question, seed: int, pool: Pool, session: Session) -> Outcome:
    """What a contestant that reads this pool says, in a session of its own, which is closed."""
    known = {one.content: one.right for one in pool.samples if not one.failure}
    marked = replace(question, right=lambda candidate: known[candidate.content])
    return await play(contestant, seed, marked, session)
