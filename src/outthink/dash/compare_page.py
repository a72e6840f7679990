"""Two candidates of a run side by side, what only one of them says marked, and the step at which they parted."""

from __future__ import annotations

from outthink.core.genealogy import Genealogy, genealogy
from outthink.core.markup import Markup, join, tag
from outthink.core.result import Result
from outthink.core.task import Candidate
from outthink.dash.candidates import picture_of, ranked, shown_answer
from outthink.dash.differences import Difference, Stretch, difference
from outthink.dash.page import Page, Place, facts, message
from outthink.dash.wording import content, line_of, number
from outthink.store import StoredRun


def compare_page(run: StoredRun, nodes: list[int], place: Place) -> tuple[Page, int]:
    """The page and its status. Where fewer than two candidates are named, the best are taken."""
    result = run.result
    if result is None or len(result.candidates) < 2:
        return message("Nothing to compare", "This run has no two candidates yet."), 404
    known = {one.id: i for i, one in enumerate(result.candidates)}
    unknown = [node for node in nodes if node not in known]
    if unknown:
        return message("No such candidate", f"Member {unknown[0]} is no candidate of this run."), 404
    picked = _picked(result, list(dict.fromkeys(known[node] for node in nodes)))
    pair = (result.candidates[picked[0]], result.candidates[picked[1]])
    told = difference(content(pair[0].content), content(pair[1].content))
    tree = genealogy("", run.events, {})
    crumbs = tag(
        "p",
        tag("a", "Runs", href=place.to()),
        tag("a", run.line.id, href=place.to(f"runs/{run.line.id}"), class_="mono"),
        tag("span", "side by side"),
        class_="crumbs",
    )
    sides = [_side(run, result, i, words, place) for i, words in zip(picked, (told.left, told.right), strict=True)]
    body = (
        tag("header", crumbs, tag("h1", line_of(run.task.question, 160), class_="question"), class_="run-head"),
        _chooser(run, result, pair, place),
        tag("p", _summary(told, tree, pair), class_="lead"),
        tag("div", *sides, class_="sides"),
    )
    return Page("Side by side", "runs", body), 200


def _picked(result: Result, named: list[int]) -> list[int]:
    """Two candidates: those named, then the best, then the best that says something else than the first."""
    order = ranked(result)
    first = named[0] if named else order[0]
    rest = [i for i in order if i != first]
    one = result.candidates[first]
    other_answer = [i for i in rest if result.candidates[i].answer != one.answer]
    other_words = [i for i in rest if content(result.candidates[i].content) != content(one.content)]
    return [first, *named[1:], *other_answer, *other_words, *rest][:2]


def _chooser(run: StoredRun, result: Result, pair: tuple[Candidate, Candidate], place: Place) -> Markup:
    order = ranked(result)

    def choice(one: Candidate, name: str) -> Markup:
        options = []
        for i in order:
            other = result.candidates[i]
            shown = f"{other.id}: {line_of(shown_answer(other), 48)}"
            options.append(tag("option", shown, value=other.id, selected="" if other.id == one.id else None))
        return tag("select", *options, name="node", aria_label=name)

    return tag(
        "form",
        choice(pair[0], "Left candidate"),
        choice(pair[1], "Right candidate"),
        tag("button", "Compare", type="submit"),
        method="get",
        action=place.to(f"runs/{run.line.id}/compare"),
        class_="filters",
    )


def _summary(told: Difference, tree: Genealogy, pair: tuple[Candidate, Candidate]) -> str:
    if told.alike == 1.0:
        alike = "They say the same, word by word."
    else:
        alike = f"{told.alike:.0%} of their words are in common; the rest is marked."
    shared = _shared_steps(tree, pair[0].id, pair[1].id)
    return f"{alike} They parted after step {shared}." if shared else alike


def _shared_steps(tree: Genealogy, left: int, right: int) -> int:
    """The last level at which both had one ancestor; 0 where they never had."""
    seen: set[int] = set()
    at: int | None = left if left in tree.nodes else None
    while at is not None:
        seen.add(at)
        at = tree.nodes[at].parent
    at = right if right in tree.nodes else None
    while at is not None:
        if at in seen:
            return tree.nodes[at].level
        at = tree.nodes[at].parent
    return 0


def _side(run: StoredRun, result: Result, i: int, words: tuple[Stretch, ...], place: Place) -> Markup:
    one = result.candidates[i]
    marked = [tag("mark", stretch.text) if stretch.own else stretch.text for stretch in words]
    rows = {
        "Answer": line_of(one.answer, 200) if one.answer is not None else "",
        "Score": number(result.scores[i]),
        "Weight": f"{result.weights[i]:.3f}",
        "State": "finished" if one.final else "unfinished",
    }
    picture = picture_of(run, one.id, place, f"Member {one.id}")
    title = f"Member {one.id}"
    star = tag("span", "the answer", class_="chosen-tag") if i == result.chosen else Markup("")
    shown = picture or tag("pre", join(*marked) if marked else Markup(""), class_="text")
    return tag("section", tag("h2", title, star), facts(rows), shown, class_="panel side")
