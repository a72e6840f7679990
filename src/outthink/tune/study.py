"""A whole tuning study in a folder: measure, choose, judge on questions that were never tuned on, and leave what a person wants to see.

    study = await study_of(problem, Path("build/tune/countdown"), cut=cut)
    study.judged.difference                      # chosen minus default on held-out questions, with its interval

The folder holds the measurements (`trials.jsonl`), samples that several configurations read (`samples.jsonl`), what was spent
(`spending.jsonl`) and the answers of default and chosen recipe (`judged.jsonl`); `outthink.tune.writing` adds the chosen recipe
(`tuned.toml`), pictures and a report. The same problem in the same folder goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np

from outthink.bench.contest import Question
from outthink.bench.grid.spending import Spending
from outthink.bench.journal import Journal
from outthink.bench.outcome import Outcome
from outthink.bench.pools import Pool
from outthink.bench.tasks import load_tasks
from outthink.core.cost import ROLES, Budget, Cost, Role, total_of
from outthink.core.cut import Cut
from outthink.core.errors import InputError, OutthinkError, RecipeError, SettingsError, explain
from outthink.core.key import Key
from outthink.core.session import Session
from outthink.numerics.intervals import Interval
from outthink.numerics.paired import PairCounts, count_pairs, difference_interval
from outthink.recipes.recipe import Recipe
from outthink.tune.ground import Ground, Trial, Tuning
from outthink.tune.live import LiveRecipes, open_recipes
from outthink.tune.problem import Problem
from outthink.tune.shared_samples import SharedSamples
from outthink.tune.space import Space, Value, frozen
from outthink.tune.tuner import Strategy, Tuned, gaussian_process, tune

BOUND = "bound"
"""The name of the default recipe's answers that only tell what an answer may cost."""
ALL_OF_A_SMALL_SPACE = 2
"""A space with at most so many times the wanted candidates is taken whole."""


@dataclass(frozen=True)
class Judged:
    """Default and chosen recipe on the held-out questions.

    Attributes:
        default, chosen: shares right. default_cost, chosen_cost: tokens an answer.
        tokens: what all these answers cost together, beside the budget of tuning.
        pairs, interval: chosen against default, question by question.
    """

    default: float
    chosen: float
    default_cost: float
    chosen_cost: float
    tokens: int
    pairs: PairCounts
    interval: Interval

    @property
    def difference(self) -> float:
        """Share right of the chosen recipe minus that of the default."""
        return self.pairs.difference


@dataclass(frozen=True)
class Study:
    """Attributes:
    tuned: what was measured and believed. recipe: of the best configuration, None without one.
    at_most: tokens that an answer might cost, None for no bound. judged: None where nothing was held out or the study was stopped.
    What judging costs is not part of the study's budget; it stands in `judged`.
    """

    problem: Problem
    tuned: Tuned
    ground: Ground
    recipe: Recipe | None
    at_most: float | None
    judged: Judged | None


async def study_of(
    problem: Problem,
    folder: Path,
    *,
    cut: Cut,
    strategy: Strategy = gaussian_process,
    told: Callable[[Ground], None] | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Study:
    """Tune and judge. Raises `OutthinkError` for a problem that cannot be posed."""
    space = problem.over
    candidates = candidates_of(problem, space)
    tuning_on, judged_on = split(problem)
    session = Session.open(seed=problem.seed, cut=cut)
    async with AsyncExitStack() as stack:
        kept = Kept(
            stack.enter_context(Journal(folder / "trials.jsonl", Trial, identity=problem.digest)),
            stack.enter_context(Journal(folder / "judged.jsonl", Outcome, identity=problem.digest)),
            stack.enter_context(Journal(folder / "samples.jsonl", Pool, identity=problem.digest)),
        )
        recipes = await stack.enter_async_context(open_recipes())
        samples = SharedSamples(kept.samples)
        cap = Budget(tokens=int(problem.tokens))
        spending = stack.enter_context(
            Spending(folder / "spending.jsonl", cap, identity=problem.digest, finished=kept.paid())
        )
        paying = replace(session, ledger=spending.ledger)
        objective = LiveRecipes(problem, tuning_on, paying, recipes, samples)
        await objective.read_pools(candidates)
        first = first_of(problem, candidates)
        tuning = Tuning(
            tokens=problem.tokens,
            chunk=problem.chunk,
            initial=problem.initial,
            at_most=await _bound(problem, first, objective, kept.judged, cut, say),
            first=first,
        )
        tuned = await tune(
            objective,
            candidates,
            space,
            tuning,
            key=Key(problem.seed),
            journal=kept.trials,
            strategy=strategy,
            told=told,
            interrupted=lambda: cut.reason is not None,
        )
        recipe = None if tuned.best is None else problem.with_config(tuned.best.config)
        verdict = None
        if recipe is not None and judged_on and cut.reason is None:
            say(
                f"judging on {len(judged_on)} questions that were never tuned on: {_judging_price(tuned, first, judged_on)}"
            )
            judging = LiveRecipes(problem, judged_on, session, recipes, samples)
            verdict = await _judge(judging, problem.default(), recipe, tuned, judged_on, kept.judged)
    return Study(problem, tuned, tuned.ground, recipe, tuned.ground.at_most, verdict)


@dataclass(frozen=True)
class Kept:
    """What a study has on disk: measurements, answers of single recipes, and samples that configurations share."""

    trials: Journal[Trial]
    judged: Journal[Outcome]
    samples: Journal[Pool]

    def paid(self) -> dict[Role, Cost]:
        """What finished work within the study's budget cost, by role."""
        bills = [trial.bill for trial in self.trials.rows]
        bills += [{"generate": one.generated, "verify": one.judged} for one in self.judged.rows if one.method == BOUND]
        return {role: total_of(bill.get(role, Cost()) for bill in bills) for role in ROLES}


def _judging_price(tuned: Tuned, first: int | None, questions: list[Question]) -> str:
    default = float("nan") if first is None else float(tuned.ground.cost[first])
    chosen = float("nan") if tuned.best is None else tuned.best.cost
    both = (default + chosen) * len(questions)
    return "at a price not known" if both != both else f"about {both:,.0f} tokens, besides those of tuning"


def split(problem: Problem) -> tuple[list[Question], list[Question]]:
    """Questions to tune on and to judge on: taken in turn from each set of tasks. Raises `InputError` where there are too few."""
    sets = load_tasks(problem.tasks)
    mixed = list(chain.from_iterable(_in_turn([list(one.styled()) for one in sets])))
    wanted = problem.questions + problem.held_out
    if len(mixed) < wanted:
        raise InputError(
            explain(
                "There are too few questions.",
                got=f"{len(mixed)} in {', '.join(one.name for one in sets)}",
                expected=f"{problem.questions} to tune on and {problem.held_out} to judge on",
                remedy="Raise the tasks' limit, or lower `questions` or `held_out`.",
            )
        )
    return mixed[: problem.questions], mixed[problem.questions : wanted]


def _in_turn(sets: list[list[Question]]) -> Iterator[list[Question]]:
    for place in range(max(map(len, sets))):
        yield [one[place] for one in sets if place < len(one)]


def candidates_of(problem: Problem, space: Space) -> list[dict[str, Value]]:
    """All configurations of a small space, else so many drawn evenly; only those that make a recipe.

    Raises `SettingsError` where fewer than two do, with what is wrong with one that does not.
    """
    most = ALL_OF_A_SMALL_SPACE * problem.candidates
    found = list(islice(space.grid(), most + 1))
    if len(found) > most:
        rng = Key(problem.seed).child("candidates").rng()
        drawn = {frozen(config): config for config in (space.sample(rng) for _ in range(2 * problem.candidates))}
        found = list(drawn.values())[: problem.candidates]
    known = default_config(problem, space)
    if known is not None and known not in found:
        found.append(known)
    kept, trouble = [], ""
    for config in found:
        try:
            problem.with_config(config)
        except (RecipeError, SettingsError) as error:
            trouble = str(error)
            continue
        kept.append(config)
    if len(kept) < 2:
        raise SettingsError(
            explain(
                "Hardly any configuration of this space makes a recipe.",
                got=f"{len(kept)} of {len(found)}; {trouble}",
                expected="at least two",
                remedy="Correct the names and ranges of [space], or put `when` where a setting belongs to one choice only.",
            )
        )
    return kept


def default_config(problem: Problem, space: Space) -> dict[str, Value] | None:
    """The default recipe as a configuration of the space; None where the space does not hold it."""
    tables = problem.default().tables()
    config: dict[str, Value] = {}
    for name in space.dimensions:
        if not space.active(name, config):
            continue
        value: Any = tables
        for part in name.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        if not isinstance(value, bool | int | float | str):
            return None
        config[name] = value
    try:
        space.check(config)
    except InputError:
        return None
    return config


def first_of(problem: Problem, candidates: list[dict[str, Value]]) -> int | None:
    """The place of the default among the candidates."""
    known = default_config(problem, problem.over)
    return candidates.index(known) if known in candidates else None


async def _bound(
    problem: Problem,
    first: int | None,
    objective: LiveRecipes,
    journal: Journal[Outcome],
    cut: Cut,
    say: Callable[[str], None],
) -> float | Literal["first"] | None:
    """What an answer may cost. Where the space does not hold the default recipe, that is measured here, within the study's budget."""
    if problem.at_most != "default":
        return problem.at_most
    if first is not None:
        return "first"
    names = list(objective.questions[: 2 * problem.chunk])
    say(f"what the default recipe costs, on {len(names)} questions")
    found = await _answers(objective, problem.default(), BOUND, names, journal)
    if not found and cut.reason is None:
        raise InputError(
            explain(
                "The budget ends before it is known what an answer of the default recipe costs.",
                got=f"tokens = {problem.tokens:g}",
                expected="enough for an answer, and for much more than that",
                remedy="Raise `tokens`, or give `at_most` in tokens.",
            )
        )
    return float(np.mean([one.tokens for one in found])) if found else None


async def _answers(
    everything: LiveRecipes, recipe: Recipe, name: str, questions: list[str], journal: Journal[Outcome]
) -> list[Outcome]:
    """Answers to these questions under a name, those of the journal not asked again; what a limit or cut ended is missing.

    Raises `OutthinkError` where all failed.
    """
    had = {one.question: one for one in journal.rows if one.method == name}
    missing = [question for question in questions if question not in had]
    if missing:
        for outcome in await everything.answered(recipe, missing):
            named = msgspec.structs.replace(outcome, method=name)
            journal.add(named)
            had[named.question] = named
    found = [had[question] for question in questions if question in had]
    if found and all(one.failure for one in found):
        raise OutthinkError(f"The {name} recipe failed on every question: {found[0].failure}")
    return found


async def _judge(
    everything: LiveRecipes,
    default: Recipe,
    recipe: Recipe,
    tuned: Tuned,
    questions: list[Question],
    journal: Journal[Outcome],
) -> Judged | None:
    names = [question.task.id for question in questions]
    chosen_name = "" if tuned.best is None else repr(frozen(tuned.best.config))
    first = await _answers(everything, default, "default", names, journal)
    second = await _answers(everything, recipe, chosen_name, names, journal)
    if len(first) < len(names) or len(second) < len(names):
        return None
    pairs = count_pairs(np.array([one.right for one in second]), np.array([one.right for one in first]))
    return Judged(
        float(np.mean([one.right for one in first])),
        float(np.mean([one.right for one in second])),
        float(np.mean([one.tokens for one in first])),
        float(np.mean([one.tokens for one in second])),
        sum(one.tokens for one in (*first, *second)),
        pairs,
        difference_interval(pairs),
    )
