"""The most that a search can cost, found without spending anything: what `outthink run --dry-run` prints.

The price of one member comes from the process itself. It is asked to take one fresh member to the end under an allowance that grants
nothing: what it asks for is what the ledger would reserve before the first call, the prompt, the longest reply and the call, and since
nothing is granted, nothing is sent. A step of a member never needs more than the whole of it: what it reads and writes is part of the
longest text.

How many steps of members a search takes comes from its method (`moves`): a bound for any scores, so that

    cost <= moves * (price of a whole member + price of judging it)

in every column (a later step's input includes what the steps before it wrote), and never more than the budget. Step-wise methods often
cost far less than this bound: prefixes are cached, and most members end early. A method that gives no bound of its own is bounded by the
budget alone, and a column that neither bounds is said to be unbounded.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import singledispatch
from typing import Any

import numpy as np

from outthink.core.algorithm import Algorithm
from outthink.core.cost import ZERO, Cost
from outthink.core.ledger import Allowance
from outthink.core.process import Process
from outthink.core.task import Task
from outthink.recipes.build import Built
from outthink.recipes.recipe import Recipe
from outthink.search import Beam, BestOfN, ParticleFilter, Vote
from outthink.text import Text

COLUMNS = ("tokens", "input_tokens", "output_tokens", "calls", "verifier_calls", "denoiser_evals", "seconds", "money")


@dataclass(frozen=True)
class Most:
    """Upper bounds for some tasks under one recipe and one budget.

    Attributes:
        moves: the most steps of members, over all tasks; None where the method gives no bound.
        member: the most that one member can cost from start to end, over the tasks. `judged`: the most that judging one can cost.
        bounds: column to the most that can be spent; inf where nothing bounds it.
        limited: the columns in which the budget is the tighter bound.
    """

    moves: int | None
    member: Cost
    judged: Cost
    bounds: Mapping[str, float]
    limited: tuple[str, ...]

    @property
    def unbounded(self) -> tuple[str, ...]:
        """Columns that neither method nor budget bounds."""
        return tuple(name for name, most in self.bounds.items() if math.isinf(most))


class Meter(Allowance):
    """Grants nothing, and notes what one slot asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = ZERO
        self.least = 1

    def claim(self, *, fixed: Cost = ZERO, unit: Cost = ZERO, most: int = 0, least: int = 0) -> int | None:
        """Note the claim and refuse it."""
        self.asked, self.least = fixed + unit.times(most), max(1, least)
        return None

    def claim_each(
        self, n: int, *, fixed: Cost = ZERO, unit: Cost = ZERO, most: int = 0, least: int = 0
    ) -> list[int | None]:
        """Note what each of n slots asks for and refuse all of them."""
        return [self.claim(fixed=fixed, unit=unit, most=most, least=least) for _ in range(n)]


@singledispatch
def moves(algorithm: Algorithm[Any], steps: int) -> int | None:
    """The most steps that a method can take, over all members, where a member ends within `steps` steps. To the end counts as one.

    None where it is not known. A method from elsewhere adds its bound with `@moves.register`.
    """
    return None


@moves.register
def _(algorithm: BestOfN, steps: int) -> int | None:
    return algorithm.n


@moves.register
def _(algorithm: Vote, steps: int) -> int | None:
    return algorithm.n * (1 + algorithm.redraws)


@moves.register
def _(algorithm: ParticleFilter, steps: int) -> int | None:
    # The last round asks for `every` steps too, whatever is left.
    return algorithm.n * (steps + algorithm.every - 1)


@moves.register
def _(algorithm: Beam, steps: int) -> int | None:
    return algorithm.n * min(algorithm.rounds, steps)


async def price(process: Process[Any]) -> Meter:
    """What one member asks for from start to end; spends nothing. Raises what the process refuses (`ContextOverflow`)."""
    meter = Meter()
    seeds = np.zeros(1, np.uint64)
    await process.advance(await process.start(seeds), seeds, steps=None, allowance=meter)
    return meter


async def most(built: Built, tasks: Sequence[Task]) -> Most:
    """The most that these tasks can cost together. Raises `Incompatible` for parts that do not fit; spends nothing."""
    limits = built.recipe.budget.limits()
    shares = [await _share(built, task) for task in tasks]
    total = _total(shares)
    if any(limit < total[name] for name, limit in limits.items() if name != "seconds"):
        # A limit may shorten replies, and a shortened one is gone on with in another call.
        shares = [
            _resumed(share, min(limits.get(name, math.inf) for name in ("tokens", "output_tokens"))) for share in shares
        ]
        total = _total(shares)
    bounds = {name: min(total[name], limits.get(name, math.inf)) for name in COLUMNS}
    bounds["output_tokens"] = min(bounds["output_tokens"], bounds["tokens"])
    return Most(
        moves=None if any(share.moves is None for share in shares) else sum(share.moves or 0 for share in shares),
        member=max((share.member for share in shares), key=lambda cost: cost.tokens, default=ZERO),
        judged=max((share.judged for share in shares), key=lambda cost: cost.tokens, default=ZERO),
        bounds=bounds,
        limited=tuple(name for name, limit in limits.items() if limit <= total[name]),
    )


@dataclass(frozen=True)
class _Share:
    """One task's part.

    Attributes:
        moves: the most steps of members; None where nothing bounds it.
        member, judged: the most that one member costs from start to end, and that judging it costs.
        least: the shortest reply worth asking for, in tokens.
        whole: whether the method draws whole members. `resumed`: whether a member may take several calls to its end all the same.
    """

    moves: int | None
    member: Cost
    judged: Cost
    least: int
    whole: bool
    resumed: bool = False

    def column(self, name: str) -> float:
        """The most that this task can add to a column; inf where it is not known."""
        value = (self.member + self.judged).column(name)
        if self.moves is None or name == "seconds" or math.isnan(value):
            return math.inf
        if name == "input_tokens" and (not self.whole or self.resumed):
            value += self.member.output_tokens  # a later step reads what the earlier ones wrote
        return value * self.moves


async def _share(built: Built, task: Task) -> _Share:
    search = built.solver
    process = search.process(task)
    search.check(process)
    asked = await price(process)
    member = asked.asked
    judged = search.verifier.most(task) if search.verifier is not None else ZERO
    # Every step writes at least one token where members write tokens at all, but for a last one that only ends.
    steps = min(search.max_steps, member.output_tokens + 1) if member.output_tokens else search.max_steps
    bound = None if _asks_in_words(built.recipe, search.algorithm) else moves(search.algorithm, steps)
    return _Share(bound, member, judged, asked.least, search.algorithm.whole_samples)


def _total(shares: Sequence[_Share]) -> dict[str, float]:
    return {name: sum(share.column(name) for share in shares) for name in COLUMNS}


def _resumed(share: _Share, tokens: float) -> _Share:
    """The same where replies are shortened: a call that leaves its member unfinished has used the least that is worth asking for."""
    if share.moves is None or not share.whole:
        return replace(share, resumed=True)
    unfinished = int(min(tokens, share.moves * share.member.output_tokens) // share.least)
    return replace(share, moves=share.moves + unfinished, resumed=True)


def _asks_in_words(recipe: Recipe, algorithm: Algorithm[Any]) -> bool:
    """Whether steps may be asked for in words, each with instructions of its own that the price of a whole member does not hold."""
    return isinstance(recipe.process, Text) and recipe.process.allow_prompted and not algorithm.whole_samples
