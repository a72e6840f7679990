"""The report: one HTML file that loads nothing from elsewhere, light or dark as the reader's system is, readable on a phone."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources

from outthink.core.errors import Failure
from outthink.core.genealogy import Genealogy, genealogy
from outthink.core.markup import Markup, join, tag, whole_page
from outthink.demo import wording
from outthink.demo.chart import accuracy_chart
from outthink.demo.family_tree import family_tree
from outthink.demo.plan import BASELINES, JUDGE_LABEL, METHODS
from outthink.demo.problems import KINDS
from outthink.demo.running import Finished
from outthink.demo.scoring import Against, Row, Solved, Summary, verdict

NEXT = (
    ("docs/tutorial/demo.md", "what this page shows, number by number"),
    ("docs/tutorial/first-search.md", "a first search of your own, in Python and on the command line"),
    ("docs/reference/algorithms.md", "every method and its settings"),
    ("docs/reference/verifiers.md", "what can judge an answer"),
)
COMMANDS = """make demo-more                         # greatest common divisors and products as well
outthink demo --seed 2                 # other problems
outthink run "What is 17 + 25?" --method vote --n 8 --budget tokens=2000
outthink recipes list                  # methods with their settings, ready to use"""


def page(finished: Finished, summaries: Sequence[Summary], environment: dict[str, str]) -> str:
    """The whole document."""
    title = "More answers from the same small model"
    parts = [section for summary in summaries for section in _kind(finished, summary)]
    style = resources.files("outthink.demo").joinpath("report.css").read_text(encoding="utf-8")
    return whole_page(title, style, tag("h1", title), _lead(finished), *parts, *_made(finished, environment), *_next())


def _lead(finished: Finished) -> Markup:
    plan = finished.plan
    said = (
        "One model answers every problem once, or spends more: it answers many times and votes, lets a checker choose, or lets the checker "
        "steer a particle filter line by line. The checker "
        f"{JUDGE_LABEL}."
    )
    ended = (
        "This run was ended early; only problems that every method has finished are counted."
        if finished.interrupted
        else ""
    )
    return join(
        tag("p", said, class_="lead"), tag("p", ended) if ended else "", tag("p", f"Seed {plan.seed}.", class_="soft")
    )


def _kind(finished: Finished, summary: Summary) -> list[Markup]:
    solved = finished.solved[summary.kind]
    return [
        tag("h2", wording.heading(summary)[:1].upper() + wording.heading(summary)[1:]),
        tag("p", verdict(summary), class_="verdict"),
        accuracy_chart(summary),
        _scroll(_accuracy(summary)),
        tag("p", wording.constant_line(summary), class_="soft"),
        tag("h3", "The bill"),
        _scroll(_bill(summary)),
        tag("p", wording.budget_line(summary)),
        tag("p", wording.shared_line(finished, summary.kind), class_="soft"),
        *_families(finished, solved),
        tag("h3", "Problem by problem"),
        _scroll(_grid(solved)),
    ]


def _scroll(content: Markup) -> Markup:
    return tag("div", content, class_="scroll")


def _accuracy(summary: Summary) -> Markup:
    heads = ["method", "solved", "95% interval", *(f"against {summary.row(name).title}" for name in BASELINES)]
    rows = [_accuracy_row(row) for row in summary.rows]
    constant = summary.constant
    rows.append(
        tag(
            "tr",
            tag("td", f"always {constant.answer}"),
            tag("td", f"{constant.right} ({wording.percent(constant.right / summary.n)})", class_="nowrap"),
            *[tag("td", "")] * (1 + len(BASELINES)),
            class_="constant",
        )
    )
    return _table(heads, rows)


def _accuracy_row(row: Row) -> Markup:
    against = {a.baseline: a for a in row.against}
    failed = f"failed on {row.failed}" if row.failed else ""
    return tag(
        "tr",
        tag("td", row.title, *[tag("small", note) for note in (wording.judged(row), failed) if note]),
        tag("td", f"{row.right} ({wording.percent(row.accuracy)})", class_="nowrap"),
        tag("td", wording.span(row.interval), class_="nowrap"),
        *(_against(against.get(name)) for name in BASELINES),
        data_method=row.method.name,
    )


def _against(against: Against | None) -> Markup:
    if against is None:
        return tag("td", "")
    interval = tag("small", f"{wording.points(against)} points")
    return tag("td", tag("span", wording.difference(against), class_="shown" if against.shown else None), interval)


def _bill(summary: Summary) -> Markup:
    heads = ["method", "generated", "prompt computed", "checker calls", "most in one problem", "seconds"]
    rows = [
        tag(
            "tr",
            tag("td", row.title, tag("small", wording.roles(row))),
            tag("td", str(row.cost.output_tokens), class_="n"),
            tag("td", str(wording.prompt_tokens(row.cost)), class_="n"),
            tag("td", str(row.cost.verifier_calls), class_="n"),
            tag("td", f"{row.most} of {summary.cap}", class_="n"),
            tag("td", f"{row.seconds:.1f}", class_="n"),
        )
        for row in summary.rows
    ]
    return _table(heads, rows, numbers=True)


def _grid(solved: Sequence[Solved]) -> Markup:
    heads = ["problem", "answer", *(method.name for method in METHODS)]
    rows = [
        tag(
            "tr",
            tag("td", one.problem.question, class_="nowrap"),
            tag("td", str(one.problem.answer)),
            *(_said(one, method.name) for method in METHODS),
            data_problem=one.id,
        )
        for one in solved
    ]
    return _table(heads, rows)


def _said(one: Solved, method: str) -> Markup:
    result, said = one.results[method], one.said(method)
    if isinstance(result, Failure):
        return tag("td", f"failed: {result.kind}", class_="no", title=result.message)
    mark = "✓" if one.right(method) else "✗"
    return tag("td", f"{mark} {said if said is not None else 'no answer'}", class_="yes" if one.right(method) else "no")


def _table(heads: Sequence[str], rows: Sequence[Markup], *, numbers: bool = False) -> Markup:
    cells = [tag("th", head, class_="n" if numbers and i else None, scope="col") for i, head in enumerate(heads)]
    return tag("table", tag("thead", tag("tr", *cells)), tag("tbody", *rows))


def _families(finished: Finished, solved: Sequence[Solved]) -> list[Markup]:
    found = shown_problems(solved)
    if not found:
        return []
    parts = [tag("h3", "How the filter worked on one problem")]
    first, *others = found
    parts += _family(finished, first)
    for other in others:
        name = tag("summary", f"Another one, which the filter did not solve: {other.problem.question}")
        parts.append(tag("details", name, *_family(finished, other)))
    return parts


def shown_problems(solved: Sequence[Solved]) -> list[Solved]:
    """The problems whose family trees are shown: the first that the filter solved and vote did not (else the first that it solved), and
    the first that it did not solve."""
    ran = [one for one in solved if not isinstance(one.results["particle-filter"], Failure)]
    won = [one for one in ran if one.right("particle-filter")]
    found = [one for one in won if not one.right("vote")][:1] or won[:1]
    return found + [one for one in ran if not one.right("particle-filter")][:1]


def family_of(finished: Finished, one: Solved) -> Genealogy:
    """The family tree of the filter on one problem."""
    result = one.results["particle-filter"]
    run = "" if isinstance(result, Failure) else result.run
    return genealogy(run, finished.events, finished.contents)


def _family(finished: Finished, one: Solved) -> list[Markup]:
    tree = family_of(finished, one)
    said = one.said("particle-filter")
    vote = one.said("vote")
    chosen = (
        "the first problem that the filter solved and the vote did not" if _won_alone(one) else "one of the problems"
    )
    caption = (
        f"{one.problem.question} = {one.problem.answer}. The filter answers {said or 'nothing'}, the vote {vote or 'nothing'}. "
        f"Shown is {chosen}; others look different. Each box is one written line of one member: ✓ all its equations hold so far, "
        f"✗ one does not, ★ the answer. A dashed box was dropped when the population was resampled ({_times(len(tree.resamplings))} here), "
        "×3 was kept three times. Point at a box for its score."
    )
    drawing = family_tree(tree, f"Family tree of the particle filter on {one.problem.question}")
    return [tag("p", caption, class_="soft"), _scroll(drawing)]


def _won_alone(one: Solved) -> bool:
    return one.right("particle-filter") and not one.right("vote")


def _made(finished: Finished, environment: dict[str, str]) -> list[Markup]:
    plan = finished.plan
    terms = {
        **environment,
        "seed": str(plan.seed),
        "members": str(plan.members),
        "temperature": f"{plan.temperature:g}, greedy 0",
        "problems": ", ".join(f"{plan.problems} {KINDS[kind].title}" for kind in plan.kinds),
        "one answer": f"at most {plan.reply} tokens, {plan.step} in one line",
        "ledger": wording.ledger_line(finished),
    }
    pairs = [item for term, value in terms.items() for item in (tag("dt", term), tag("dd", value))]
    return [
        tag("h2", "How it was made"),
        tag("ul", *(tag("li", note) for note in wording.method_notes(plan))),
        tag("dl", *pairs),
        tag("p", "Every candidate, score and bill stands in results.json beside this page.", class_="soft"),
    ]


def _next() -> list[Markup]:
    return [
        tag("h2", "Where to look next"),
        tag("ul", *(tag("li", tag("code", path), f": {what}") for path, what in NEXT)),
        tag("pre", COMMANDS),
    ]


def _times(n: int) -> str:
    return {0: "never", 1: "once", 2: "twice"}.get(n, f"{n} times")
