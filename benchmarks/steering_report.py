"""Tables and pictures of `benchmarks/steering.py`: reward, second opinion, diversity and distance by budget; ratios at matched levels."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from ratio_words import ratio_in_words
from rich.console import Console
from steering_methods import CHOSEN, SAMPLERS, SEARCHES
from steering_outcome import Outcome, Value, by_digit, curve, whole
from steering_picture import lines_of, sheet
from steering_problems import PROBLEMS

from outthink.diffusion.laboratory import frechet_distance
from outthink.numerics import Curve, bootstrap_percentile, ratio_at_levels
from outthink.numerics.types import FloatArray

Found = dict[tuple[str, int], list[Outcome]]

PAPERS = (
    "Published: tree search reaches best-of-N with up to 5 times less compute, tree sampling the best baseline with up to 10 times less "
    "(arXiv 2506.20701)."
)

SAME_MODEL = {"best-of-n-flow": "rollover", "best-of-n-preserving": "rollover-preserving"}
"""What best-of-n of the flow model is the baseline of, on the same path."""


def report(rows: Sequence[Outcome], folder: Path, console: Console) -> None:
    """tables.md and pictures in the folder, and the tables on the terminal; seeds without all digits are left out."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [PAPERS, ""]
    for problem in PROBLEMS.values():
        found = whole(rows, problem.name)
        if problem.searched:
            lines += searches(problem.name, found, folder)
        if problem.temper is not None:
            lines += samplers(problem.name, found, folder)
    lines += costs(rows)
    (folder / "tables.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    console.print("\n".join(lines), soft_wrap=True)


def searches(name: str, found: Found, folder: Path) -> list[str]:
    """What is there to say of the methods that look for the highest reward."""
    found = {key: rows for key, rows in found.items() if key[0] in SEARCHES}
    if not found:
        return []
    lowest = min((row.reward for rows in found.values() for row in rows if row.reward is not None), default=0.0)

    def reward(row: Outcome) -> float:
        # A search without an answer counts like the worst answer of all.
        return lowest if row.reward is None else row.reward

    lines = [f"## {name}: reward of the answer (95% over digits)", "", *table(found, SEARCHES, interval_of(reward))]
    lines += ["", f"### {name}: share of answers that the second opinion agrees with", ""]
    lines += table(found, SEARCHES, plain(lambda row: row.second))
    lines += ["", f"### {name}: distance between the best 8 samples of a search, in features", ""]
    lines += table(found, SEARCHES, plain(lambda row: row.diversity))
    lines += ["", f"### {name}: Fréchet distance of the best 8 samples of every digit from real digits (seeds)", ""]
    lines += table(found, SEARCHES, from_real)
    for title, cost in (("evaluations and reward calls", total), ("evaluations alone", evaluations)):
        lines += ["", f"### {name}: times fewer {title} than best-of-n to reach the same reward", ""]
        lines += ratios(found, "best-of-n", SEARCHES, reward, cost)
    for base, method in SAME_MODEL.items():
        lines += ["", f"### {name}: times fewer evaluations and reward calls than {base}, on the same model", ""]
        lines += ratios(found, base, [method], reward, total)
    drawn = lines_of(f"Reward against cost: {name}", "reward", {m: points(found, m, reward) for m in SEARCHES})
    (folder / f"reward-{name}.svg").write_text(drawn, encoding="utf-8")
    top = max(budget for _, budget in found)
    (folder / f"answers-{name}.svg").write_text(sheet(f"Answers at {top:,}: {name}", answers(found, top)), "utf-8")
    return [*lines, ""]


def samplers(name: str, found: Found, folder: Path) -> list[str]:
    """What is there to say of the methods that aim at p(x) exp(temper * reward)."""
    found = {key: rows for key, rows in found.items() if key[0] in SAMPLERS}
    if not found:
        return []

    def distance(row: Outcome) -> float | None:
        return row.distance

    def closeness(row: Outcome) -> float | None:
        return None if row.distance is None else -math.log(row.distance)

    lines = [f"## {name}: Fréchet distance from the law aimed at (95% over digits)", ""]
    lines += table(found, SAMPLERS, interval_of(distance))
    lines += ["", f"### {name}: effective number of samples", "", *table(found, SAMPLERS, plain(lambda r: r.effective))]
    for title, cost in (("evaluations and reward calls", total), ("evaluations alone", evaluations)):
        for base in SAMPLERS[:2]:
            lines += ["", f"### {name}: times fewer {title} than {base} to come as near", ""]
            lines += ratios(found, base, SAMPLERS, closeness, cost, lambda level: math.exp(-level))
    drawn = lines_of(
        f"Distance from the law aimed at: {name}",
        "Fréchet distance (log scale)",
        {m: points(found, m, distance) for m in SAMPLERS},
        logarithmic=True,
    )
    (folder / f"distance-{name}.svg").write_text(drawn, encoding="utf-8")
    return [*lines, ""]


def total(row: Outcome) -> float:
    """Evaluations and calls of the reward."""
    return float(row.evaluations + row.judged)


def evaluations(row: Outcome) -> float:
    """Evaluations of the denoiser alone."""
    return float(row.evaluations)


Shown = Callable[[list[Outcome]], str]


def table(found: Found, methods: Sequence[str], shown: Shown) -> list[str]:
    """One row a method, one column a budget."""
    budgets = sorted({budget for _, budget in found})
    lines = [
        "| method | " + " | ".join(f"{b:,} ({seeds_at(found, b)})" for b in budgets) + " |",
        "|---" * (len(budgets) + 1) + "|",
    ]
    for method in methods:
        cells = [shown(found[method, b]) if (method, b) in found else "" for b in budgets]
        if any(cells):
            lines.append(f"| {method} | " + " | ".join(cells) + " |")
    return lines


def seeds_at(found: Found, budget: int) -> str:
    """How many seeds the methods have at a budget, in words: not all of them the same while a run is under way."""
    counts = {len({row.seed for row in rows}) for (_, at), rows in found.items() if at == budget}
    least, most = min(counts), max(counts)
    return f"{least} to {most} seeds" if least < most else f"{most} seed{'s' * (most > 1)}"


def interval_of(value: Value) -> Shown:
    """Mean over digits with its bootstrap interval."""

    def shown(rows: list[Outcome]) -> str:
        values = by_digit(rows, value)
        values = values[np.isfinite(values)]
        if len(values) < 2:
            return f"{values.mean():.3g}" if len(values) else "none"
        interval = bootstrap_percentile(values, np.random.default_rng(0), resamples=1000)
        broken = sum(row.reward is None for row in rows)
        return f"{values.mean():.3g} ({interval.low:.3g} to {interval.high:.3g})" + (
            f", {broken} without an answer" if broken else ""
        )

    return shown


def plain(value: Value) -> Shown:
    """Mean over digits."""

    def shown(rows: list[Outcome]) -> str:
        values = by_digit(rows, value)
        values = values[np.isfinite(values)]
        return f"{values.mean():.2f}" if len(values) else "none"

    return shown


def from_real(rows: list[Outcome]) -> str:
    """Distance of the best samples of all digits from real ones: mean and range over the seeds."""
    found = []
    for seed in sorted({row.seed for row in rows}):
        images = [row.best for row in rows if row.seed == seed and row.images]
        if images:
            found.append(frechet_distance(torch.cat(images)))
    if not found:
        return "none"
    spread = f" ({min(found):.1f} to {max(found):.1f})" if len(found) > 1 else ""
    return f"{np.mean(found):.1f}{spread}"


def points(found: Found, method: str, value: Value) -> list[tuple[float, float]]:
    """(cost, mean value) at each budget."""
    budgets = sorted(budget for name, budget in found if name == method)
    pairs = [
        (float(np.mean([total(row) for row in found[method, b]])), float(np.nanmean(by_digit(found[method, b], value))))
        for b in budgets
    ]
    return [pair for pair in pairs if np.isfinite(pair[1])]


def ratios(
    found: Found,
    base: str,
    methods: Sequence[str],
    value: Value,
    cost: Value,
    told: Callable[[float], float] = float,
) -> list[str]:
    """Every method against one, at the levels that quarter its range. `told`: from a level to what is shown of it.

    Digits differ more than methods, so values are taken from the baseline's own mean for each digit: the ratios stay as they are, and their
    intervals no longer tell which digits were drawn.
    """
    baseline = curve(found, base, value, cost)
    if baseline is None or len(baseline) < 2:
        return ["Too little is finished."]
    own = baseline.value.mean(axis=1, keepdims=True)
    shift = own.mean() - own
    lines: list[str] = []
    for method in methods:
        entered = curve(found, method, value, cost)
        if method == base or entered is None or len(entered) != len(baseline):
            continue
        levels = ratio_at_levels(
            Curve(baseline.cost, baseline.value + shift),
            Curve(entered.cost, entered.value + shift),
            np.random.default_rng(1),
            resamples=500,
        )
        if not lines:
            lines = [
                "| method | " + " | ".join(f"at {told(level.level):.3g}" for level in levels) + " |",
                "|---" * (len(levels) + 1) + "|",
            ]
        lines.append(f"| {method} | " + " | ".join(map(ratio_in_words, levels)) + " |")
    return lines


def answers(found: Found, budget: int) -> dict[str, torch.Tensor]:
    """The answer of each method for each digit, [digits, 1, 8, 8], of the first seed."""
    shown = {}
    for method in SEARCHES:
        rows = sorted((r for r in found.get((method, budget), []) if r.images), key=lambda r: (r.seed, r.digit))
        first = [row for row in rows if row.seed == rows[0].seed]
        if first:
            shown[method] = torch.cat([row.best[:1] for row in first])
    return shown


def costs(rows: Sequence[Outcome]) -> list[str]:
    """Processor time and evaluations of each method at the largest budget that it has."""
    lines = [
        "## Processor time",
        "",
        "| method | budget | evaluations | reward calls | seconds | failures |",
        "|---" * 6 + "|",
    ]
    for method in (*SEARCHES, *SAMPLERS):
        mine = [row for row in rows if row.method == method]
        if mine:
            top = max(row.budget for row in mine)
            at = [row for row in mine if row.budget == top]
            asked, judged, spent = (np.mean([getattr(r, c) for r in at]) for c in ("evaluations", "judged", "seconds"))
            broken = sum(bool(row.failure) for row in mine)
            lines.append(f"| {method} | {top:,} | {asked:,.0f} | {judged:,.0f} | {spent:.2f} | {broken} |")
    return lines


def report_variants(rows: Sequence[Outcome], folder: Path, console: Console) -> None:
    """Mean reward of each variant, in units of each problem's own spread above the worst variant, the best first."""
    lines: list[str] = []
    for name in CHOSEN:
        variants = sorted({row.method for row in rows if row.method.split(" ")[0] == name})
        gains = {variant: _gain(rows, variant) for variant in variants}
        lines += [f"\n### {name}\n", "| variant | " + " | ".join(_columns(rows)) + " | mean |", "|---" * 6 + "|"]
        for variant in sorted(variants, key=lambda v: -float(np.nanmean(gains[v]))):
            numbers = " | ".join(f"{gain:.3f}" for gain in gains[variant])
            lines.append(f"| {variant} | {numbers} | {np.nanmean(gains[variant]):.3f} |")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "variants.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    console.print("\n".join(lines), soft_wrap=True)


def _columns(rows: Sequence[Outcome]) -> list[str]:
    return [f"{problem} at {budget:,}" for problem, budget in sorted({(r.problem, r.budget) for r in rows})]


def _gain(rows: Sequence[Outcome], variant: str) -> FloatArray:
    """Mean reward in units of the problem, for each problem and budget."""
    found = []
    for problem, budget in sorted({(row.problem, row.budget) for row in rows}):
        mine = [row for row in rows if row.method == variant and (row.problem, row.budget) == (problem, budget)]
        known = [row.reward for row in mine if row.reward is not None]
        found.append(np.mean(known) / PROBLEMS[problem].unit if known else np.nan)
    return np.array(found)
