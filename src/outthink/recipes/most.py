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

from outthink.agent import AgentProcess
from outthink.core.algorithm import Algorithm
from outthink.core.cost import ZERO, Cost, total_of
from outthink.core.ledger import Allowance
from outthink.core.process import Process, Revisable
from outthink.core.solver import Search
from outthink.core.task import Task
from outthink.core.verifier import ScoreSpec
from outthink.pipeline import AskingProcess, LayerBound, Pipeline, bounds, judged
from outthink.recipes.build import Built
from outthink.recipes.layers import inner_recipes
from outthink.recipes.recipe import Recipe
from outthink.search import (
    Adaptive,
    BestFirst,
    BestOfN,
    Evolve,
    ParticleFilter,
    Refine,
    Rewind,
    Rollover,
    Tree,
    Vote,
    ZeroOrder,
)
from outthink.search.feedback import Standing, told
from outthink.search.forks import FINISHING
from outthink.search.step_search import StepSearch
from outthink.search.sweeping import Sweeping
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
        layers: what each layer of a pipeline asks for at most, for one task; empty for other methods.
    """

    moves: int | None
    member: Cost
    judged: Cost
    bounds: Mapping[str, float]
    limited: tuple[str, ...]
    layers: tuple[LayerBound, ...] = ()

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


@dataclass(frozen=True)
class Rewriting:
    """What a member is told besides its own answer. `notes`: and, besides, what a verifier says, of which nobody knows how long it is."""

    feedback: str
    notes: bool


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
    return algorithm.n * (1 + algorithm.redraws) * (steps if algorithm.early_stop else 1)


@moves.register
def _(algorithm: ParticleFilter, steps: int) -> int | None:
    # The last round asks for `every` steps too, whatever is left; a look ahead takes each step but the first twice.
    looks = 0 if algorithm.look_ahead is None else steps - 1
    return algorithm.n * (steps + looks + algorithm.every - 1)


@moves.register
def _(algorithm: Sweeping, steps: int) -> int | None:
    # Of later sweeps one member a chain is given, unless everyone before was rejected.
    return algorithm.n * algorithm.sweeps * len(algorithm.heats) * (steps + algorithm.every - 1)


@moves.register
def _(algorithm: StepSearch, steps: int) -> int | None:
    if isinstance(algorithm.look_ahead, str):
        return None  # what a forced answer costs is not in the price of a member
    rounds = min(algorithm.rounds, steps)
    return algorithm.n * (rounds + algorithm.look_ahead * (rounds - 1))


@moves.register
def _(algorithm: Refine, steps: int) -> int | None:
    return algorithm.n * (1 + algorithm.rounds)


@moves.register
def _(algorithm: Rollover, steps: int) -> int | None:
    # All proposals, each of so many steps, and the way to the end for lines that have none of their own.
    return algorithm.n * (algorithm.proposals * algorithm.every + steps)


@moves.register
def _(algorithm: ZeroOrder, steps: int) -> int | None:
    # A neighbour may cost a step by itself before it is taken to its end.
    return 1 + 2 * algorithm.n * algorithm.rounds


@moves.register
def _(algorithm: Rewind, steps: int) -> int | None:
    if algorithm.evaluate == "answer":
        return None  # what a forced answer costs is not in the price of a member
    gain = algorithm.ahead - algorithm.back
    rounds = min(algorithm.rounds, max(0, math.ceil((steps - algorithm.start) / gain)))
    return algorithm.n * (min(algorithm.start, steps) + rounds * algorithm.children * algorithm.ahead + 1)


@moves.register
def _(algorithm: Evolve, steps: int) -> int | None:
    if algorithm.mutation == "revise":
        return sum(algorithm.populations)
    # To the last level step by step, then to the end; a neighbour may cost a step by itself before it goes on.
    first, *others = algorithm.populations
    levels = [min(level, steps) for level in algorithm.schedule]
    after = [levels[-1] - level + 2 for level in levels]
    return first * (levels[-1] + 1) + sum(size * moved for size, moved in zip(others, after, strict=True))


@moves.register
def _(algorithm: BestFirst, steps: int) -> int | None:
    # Every child that is drawn is one move, and so is each attempt to take the best one to its end when all are drawn.
    return algorithm.n + FINISHING


@moves.register
def _(algorithm: Adaptive, steps: int) -> int | None:
    # Step by step to the last checkpoint at most, then to the end.
    return algorithm.n * (1 + (0 if algorithm.pruning is None else min(steps, algorithm.pruning.at[-1])))


@moves.register
def _(algorithm: Tree, steps: int) -> int | None:
    if algorithm.evaluate == "score":
        return algorithm.n + FINISHING
    return algorithm.n * (steps if algorithm.levels is None else min(steps, len(algorithm.levels) + 1))


@singledispatch
def rewriting(algorithm: Algorithm[Any], spec: ScoreSpec | None) -> Rewriting | None:
    """What a member is told when it is rewritten; None for a method that rewrites nothing. Methods add theirs like `moves`."""
    return None


@rewriting.register
def _(algorithm: Refine, spec: ScoreSpec | None) -> Rewriting | None:
    return _told(algorithm, spec, 2 * algorithm.contrast) if algorithm.rounds else None


@rewriting.register
def _(algorithm: Evolve, spec: ScoreSpec | None) -> Rewriting | None:
    return _told(algorithm, spec) if algorithm.mutation == "revise" else None


def _told(algorithm: Refine | Evolve, spec: ScoreSpec | None, ends: int = 0) -> Rewriting:
    """The longest that is told of an answer's score, and of so many others."""
    widest = Standing(score=-1.234e-300, note="")
    silent = spec is not None and not spec.tells_notes
    notes = algorithm.feedback in ("notes", "score-and-notes") and algorithm.needs_verifier and not silent
    return Rewriting(told(algorithm.request, algorithm.feedback, widest, spec, (widest,) * ends), notes)


async def price(process: Process[Any]) -> Meter:
    """What one member asks for from start to end; spends nothing. Raises what the process refuses (`ContextOverflow`)."""
    meter = Meter()
    seeds = np.zeros(1, np.uint64)
    await process.advance(await process.start(seeds), seeds, steps=None, allowance=meter)
    meter.asked = _whole(process, meter.asked)
    return meter


def _whole(process: Process[Any], asked: Cost) -> Cost:
    """What a member asks for that asked for so much at first: an agent asks anew for each turn."""
    return asked.times(process.settings.turns) if isinstance(process, AgentProcess) else asked


async def _rewritten(process: Process[Any], told_it: Rewriting, member: Cost) -> Cost:
    """What rewriting one member asks for at most, its notes apart.

    It reads the longest answer again, counted twice: a text that is encoded anew may fall into more tokens than it was written in.
    """
    if not isinstance(process, Revisable):
        return ZERO
    meter = Meter()
    seeds = np.zeros(1, np.uint64)
    await process.revise(await process.start(seeds), [told_it.feedback], seeds, allowance=meter)
    return _whole(process, meter.asked) + Cost(input_tokens=2 * member.output_tokens)


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
        layers=next((share.layers for share in shares), ()),
    )


@dataclass(frozen=True)
class _Share:
    """One task's part.

    Attributes:
        moves: the most steps of members; None where nothing bounds it.
        member, judged: the most that one member costs from start to end, and that judging it costs.
        least: the shortest reply worth asking for, in tokens.
        noted: whether members are told what a verifier said, so that nobody knows how much they read.
        whole: whether the method draws whole members. `resumed`: whether a member may take several calls to its end all the same.
        columns: the whole bound by column, where it is no product of members; of pipelines, whose requests differ.
    """

    moves: int | None
    member: Cost
    judged: Cost
    least: int
    whole: bool
    resumed: bool = False
    noted: bool = False
    columns: Mapping[str, float] | None = None
    layers: tuple[LayerBound, ...] = ()

    def column(self, name: str) -> float:
        """The most that this task can add to a column; inf where it is not known."""
        if self.columns is not None:
            return self.columns[name]
        value = (self.member + self.judged).column(name)
        if self.moves is None or name == "seconds" or math.isnan(value):
            return math.inf
        if self.noted and name in ("tokens", "input_tokens", "money"):
            return math.inf
        if name == "input_tokens" and (not self.whole or self.resumed):
            value += self.member.output_tokens  # a later step reads what the earlier ones wrote
        return value * self.moves


async def _share(built: Built, task: Task) -> _Share:
    search = built.solver
    process = search.process(task)
    search.check(process)
    if isinstance(process, AskingProcess) and isinstance(search.algorithm, Pipeline):
        return await _layers(built.recipe, search, search.algorithm, process)
    asked = await price(process)
    member = asked.asked
    spec = search.verifier.spec if search.verifier is not None else None
    judged = search.verifier.most(task) if search.verifier is not None else ZERO
    steps = _steps(process, member, search.max_steps)
    bound = None if _asks_in_words(built.recipe, search.algorithm) else moves(search.algorithm, steps)
    told_it = rewriting(search.algorithm, spec)
    if told_it is not None:
        member = _greater(member, await _rewritten(process, told_it, member))
    # What an agent sees after an action is read at the next one, and nobody knows how long it is.
    noted = isinstance(process, AgentProcess) or (told_it is not None and told_it.notes)
    return _Share(bound, member, judged, asked.least, _draws_whole(search.algorithm), noted=noted)


def _steps(process: Process[Any], member: Cost, guard: int) -> int:
    """The most steps that a member takes: an agent's turns; else each writes a token, but a last one that only ends."""
    if isinstance(process, AgentProcess):
        return min(guard, process.settings.turns)
    return min(guard, member.output_tokens + 1) if member.output_tokens else guard


async def _layers(recipe: Recipe, search: Search, pipeline: Pipeline, process: AskingProcess) -> _Share:
    """A pipeline's part: the requests of its layers, the searches inside it, and what its verifier judges."""
    found, task = bounds(pipeline, process), process.task
    one = search.verifier.most(task) if search.verifier is not None else ZERO
    total = total_of([*(layer.cost for layer in found), one.times(judged(pipeline, process))])
    columns = {name: total.column(name) for name in COLUMNS}
    calls: int | None = sum(layer.most for layer in found)
    for (_, inner), made in zip(inner_recipes(recipe), process.solvers, strict=True):
        share = await _share(Built(inner, made.search, None), task)
        limits = inner.budget.limits()
        columns = {name: value + min(share.column(name), limits.get(name, math.inf)) for name, value in columns.items()}
        calls = None if calls is None or share.moves is None else calls + share.moves
    columns = {name: math.inf if math.isnan(value) else value for name, value in columns.items()}
    dearest = max((layer.cost for layer in found), key=lambda cost: cost.tokens, default=ZERO)
    return _Share(calls, dearest, one, 1, True, columns={**columns, "seconds": math.inf}, layers=tuple(found))


def _draws_whole(algorithm: Algorithm[Any]) -> bool:
    """Whether each member takes one call; a vote that may stop early goes step by step."""
    return algorithm.whole_samples and not (isinstance(algorithm, Vote) and algorithm.early_stop)


def _greater(one: Cost, other: Cost) -> Cost:
    """The greater of the two, column by column."""
    columns = one.__struct_fields__
    return Cost(**{name: max(getattr(one, name), getattr(other, name)) for name in columns})


def _total(shares: Sequence[_Share]) -> dict[str, float]:
    return {name: sum(share.column(name) for share in shares) for name in COLUMNS}


def _resumed(share: _Share, tokens: float) -> _Share:
    """The same where replies are shortened: a call that leaves its member unfinished has used the least that is worth asking for.

    A pipeline drops what is unfinished.
    """
    if share.columns is not None:
        return share
    if share.moves is None or not share.whole:
        return replace(share, resumed=True)
    unfinished = int(min(tokens, share.moves * share.member.output_tokens) // share.least)
    return replace(share, moves=share.moves + unfinished, resumed=True)


def _asks_in_words(recipe: Recipe, algorithm: Algorithm[Any]) -> bool:
    """Whether steps may be asked for in words, each with instructions of its own that the price of a whole member does not hold."""
    return isinstance(recipe.process, Text) and recipe.process.allow_prompted and not algorithm.whole_samples
