"""What a reader must be told before believing a table: claims inside the noise, costs that are not matched, results that mean little."""

from __future__ import annotations

from collections.abc import Sequence

from outthink.bench.statistics.against import Comparison, is_plain, sees_answers
from outthink.bench.statistics.choices import Choices
from outthink.bench.statistics.constant import Constant
from outthink.bench.statistics.entries import Entry
from outthink.numerics.intervals import Interval

FEW = 50
ERROR = 0.05


def warnings_of(
    entries: Sequence[Entry],
    intervals: Sequence[Interval],
    comparisons: Sequence[Comparison],
    constant: Constant,
    choices: Sequence[Choices] = (),
) -> list[str]:
    """Sentences, the weightiest first. `intervals`: of the accuracies of `entries`, in their order."""
    return [
        *_best(entries, comparisons),
        *_constant(entries, intervals, constant),
        *_costs(comparisons),
        *_many(comparisons),
        *_broken(entries),
        *_few(entries),
        *(said for one in choices for said in _choices(one)),
    ]


def _best(entries: Sequence[Entry], comparisons: Sequence[Comparison]) -> list[str]:
    honest = [entry for entry in entries if not sees_answers(entry.method)]
    if not honest:
        return []
    best = max(honest, key=lambda entry: entry.accuracy)
    own = [c for c in comparisons if (c.method, c.size) == (best.method, best.size)]
    plain = [entry for entry in honest if is_plain(entry.method)]
    if is_plain(best.method):
        others = [entry for entry in honest if not is_plain(entry.method)]
        return [f"No search method is above the plain baseline {best.label} here."] if others else []
    inside = [c for c in own if not c.matched.shown]
    if inside:
        said = ", ".join(f"{c.baseline} ({_points(c)})" for c in inside)
        return [
            f"{best.label} has the highest accuracy, but at equal cost its lead is within the noise against {said}."
        ]
    if not own and plain:
        return [
            f"{best.label} has the highest accuracy, and there is no plain baseline to compare it with at its cost."
        ]
    return [] if plain else ["There is no plain baseline, so nothing here says whether searching is worth its cost."]


def _points(comparison: Comparison) -> str:
    m = comparison.matched
    return f"{100 * m.difference:+.1f} points, {100 * m.interval.low:+.1f} to {100 * m.interval.high:+.1f}"


def _constant(entries: Sequence[Entry], intervals: Sequence[Interval], constant: Constant) -> list[str]:
    weak = [
        entry.label
        for entry, interval in zip(entries, intervals, strict=True)
        if constant.answer is not None and interval.low <= constant.share
    ]
    if not weak:
        return []
    return [
        f"Always answering {constant.answer!r} is right for {100 * constant.share:.1f}%; not shown to be better: {_some(weak)}."
    ]


def _costs(comparisons: Sequence[Comparison]) -> list[str]:
    outside = sorted({f"{c.method} {c.size} against {c.baseline}" for c in comparisons if not c.at_its_cost})
    if not outside:
        return []
    return [
        f"In {len(outside)} comparisons the baseline was not run at the method's cost, and its nearest size stands in: {_some(outside)}."
    ]


def _many(comparisons: Sequence[Comparison]) -> list[str]:
    shown = [c for c in comparisons if c.matched.shown and c.matched.difference > 0]
    expected = ERROR / 2 * len(comparisons)
    if len(shown) == 0 or len(comparisons) < 10:
        return []
    sure = [c for c in shown if c.p * len(comparisons) <= ERROR]
    said = (
        f"{len(comparisons)} comparisons were made, and {len(shown)} are better beyond their own interval; about {expected:.0f} would "
        f"be by chance alone. Corrected for their number (Bonferroni), {len(sure)} remain."
    )
    return [said]


def _broken(entries: Sequence[Entry]) -> list[str]:
    said = []
    broke = [f"{entry.label} ({entry.failed})" for entry in entries if entry.failed]
    if broke:
        said.append(f"Some questions failed and count as wrong: {_some(broke)}.")
    partial = [entry.label for entry in entries if entry.left_out]
    if partial:
        said.append(f"Seeds that have not met every question are left out of: {_some(partial)}.")
    return said


def _few(entries: Sequence[Entry]) -> list[str]:
    n = len(entries[0].questions) if entries else 0
    if not 0 < n < FEW:
        return []
    return [
        f"There are only {n} questions: differences of less than {100 * 1.96 * (0.5 / n) ** 0.5:.0f} points can hardly be seen."
    ]


def _choices(choices: Choices) -> list[str]:
    said = []
    if choices.silent > 0.5:
        said.append(f"{100 * choices.silent:.0f}% of the samples give no answer that could be read.")
    if choices.ties > 0.9:
        said.append(
            f"The scores of {choices.score} hardly differ within a question, so choosing by them is choosing the first sample."
        )
    within = choices.told_apart[1]
    if choices.score and within == within and within < 0.55:
        said.append(
            f"Within a question {choices.score} hardly tells right from wrong (AUC {within:.2f}; 0.5 is chance)."
        )
    if choices.agreement < 0.3:
        said.append(
            f"The winner of a vote has {100 * choices.agreement:.0f}% of the votes on average, which may be chance."
        )
    return said


def _some(names: Sequence[str], most: int = 6) -> str:
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
