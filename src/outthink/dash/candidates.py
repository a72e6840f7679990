"""The candidates of a run as a table, best first, two of which can be set side by side."""

from __future__ import annotations

from outthink.core.markup import Markup, tag
from outthink.core.result import Result
from outthink.core.task import Candidate
from outthink.dash.drawing import picture_in
from outthink.dash.page import Place, panel
from outthink.dash.wording import content, line_of, number
from outthink.store import StoredRun

MOST_ROWS = 64


def candidates_panel(run: StoredRun, place: Place) -> Markup:
    """The table; a line that says why there is none yet."""
    result = run.result
    if result is None or not result.candidates:
        return panel("Candidates", tag("p", "They stand here when the run has ended.", class_="soft"), id="candidates")
    order = ranked(result)
    rows = [_row(run, result, i, place) for i in order[:MOST_ROWS]]
    left_out = len(order) - len(rows)
    heads = tag("tr", *(tag("th", name, scope="col", class_=kind) for name, kind in HEADS))
    table = tag("table", tag("thead", heads), tag("tbody", *rows))
    more = f"{left_out} more are not shown." if left_out else ""
    button = tag("button", "Side by side", type="submit", id="compare")
    form = tag(
        "form",
        tag("div", table, class_="scroll", tabindex="0", role="region", aria_label="Candidates"),
        tag("p", button, tag("span", more, class_="soft"), class_="under"),
        method="get",
        action=place.to(f"runs/{run.line.id}/compare"),
    )
    return panel(
        "Candidates", form, note="Pick two to see where they part.", id="candidates", class_="panel candidates"
    )


HEADS = (("Pick", ""), ("Candidate", ""), ("Score", "n"), ("Weight", "n"), ("Member", "n"), ("State", ""))


def ranked(result: Result) -> list[int]:
    """Indices of the candidates: the chosen one, then by weight, then by score."""

    def rank(i: int) -> tuple[bool, float, float, int]:
        score = result.scores[i]
        return (i != result.chosen, -result.weights[i], float("inf") if score is None else -score, i)

    return sorted(range(len(result.candidates)), key=rank)


def shown_answer(candidate: Candidate) -> str:
    """What a candidate said, in short: its answer, or else its content."""
    return line_of(candidate.answer if candidate.answer is not None else content(candidate.content), 160)


def picture_of(run: StoredRun, node: int, place: Place, said: str) -> Markup:
    """A candidate's thumbnail; nothing for one that is no picture."""
    if picture_in(run.candidates.get(node)) is None:
        return Markup("")
    return tag(
        "img",
        src=place.to(f"runs/{run.line.id}/pictures/{node}.png"),
        alt=said,
        width=48,
        height=48,
        class_="thumbnail",
    )


def chosen_picture(run: StoredRun, place: Place) -> Markup:
    """The answer of a run of images; nothing for other runs."""
    result = run.result
    if result is None or result.chosen is None:
        return Markup("")
    return picture_of(run, result.candidates[result.chosen].id, place, "The image that won")


def _row(run: StoredRun, result: Result, i: int, place: Place) -> Markup:
    one, weight = result.candidates[i], result.weights[i]
    chosen = i == result.chosen
    label = f"Member {one.id}"
    pick = tag("input", type="checkbox", name="node", value=one.id, aria_label=f"Pick member {one.id}")
    picture = picture_of(run, one.id, place, label)
    # A picture's own text says nothing that the picture does not.
    said = picture or tag("span", shown_answer(one) or "(nothing)", class_="said")
    wrote = line_of(content(one.content), 110) if one.answer is not None and isinstance(one.content, str) else ""
    below = tag("span", wrote, class_="wrote") if wrote != shown_answer(one) else Markup("")
    bar = tag(
        "svg",
        tag("rect", x=0, y=0, width=weight, height=1),
        viewBox="0 0 1 1",
        preserveAspectRatio="none",
        class_="bar",
        aria_hidden="true",
    )
    return tag(
        "tr",
        tag("td", pick),
        tag("td", said, tag("span", "the answer", class_="chosen-tag") if chosen else Markup(""), below),
        tag("td", number(result.scores[i]), class_="n"),
        tag("td", bar, f"{weight:.3f}", class_="n weight"),
        tag(
            "td",
            tag(
                "button",
                str(one.id),
                type="button",
                class_="link",
                data_member=one.id,
                aria_label=f"Show member {one.id} in the search",
            ),
            class_="n",
        ),
        tag("td", "finished" if one.final else "unfinished", class_="soft"),
        class_="chosen" if chosen else None,
    )
