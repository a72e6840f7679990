"""The tables of a report: accuracy with comparisons, the bill, what choosing loses, and questions worth a look."""

from __future__ import annotations

from collections.abc import Sequence

from outthink.bench.report import wording
from outthink.bench.report.cells import Cell, Sheet
from outthink.bench.report.questions import Traced
from outthink.bench.report.study import Row, SetStudy
from outthink.bench.statistics import Choices, Comparison, order_of

CLASSES = {"▲": "better", "▼": "worse", "≈": "noise"}
BILL = ("method", "tokens", "of judging", "generated", "calls", "judgements", "seconds", "money", "seeds", "failed")
CHOICES = ("verifier", "choice", "questions", "right", "95%", "gap to oracle", "95%", "samples", "tokens", "judgements")


def accuracy(study: SetStudy) -> Sheet:
    """Every method and size with its interval, its tokens, and its difference to each plain baseline at the same cost."""
    baselines = sorted({c.baseline for row in study.rows for c in row.against}, key=lambda name: (order_of(name), name))
    rows = []
    for row in study.rows:
        against = {c.baseline: c for c in row.against}
        rows.append(
            (
                Cell(row.entry.label),
                Cell(wording.percent(row.entry.accuracy)),
                Cell(wording.span(row.interval)),
                Cell(wording.amount(float(row.entry.tokens.mean()))),
                Cell(wording.frontier(row)),
                *(_against(against.get(name)) for name in baselines),
            )
        )
    constant = study.constant
    said = "no constant answer" if constant.answer is None else f"always {constant.answer[:24]}"
    rows.append((Cell(said), Cell(wording.percent(constant.share)), *[Cell("")] * (3 + len(baselines))))
    return Sheet(
        heads=("method", "right", "95%", "tokens", "frontier", *(f"against {name}" for name in baselines)),
        rows=tuple(rows),
        numbers=frozenset(range(1, 5)),
        begins=_begins(study.rows),
        aside=frozenset({len(rows) - 1}),
    )


def bill(study: SetStudy) -> Sheet:
    """What each method and size cost, a question."""
    rows = []
    for row in study.rows:
        e = row.entry
        columns = (e.cost["tokens"], e.judged, e.cost["output_tokens"], e.cost["calls"], e.cost["verifier_calls"])
        spent = (wording.amount(float(one.mean())) for one in (*columns, e.cost["seconds"], e.cost["money"]))
        rows.append(tuple(Cell(text) for text in (e.label, *spent, str(e.seeds), str(e.failed))))
    return Sheet(BILL, tuple(rows), frozenset(range(1, len(BILL))), _begins(study.rows))


def choices(found: Sequence[Choices]) -> Sheet:
    """Every way of choosing from the stored pools, with what it loses against the best possible choice."""
    rows = []
    for one in found:
        for name, line in one.lines.items():
            gap = one.gap.get(name)
            said = ("", "") if gap is None else (f"{100 * gap.gap:.1f}", wording.span(gap.interval))
            costs = (wording.amount(cost) for cost in (line.samples, line.tokens, line.judged))
            right = (wording.percent(line.accuracy), wording.span(line.interval))
            texts = (one.score or "none", f"{name}@{line.size}", f"{line.questions:,}", *right, *said, *costs)
            rows.append(tuple(Cell(text) for text in texts))
    return Sheet(CHOICES, tuple(rows), frozenset(range(2, len(CHOICES))))


def looked_at(traced: Sequence[Traced]) -> Sheet:
    """Questions with how far they are solved, each leading to its trace."""
    rows = tuple(
        (
            Cell(one.question, question=one.question),
            Cell(wording.shortened(one.prompt, 80)),
            Cell(wording.percent(one.solved)),
            Cell(f"{100 * one.gain:+.0f}"),
        )
        for one in traced
    )
    return Sheet(("question", "asked", "solved by all", "gain, points"), rows, frozenset({2, 3}))


def _against(comparison: Comparison | None) -> Cell:
    if comparison is None:
        return Cell("")
    sign = wording.mark(comparison)
    m = comparison.matched
    between = f"{wording.signed(m.interval.low)} to {wording.signed(m.interval.high)}"
    return Cell(f"{sign} {wording.signed(m.difference)}", between, CLASSES[sign[0]])


def _begins(rows: Sequence[Row]) -> frozenset[int]:
    return frozenset(i for i, row in enumerate(rows) if i == 0 or rows[i - 1].entry.method != row.entry.method)
