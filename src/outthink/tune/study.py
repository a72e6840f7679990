"""A whole tuning study in a folder: measure, choose, judge on questions that were never tuned on, and leave what a person wants to see.

    study = await study_of(problem, Path("build/tune/countdown"), cut=cut)
    study.judged.difference                      # chosen minus default on held-out questions, with its interval

The folder holds the measurements (`trials.jsonl`) and the answers of default and chosen recipe (`judged.jsonl`); `outthink.tune.writing`
adds the chosen recipe (`tuned.toml`), pictures and a report. The same problem in the same folder goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from outthink.bench.contest import Question
from outthink.bench.journal import Journal
from outthink.bench.outcome import Outcome
from outthink.bench.tasks import load_tasks
from outthink.core.cut import Cut
from outthink.core.errors import InputError, OutthinkError, RecipeError, SettingsError, explain
from outthink.core.key import Key
from outthink.core.session import Session
from outthink.numerics.intervals import Interval
from outthink.numerics.paired import PairCounts, count_pairs, difference_interval
from outthink.recipes.recipe import Recipe
from outthink.tune.live import LiveRecipes, open_live
from outthink.tune.problem import Problem
from outthink.tune.space import Space, Value, frozen
from outthink.tune.tuner import Ground, Strategy, Trial, Tuned, Tuning, gaussian_process, tune

ALL_OF_A_SMALL_SPACE = 2
"""A space with at most so many times the wanted candidates is taken whole."""


@dataclass(frozen=True)
class Judged:
    """Default and chosen recipe on the held-out questions.

    Attributes:
        default, chosen: shares right. default_cost, chosen_cost: tokens an answer.
        pairs, interval: chosen against default, question by question.
    """

    default: float
    chosen: float
    default_cost: float
    chosen_cost: float
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
    """Tune, judge, and write. Raises `OutthinkError` for a problem that cannot be posed."""
    space = problem.over
    candidates = candidates_of(problem, space)
    tuning_on, judged_on = split(problem)
    session = Session.open(seed=problem.seed, cut=cut)
    with (
        Journal(folder / "trials.jsonl", Trial, identity=problem.digest) as trials,
        Journal(folder / "judged.jsonl", Outcome, identity=problem.digest) as judged,
    ):
        async with open_live(problem, [*tuning_on, *judged_on], session) as everything:
            names = [question.task.id for question in tuning_on]
            say(f"the default recipe on {min(len(names), 2 * problem.chunk)} questions")
            first = await _answers(everything, problem.default(), "default", names[: 2 * problem.chunk], judged)
            bound = _bound(problem, first)
            objective = LiveRecipes(problem, tuning_on, session, everything.engines)
            tuning = Tuning(
                tokens=problem.tokens,
                chunk=problem.chunk,
                initial=problem.initial,
                at_most=bound,
                first=first_of(problem, candidates),
            )
            tuned = await tune(
                objective,
                candidates,
                space,
                tuning,
                key=Key(problem.seed),
                journal=trials,
                strategy=strategy,
                told=told,
                interrupted=lambda: cut.reason is not None,
            )
            recipe = None if tuned.best is None else problem.with_config(tuned.best.config)
            verdict = None
            if recipe is not None and judged_on and cut.reason is None:
                say(f"judging on {len(judged_on)} questions that were never tuned on")
                verdict = await _judge(everything, problem.default(), recipe, tuned, judged_on, judged)
    return Study(problem, tuned, tuned.ground, recipe, bound, verdict)


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


def _bound(problem: Problem, first: list[Outcome]) -> float | None:
    if problem.at_most != "default":
        return problem.at_most
    return float(np.mean([one.tokens for one in first]))


async def _answers(
    everything: LiveRecipes, recipe: Recipe, name: str, questions: list[str], journal: Journal[Outcome]
) -> list[Outcome]:
    """Answers to these questions under a name, those of the journal not asked again. Raises `OutthinkError` where all failed."""
    had = {one.question: one for one in journal.rows if one.method == name}
    missing = [question for question in questions if question not in had]
    if missing:
        for outcome in await everything.answered(recipe, missing):
            named = msgspec.structs.replace(outcome, method=name)
            journal.add(named)
            had[named.question] = named
    found = [had[question] for question in questions]
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
) -> Judged:
    names = [question.task.id for question in questions]
    chosen_name = "" if tuned.best is None else repr(frozen(tuned.best.config))
    first = await _answers(everything, default, "default", names, journal)
    second = await _answers(everything, recipe, chosen_name, names, journal)
    pairs = count_pairs(np.array([one.right for one in second]), np.array([one.right for one in first]))
    return Judged(
        float(np.mean([one.right for one in first])),
        float(np.mean([one.right for one in second])),
        float(np.mean([one.tokens for one in first])),
        float(np.mean([one.tokens for one in second])),
        pairs,
        difference_interval(pairs),
    )
