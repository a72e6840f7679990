"""A head on hidden states: logistic regression, its penalty chosen and its calibration fit on problems it was not trained on.

The problems are split, never the samples of one problem. Some are kept away to the end and only measured. On the others, folds by problem
give every sample a score from a head that has not seen its problem: the penalty with the lowest loss on these is taken, the calibration is
fit on them, and the head itself is trained on all. If unsure: three folds, a quarter of the problems kept away, Platt's curve.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from outthink.core.component import Parts
from outthink.core.errors import Incompatible, InputError, explain
from outthink.core.key import Key
from outthink.core.task import Task
from outthink.core.verifier import ScoreKind
from outthink.engines.fingerprint import Fingerprinted
from outthink.numerics.types import BoolArray, FloatArray, IntArray
from outthink.recipes.build import build
from outthink.recipes.recipe import Recipe
from outthink.train.examples import WANTS, Examples, collect
from outthink.train.logistic import Fitted, fit_logistic
from outthink.train.selection import AnswerPrior, Selection, best_of_each
from outthink.verify import Exact, Numeric
from outthink.verify.calibrate import calibration_error, isotonic, platt
from outthink.verify.head_file import Head

PENALTIES = (10.0, 100.0, 1000.0, 10000.0)
FEWEST_PROBLEMS = 8


@dataclass(frozen=True)
class Trained:
    """A head, and how well it does on the problems that were kept away.

    Attributes:
        selection: choosing by it, beside the control and the rest. `error`: its calibration error. `penalty`: the one taken.
        auc: chance that a right sample scores above a wrong one, over all kept-away samples; nan without both kinds.
    """

    head: Head
    selection: Selection
    error: float
    auc: float
    penalty: float


def train_head(
    examples: Examples,
    *,
    model: str,
    model_name: str = "",
    key: Key,
    calibration: Literal["platt", "isotonic"] = "platt",
    test_share: float = 0.25,
    folds: int = 3,
    penalties: tuple[float, ...] = PENALTIES,
) -> Trained:
    """Train, calibrate and measure. `model`: digest of the model whose states these are. Raises `InputError` for too few problems."""
    problems = np.unique(examples.problem)
    n_test = round(len(problems) * test_share)
    if len(problems) - n_test < FEWEST_PROBLEMS or n_test < 2:
        raise InputError(
            explain(
                "There are too few problems to train on some and measure on others.",
                got=len(problems),
                expected=f"at least {FEWEST_PROBLEMS} to train on and 2 to measure",
                remedy="Give more tasks.",
            )
        )
    shuffled = key.child("split").rng().permutation(problems)
    away = np.isin(examples.problem, shuffled[:n_test])
    train, test = examples.take(~away), examples.take(away)
    place = {int(problem): i % folds for i, problem in enumerate(shuffled[n_test:])}
    fold = np.array([place[int(problem)] for problem in train.problem])
    by_penalty = {penalty: _unseen_logits(train, fold, penalty) for penalty in penalties}
    penalty = min(by_penalty, key=lambda one: _loss(by_penalty[one], train.right))
    fitted = fit_logistic(train.states, train.right, penalty=penalty)
    curve = (platt if calibration == "platt" else isotonic)(by_penalty[penalty], train.right)
    prefixes = not bool(examples.final.all())
    last = test.take(test.final)
    prior = AnswerPrior([a for a, f in zip(train.answers, train.final, strict=True) if f], train.right[train.final])
    chances = curve(fitted.logits(test.states))
    selection = best_of_each(curve(fitted.logits(last.states)), last.right, last.problem, last.answers, prior)
    head = Head(
        weights=fitted.weights,
        offset=fitted.offset,
        curve=curve,
        model=model,
        model_name=model_name,
        kind=ScoreKind.PREFIX_VALUE if prefixes else ScoreKind.OUTCOME,
        facts={
            "problems": f"{len(problems) - n_test} trained on, {n_test} measured on",
            "examples": str(len(train.right)),
            "penalty": f"{penalty:g}",
            "best-of-each": f"{selection.head:.3f}, control {selection.control:.3f}, majority {selection.majority:.3f}",
        },
    )
    return Trained(head, selection, calibration_error(chances, test.right), area_under(chances, test.right), penalty)


async def collect_for(
    recipe: Recipe,
    tasks: Sequence[Task],
    *,
    samples: int,
    key: Key,
    prefixes: bool = False,
    each: Callable[[int], None] | None = None,
) -> tuple[Examples, str, str]:
    """Examples by a recipe's engine and process, labelled by the tasks' references; with the model's digest and its name.

    Raises `Incompatible` for an engine that cannot say which model it runs, and for tasks without references.
    """
    answer = recipe.answer or Numeric()
    shown = replace(recipe, process=recipe.process.showing(WANTS), verifier=None, answer=answer)
    label = Exact().build(Parts(answer=answer))
    for task in tasks:
        label.most(task)
    async with build(shown) as built:
        engine, model = built.engine, _seen(built.engine)
        if engine is None or not isinstance(model, Fingerprinted):
            raise Incompatible(
                explain(
                    "A head is trained on the hidden states of one model, and this engine cannot say which model it runs.",
                    got="no engine" if engine is None else engine.name,
                    expected="the engine 'local' or 'transformers'",
                    remedy="Set --model local.",
                )
            )
        examples = await collect(
            built.solver.process, tasks, label, samples=samples, key=key, prefixes=prefixes, each=each
        )
        return examples, model.fingerprint, engine.name


def _seen(engine: object) -> object:
    """The engine as nothing in particular, so that what else it can do may be asked."""
    return engine


def area_under(scores: FloatArray, right: BoolArray) -> float:
    """Chance that a right one scores above a wrong one, ties half; nan without both kinds."""
    good, bad = scores[right], scores[~right]
    if len(good) == 0 or len(bad) == 0:
        return float("nan")
    ordered = np.sort(bad)
    below, upto = np.searchsorted(ordered, good, "left"), np.searchsorted(ordered, good, "right")
    return float((below + upto).mean() / 2 / len(bad))


def _unseen_logits(train: Examples, fold: IntArray, penalty: float) -> FloatArray:
    """Each example's logit from a head that was trained without its problem, [m]."""
    logits = np.zeros(len(train.right))
    for one in np.unique(fold):
        inside = fold == one
        fitted: Fitted = fit_logistic(train.states[~inside], train.right[~inside], penalty=penalty)
        logits[inside] = fitted.logits(train.states[inside])
    return logits


def _loss(logits: FloatArray, right: BoolArray) -> float:
    return float((np.logaddexp(0.0, logits) - right * logits).mean())
