"""What a run would have answered with fewer of its samples, or chosen by another rule: recomputed by `replay` from what is stored.

    found = what_if(run, "vote")
    found.sizes[2].chosen, found.sizes[2].shares      # the answer of the first three samples; how often each answer wins among any three

Samples that were drawn independently are as good in any order, so every subset is what a smaller run might have drawn. Members that were
grown together (resampled, or one below the other) are no such thing: of them only the rule can be changed, and `independent` is False.
Answers are the same where their texts are. Nothing is asked of any model.
"""

from __future__ import annotations

import msgspec
import numpy as np

from outthink.core.genealogy import genealogy
from outthink.core.task import Candidate
from outthink.dash.wording import content, line_of
from outthink.numerics.types import IntArray
from outthink.replay import SELECTORS, QuestionSamples, Selector, gathered, same_text
from outthink.replay.selectors import OneQuestion, one_question
from outthink.replay.subsets import is_exact, subsets
from outthink.store import StoredRun

OFFERED = ("vote", "best-of-n", "weighted", "weighted-min-max", "single")
MOST_SAMPLES = 256
MOST_SIZES = 32
MOST_SUBSETS = 400
MOST_CLASSES = 6


class Class(msgspec.Struct, frozen=True, kw_only=True):
    """One answer, by what counts as the same: how many samples gave it."""

    answer: str
    count: int


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """So many samples.

    Attributes:
        chosen: class of the answer of the first `size` samples; None for no answer.
        shares: how often each class is chosen among all subsets of this size, or many of them; the rest went without an answer.
        exact: whether all subsets were taken. tokens: what so many samples cost on average, about.
    """

    size: int
    chosen: int | None
    shares: tuple[float, ...]
    exact: bool
    tokens: float


class WhatIf(msgspec.Struct, frozen=True, kw_only=True):
    """One rule at every size.

    Attributes:
        samples: how many there are. actual: class of the run's own answer.
    """

    rule: str
    says: str
    samples: int
    independent: bool
    actual: int | None
    classes: tuple[Class, ...]
    sizes: tuple[Size, ...]


def rules_for(run: StoredRun) -> dict[str, str]:
    """The rules that can be replayed on this run's samples, with what each does; none where fewer than two samples finished."""
    found = _samples(run)
    if len(found) < 2 or all(key is None for key in _keys(found)):
        return {}
    known = [score for score in _scores(run, found) if not np.isnan(score)]
    offered = {}
    for name in OFFERED:
        rule = SELECTORS[name]
        if (rule.scored and not known) or (name == "weighted" and min(known) < 0.0):
            continue
        offered[name] = rule.says
    return offered


def rule_of(run: StoredRun) -> str:
    """The rule that comes nearest to how the run chose."""
    offered = rules_for(run)
    algorithm = run.recipe.get("algorithm", {})
    if algorithm.get("weights") == "score":
        weighted = "weighted" if algorithm.get("scale") == "raw" else "weighted-min-max"
        return weighted if weighted in offered else "vote"
    near = "vote" if run.result is not None and run.result.agreement is not None else "best-of-n"
    return near if near in offered else next(iter(offered), "")


def what_if(run: StoredRun, rule: str, *, seed: int = 0) -> WhatIf | None:
    """The run replayed by this rule; None where it cannot be."""
    offered = rules_for(run)
    if rule not in offered:
        return None
    found = _samples(run)
    keys = _keys(found)
    names: dict[object, int] = {}
    classes = [-1 if key is None else names.setdefault(key, len(names)) for key in keys]
    scores = _scores(run, found)
    row = QuestionSamples(run.line.id, answers=classes, right=[False] * len(found), scores={"score": scores})
    one = one_question(gathered([row]), 0, np.asarray([scores]))
    independent = is_independent(run)
    each = _tokens_each(run, len(found))
    wanted = _sizes(len(found)) if independent else [len(found)]
    sizes = [_size(SELECTORS[rule], one, size, seed, each) for size in wanted]
    order = _strongest(sizes, len(names))
    shown = [str(name) for name in names]
    return WhatIf(
        rule=rule,
        says=offered[rule],
        samples=len(found),
        independent=independent,
        actual=_actual(run, found, classes, order),
        classes=tuple(Class(answer=line_of(shown[c], 120), count=classes.count(c)) for c in order),
        sizes=tuple(_in_order(size, order) for size in sizes),
    )


def is_independent(run: StoredRun) -> bool:
    """Whether each sample went its own way from the beginning: no forks, and nothing resampled."""
    tree = genealogy("", run.events, {})
    return not tree.resamplings and all(len(node.children) <= 1 for node in tree.nodes.values())


def _samples(run: StoredRun) -> list[Candidate]:
    if run.result is None:
        return []
    return [one for one in run.result.candidates if one.final][:MOST_SAMPLES]


def _keys(found: list[Candidate]) -> list[object]:
    answered = any(one.answer is not None for one in found)
    return list(same_text([one.answer if answered else _whole(one) for one in found]))


def _whole(one: Candidate) -> str | None:
    return content(one.content) if isinstance(one.content, str) else None


def _scores(run: StoredRun, found: list[Candidate]) -> list[float]:
    result = run.result
    known = {} if result is None else {one.id: s for one, s in zip(result.candidates, result.scores, strict=True)}
    return [float("nan") if (score := known.get(one.id)) is None else float(score) for one in found]


def _tokens_each(run: StoredRun, samples: int) -> float:
    return run.result.cost.tokens / samples if run.result is not None and samples else 0.0


def _sizes(samples: int) -> list[int]:
    """All sizes of a small run; of a large one some, closer together where they are small."""
    if samples <= MOST_SIZES:
        return list(range(1, samples + 1))
    return sorted({round(samples ** (i / (MOST_SIZES - 1))) for i in range(MOST_SIZES)} | {samples})


def _size(rule: Selector, one: OneQuestion, size: int, seed: int, tokens: float) -> Size:
    samples = len(one.answer)
    drawn = subsets(samples, size, np.random.default_rng([seed, samples, size]), most=MOST_SUBSETS)
    chosen = _classes_of(one, rule.choose(one, drawn))
    first = int(_classes_of(one, rule.choose(one, np.arange(size, dtype=np.int64)[None, :]))[0])
    counts = np.bincount(chosen[chosen >= 0], minlength=int(one.answer.max(initial=-1)) + 1)
    shares = tuple(float(share) for share in counts / len(drawn))
    chosen_first = None if first < 0 else first
    return Size(size=size, chosen=chosen_first, shares=shares, exact=is_exact(samples, size), tokens=tokens * size)


def _classes_of(one: OneQuestion, chosen: IntArray) -> IntArray:
    return np.where(chosen < 0, -1, one.answer[chosen])


def _strongest(sizes: list[Size], classes: int) -> list[int]:
    """The classes that are shown: those that win most often, or are what the first samples answer at some size."""
    total = [sum(size.shares[c] for size in sizes) for c in range(classes)]
    elected = {size.chosen for size in sizes}
    ranked = sorted(range(classes), key=lambda c: (c not in elected, -total[c]))
    return sorted(ranked[: max(MOST_CLASSES, len(elected - {None}))], key=lambda c: -total[c])


def _in_order(size: Size, order: list[int]) -> Size:
    chosen = None if size.chosen is None else order.index(size.chosen)
    return msgspec.structs.replace(size, chosen=chosen, shares=tuple(round(size.shares[c], 4) for c in order))


def _actual(run: StoredRun, found: list[Candidate], classes: list[int], order: list[int]) -> int | None:
    result = run.result
    if result is None or result.chosen is None:
        return None
    node = result.candidates[result.chosen].id
    at = next((classes[i] for i, one in enumerate(found) if one.id == node), -1)
    return order.index(at) if at in order else None
