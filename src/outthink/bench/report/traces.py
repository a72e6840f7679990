"""The traces of the questions that the tables point to: what was asked, what every method answered, and what the stored samples say."""

from __future__ import annotations

from collections.abc import Sequence

from outthink.bench.outcome import Outcome
from outthink.bench.report import wording
from outthink.bench.report.cells import Cell, Sheet
from outthink.bench.report.questions import Traced, anchor
from outthink.bench.report.study import Study
from outthink.bench.report.tables import drawn
from outthink.core.markup import Markup, tag

HEADS = ("method", "seed", "answer", "tokens", "judgements", "steps", "ended")


def traced_of(study: Study) -> list[Traced]:
    """The questions that have a trace, each once."""
    found: dict[str, Traced] = {}
    for one in study.sets:
        for traced in (*one.hardest, *one.improved):
            found.setdefault(traced.question, traced)
    return list(found.values())


def traces(study: Study) -> list[Markup]:
    """One closed block a question."""
    found = traced_of(study)
    return [tag("h2", "Traces", id="traces"), *(_trace(one) for one in found)] if found else []


def _trace(one: Traced) -> Markup:
    parts: list[Markup] = []
    if one.prompt:
        parts.append(tag("pre", one.prompt))
    if one.reference is not None:
        parts.append(tag("p", "Right answer: ", tag("code", one.reference)))
    rows = tuple(_row(outcome) for outcome in one.outcomes)
    before = ["", *(outcome.method for outcome in one.outcomes)]
    begins = frozenset(i for i, outcome in enumerate(one.outcomes) if outcome.method != before[i])
    parts.append(drawn(Sheet(HEADS, rows, frozenset({1, 3, 4, 5}), begins)))
    if one.samples:
        items = [tag("li", *_sample(*sample)) for sample in one.samples]
        parts += [tag("p", "Answers in the stored samples, the most frequent first:", class_="soft"), tag("ul", *items)]
    summary = tag("summary", f"{one.question}: solved by {wording.percent(one.solved)}")
    # The anchor stands inside, so that following a link opens the block.
    return tag("details", summary, tag("div", *parts, id=anchor(one.question)))


def _row(outcome: Outcome) -> tuple[Cell, ...]:
    said = outcome.failure or (outcome.answer if outcome.answer is not None else "no answer")
    return (
        Cell(f"{outcome.method} {outcome.size}"),
        Cell(str(outcome.seed)),
        Cell(f"{'✓' if outcome.right else '✗'} {wording.shortened(said, 200)}", kind="yes" if outcome.right else "no"),
        Cell(wording.amount(outcome.tokens)),
        Cell(wording.amount(outcome.judged.verifier_calls)),
        Cell(str(outcome.steps)),
        Cell(outcome.limit or outcome.stop),
    )


def _sample(text: str, count: int, right: bool) -> Sequence[Markup]:
    mark = tag("span", "✓ " if right else "✗ ", class_="yes" if right else "no")
    return mark, tag("code", text[:200]), Markup(f" × {count}")
