"""Methods against plain baselines: the difference in accuracy at the same total cost, question by question.

    baselines_of(["vote", "best-of-n/head", "beam/head", "beam/oracle"])["beam/head"]      # ["best-of-n/head", "vote"]
    compared(entries, rng)                                                                  # a `Comparison` for each, with an interval

A plain baseline needs no search: one greedy answer, a vote, the best or the weighted best of n. A method is compared with the vote and
the greedy answer, and with those that choose by the same verifier (what stands behind a slash) under the same settings (behind a space).
The baseline is read at the method's own cost (`outthink.numerics.matched`). Intervals are for one comparison each; whoever makes many
must expect one in twenty to leave out 0 by chance, and `Comparison.p` is there for correcting them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from outthink.bench.statistics.entries import Entry, curve_over
from outthink.numerics.cost_ratio import Curve
from outthink.numerics.matched import Matched, difference_at_cost
from outthink.numerics.paired import count_pairs, difference_interval, mcnemar
from outthink.numerics.types import FloatArray

PLAIN = ("greedy", "single", "direct", "vote", "majority", "self-consistency", "best-of-n", "weighted-best-of-n")
"""Methods that are baselines, in the order of tables."""
UNJUDGED = ("greedy", "single", "direct", "vote", "majority", "self-consistency")
ONE_ANSWER = ("greedy", "single", "direct")
FLIPS = 20_000
BLOCK = 2000


@dataclass(frozen=True)
class Comparison:
    """A method at one size against one baseline at the same cost.

    Attributes:
        matched: difference, interval, costs. p: two-sided, that there is no difference: McNemar's mid-p for single outcomes of equal cost,
            else by flipping the signs of the questions' differences.
    """

    method: str
    size: int
    baseline: str
    matched: Matched
    p: float

    @property
    def verdict(self) -> str:
        """ "better", "worse", or "within the noise"; "costs not matched" stands behind where the baseline was not run at that cost."""
        if not self.matched.shown:
            said = "within the noise"
        else:
            said = "better" if self.matched.difference > 0 else "worse"
        return said if self.at_its_cost else f"{said}, costs not matched"

    @property
    def at_its_cost(self) -> bool:
        """Whether the baseline was run at the method's cost, or cannot spend more than it did, as one greedy answer cannot."""
        return self.matched.inside or (
            kind_of(self.baseline) in ONE_ANSWER and self.matched.cost >= self.matched.baseline_cost
        )


def is_plain(method: str) -> bool:
    """Whether a method is a plain baseline."""
    return kind_of(method) in PLAIN


def order_of(method: str) -> int:
    """Where a method stands in tables: plain baselines first, the cheapest kind before the others; then all that search."""
    kind = kind_of(method)
    return PLAIN.index(kind) if kind in PLAIN else len(PLAIN)


def sees_answers(method: str) -> bool:
    """Whether its name says that it is judged by who knows the right answer: a bound, not a method."""
    return "oracle" in method.replace("/", " ").replace("-", " ").split()


def kind_of(method: str) -> str:
    """The method's own name, without its verifier and settings."""
    return method.partition(" ")[0].partition("/")[0]


def baselines_of(methods: Sequence[str]) -> dict[str, list[str]]:
    """Which plain baselines each method is compared with."""
    found: dict[str, list[str]] = {}
    for method in methods:
        own = method.partition(" ")[0].partition("/")[2], method.partition(" ")[2]
        found[method] = sorted(
            other
            for other in methods
            if other != method
            and is_plain(other)
            and (kind_of(other) in UNJUDGED or other.partition(" ")[0].partition("/")[2] == own[0])
            and other.partition(" ")[2] in ("", own[1])
        )
    return found


def compared(
    entries: Sequence[Entry], rng: np.random.Generator, *, level: float = 0.95, resamples: int = 1000
) -> list[Comparison]:
    """Every entry against each of its baselines that costs something; entries of one set, over the same questions."""
    methods = list(dict.fromkeys(entry.method for entry in entries))
    by_method = baselines_of(methods)
    found: list[Comparison] = []
    flipped: list[tuple[int, FloatArray]] = []
    for entry in entries:
        if entry.tokens.mean() <= 0.0 or len(entry.questions) < 2:
            continue
        for name in by_method[entry.method]:
            curve = curve_over(entries, name)
            if curve is None:
                continue
            matched = difference_at_cost(curve, entry.tokens, entry.right, rng, level=level, resamples=resamples)
            twin = _twin(entries, entry, name)
            if twin is not None and matched.inside:
                pairs = count_pairs(entry.right > 0.5, twin.right > 0.5)
                exact = difference_interval(pairs, level)
                matched = Matched(
                    pairs.difference, exact, twin.accuracy, matched.cost, float(twin.tokens.mean()), matched.inside
                )
                found.append(Comparison(entry.method, entry.size, name, matched, mcnemar(pairs, mid_p=True)))
            else:
                flipped.append((len(found), entry.right - _at_cost(curve, entry)))
                found.append(Comparison(entry.method, entry.size, name, matched, 1.0))
    if flipped:
        p = sign_flips(np.stack([differences for _, differences in flipped], 1), rng)
        for (place, _), one in zip(flipped, p, strict=True):
            found[place] = replace(found[place], p=float(one))
    return found


def sign_flips(differences: FloatArray, rng: np.random.Generator, flips: int = FLIPS) -> FloatArray:
    """Two-sided p-values that differences are as likely up as down, by flipping the signs of whole questions.

    Args:
        differences: [questions, comparisons]; all comparisons are flipped alike, so that many cost little more than one.
        flips: no p-value is below 1 / (flips + 1), which has to be well below what a correction for many comparisons asks for.
    Returns: p-values, [comparisons].
    Source: the sign-flip (randomisation) test, Fisher (1935).
    """
    seen = np.abs(differences.sum(axis=0)) - 1e-9
    reached = np.ones(differences.shape[1])
    for begin in range(0, flips, BLOCK):
        signs = rng.integers(0, 2, size=(min(BLOCK, flips - begin), len(differences)), dtype=np.int8) * 2.0 - 1.0
        reached += (np.abs(signs @ differences) >= seen).sum(axis=0)
    return np.asarray(reached / (flips + 1))


def _at_cost(curve: Curve, entry: Entry) -> FloatArray:
    """The baseline's value on each question at the entry's mean cost, mixed from the two sizes around it, [questions]."""
    paid = np.log(curve.cost.mean(axis=0))
    place = float(np.interp(np.log(entry.tokens.mean()), paid, np.arange(len(paid))))
    low = int(np.floor(place))
    high = min(low + 1, len(paid) - 1)
    return np.asarray((1 - (place - low)) * curve.value[:, low] + (place - low) * curve.value[:, high])


def _twin(entries: Sequence[Entry], entry: Entry, baseline: str) -> Entry | None:
    """The baseline's entry of the very same cost, both of single outcomes, for the exact test; None where there is none."""
    for other in entries:
        if (
            other.method == baseline
            and other.seeds == entry.seeds == 1
            and abs(other.tokens.mean() - entry.tokens.mean()) <= 1e-3 * entry.tokens.mean()
        ):
            return other
    return None
