"""Tables and pictures of `benchmarks/search.py`: accuracy and cost of every method and size, ratios at matched levels, scorer passes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ratio_words import ratio_in_words
from rich.console import Console
from search_picture import curves

from outthink.bench import Outcome, Question, curve_of
from outthink.numerics import bootstrap_percentile, ratio_at_levels

VERIFIERS = ("oracle", "value", "head")

PAPERS = {
    "particle-filter": "particle filter over search: 4 to 16 times (Puri et al. 2025)",
    "best-first": "A*: up to 3 times fewer tokens and 30% fewer scorer passes (spec 04)",
    "entropic-particle-filter": "entropic: up to 50% relative under an over-confident verifier at small n (arXiv 2510.05825)",
    "adaptive": "adaptive: 74% of the gain of 16 samples at 1.2 samples (arXiv 2410.02725)",
}


def report(outcomes: Sequence[Outcome], questions: Sequence[Question], folder: Path, console: Console) -> None:
    """tables.md in the folder, and on the terminal; what is not whole yet is left out and said so."""
    sets = {"all": [q.task.id for q in questions]}
    outcomes = finished(outcomes, sets["all"])
    for question in questions:
        sets.setdefault(question.set, []).append(question.task.id)
    lines = []
    for name, ids in sets.items():
        lines += [f"\n## {name}: {len(ids)} problems\n", *accuracy_table(outcomes, ids), ""]
    ids = sets["all"]
    for verifier in VERIFIERS:
        lines += ratio_tables(outcomes, ids, verifier)
    lines += adaptive_share(outcomes, ids)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tables.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    for verifier in VERIFIERS:
        drawn = lines_of(outcomes, ids, verifier)
        if drawn:
            (folder / f"curves-{verifier}.svg").write_text(
                curves(f"Solved against cost, verifier: {verifier}", drawn), "utf-8"
            )
    console.print("\n".join(lines), soft_wrap=True)


def finished(outcomes: Sequence[Outcome], ids: Sequence[str]) -> list[Outcome]:
    """Those of seeds under which a method of a size has met every question, so that each question counts alike."""
    seen: dict[tuple[str, int, int], set[str]] = {}
    for outcome in outcomes:
        seen.setdefault((outcome.method, outcome.size, outcome.seed), set()).add(outcome.question)
    return [o for o in outcomes if seen[o.method, o.size, o.seed].issuperset(ids)]


def lines_of(outcomes: Sequence[Outcome], ids: Sequence[str], verifier: str) -> dict[str, list[tuple[float, float]]]:
    """Points of each method's line under one verifier, and of the vote."""
    found = {}
    for method, sizes in whole(outcomes, ids).items():
        if method == "vote" or method.endswith(f"/{verifier}"):
            curve = curve_of(outcomes, method, sizes, ids)
            found[method.partition("/")[0]] = list(zip(curve.cost.mean(axis=0), curve.value.mean(axis=0), strict=True))
    return found


def whole(outcomes: Sequence[Outcome], ids: Sequence[str]) -> dict[str, list[int]]:
    """Sizes of each method at which every question has an outcome."""
    seen: dict[tuple[str, int], set[str]] = {}
    for outcome in outcomes:
        seen.setdefault((outcome.method, outcome.size), set()).add(outcome.question)
    found: dict[str, list[int]] = {}
    for (method, size), there in sorted(seen.items()):
        if there.issuperset(ids):
            found.setdefault(method, []).append(size)
    return found


def accuracy_table(outcomes: Sequence[Outcome], ids: Sequence[str]) -> list[str]:
    """One row a method and size: accuracy with its interval, tokens generated and computed, scorer calls, a problem each."""
    lines = [
        "| method | size | solved % (95%) | tokens a problem | judged a problem | steps | seeds |",
        "|---|---|---|---|---|---|---|",
    ]
    rng = np.random.default_rng(0)
    inside = set(ids)
    for method, sizes in whole(outcomes, ids).items():
        for size in sizes:
            rows = [o for o in outcomes if o.method == method and o.size == size and o.question in inside]
            by: dict[str, list[bool]] = {}
            for row in rows:
                by.setdefault(row.question, []).append(row.right)
            values = np.array([np.mean(by[i]) for i in ids])
            interval = bootstrap_percentile(values, rng, resamples=1000)
            tokens = np.mean([row.tokens for row in rows])
            judged = np.mean([row.judged.verifier_calls for row in rows])
            steps = np.mean([row.steps for row in rows])
            broken = sum(bool(row.failure) for row in rows)
            lines.append(
                f"| {method} | {size} | {100 * values.mean():.1f} ({100 * interval.low:.1f} to {100 * interval.high:.1f}) "
                f"| {tokens:.0f} | {judged:.1f} | {steps:.1f}{f' ({broken} broke)' if broken else ''} | {len({row.seed for row in rows})} |"
            )
    return lines


def ratio_tables(outcomes: Sequence[Outcome], ids: Sequence[str], verifier: str) -> list[str]:
    """Every step-wise method against best-of-n and against beam, at the levels that quarter the baseline's range."""
    there = whole(outcomes, ids)
    lines: list[str] = []
    for column in ("tokens", "verifier_calls"):
        for base in (f"best-of-n/{verifier}", f"weighted-best-of-n/{verifier}", f"beam/{verifier}"):
            entrants = [m for m in there if m.endswith(f"/{verifier}") and m != base and not m.startswith("adaptive")]
            if base not in there or not entrants:
                continue
            lines += [f"\n### Times fewer {column} than {base}\n"]
            baseline = curve_of(outcomes, base, there[base], ids, column=column)
            for at, method in enumerate(sorted(entrants)):
                if len(there[method]) < 2:
                    continue
                ratios = ratio_at_levels(
                    baseline,
                    curve_of(outcomes, method, there[method], ids, column=column),
                    np.random.default_rng(1),
                    resamples=500,
                )
                if at == 0:
                    lines += [
                        "| method | " + " | ".join(f"at {100 * r.level:.1f}%" for r in ratios) + " |",
                        "|---" * 5 + "|",
                    ]
                lines.append(f"| {method} | " + " | ".join(map(ratio_in_words, ratios)) + " |")
    return lines


def adaptive_share(outcomes: Sequence[Outcome], ids: Sequence[str]) -> list[str]:
    """What part of the gain of 16 samples adaptive drawing keeps, and at how many samples."""
    there = whole(outcomes, ids)
    lines = ["\n### Adaptive: share of the gain of 16 samples\n"]
    inside = set(ids)

    def mean(method: str, size: int, value: str) -> float:
        rows = [o for o in outcomes if o.method == method and o.size == size and o.question in inside]
        return float(np.mean([o.right if value == "right" else o.generated.calls for o in rows]))

    for method, sizes in there.items():
        if not method.startswith("adaptive") or 16 not in sizes:
            continue
        full = method.replace("adaptive/", "best-of-n/").replace("adaptive-vote", "vote")
        if not {1, 16} <= set(there.get(full, [])):
            continue
        one, all_, got = mean(full, 1, "right"), mean(full, 16, "right"), mean(method, 16, "right")
        share = (got - one) / (all_ - one) if all_ != one else float("nan")
        lines.append(
            f"- {method}: {100 * share:.0f}% of the gain of {full} (from {100 * one:.1f}% to {100 * all_:.1f}%) "
            f"at {mean(method, 16, 'calls'):.2f} samples a problem"
        )
    return lines
