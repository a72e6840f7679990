"""One run: the question, the answer and why it won, the bill, the search as it grows, what else might have been, and the candidates.

What does not change stands in the page itself; what grows is drawn by its scripts from the run's state.
"""

from __future__ import annotations

import msgspec

from outthink.core.markup import Markup, join, tag
from outthink.dash.candidates import candidates_panel, chosen_picture
from outthink.dash.page import Page, Place, facts, panel
from outthink.dash.state import parts_of
from outthink.dash.what_if import rule_of, rules_for
from outthink.dash.wording import count, duration, line_of, moment, state, tone
from outthink.store import StoredRun
from outthink.store.reasons import why_stopped, why_won

LONG_QUESTION = 220


def run_page(run: StoredRun, place: Place) -> Page:
    """The page of this run."""
    line = run.line
    title = line_of(run.task.question, 80) or line.task or line.id
    body = (
        _head(run, place),
        tag("div", _answer(run, place), _spending(), class_="pair"),
        _search(run),
        tag("div", _standing(run), _what_if(run), class_="pair", id="reasons"),
        candidates_panel(run, place),
        _record(run),
    )
    data = {"run": line.id, "running": "yes" if line.status == "running" else "no", "rule": rule_of(run)}
    return Page(title, "runs", body, ("run.js",), data)


def _head(run: StoredRun, place: Place) -> Markup:
    line, question = run.line, run.task.question.strip()
    crumbs = tag("p", tag("a", "Runs", href=place.to()), tag("span", line.id, class_="mono"), class_="crumbs")
    if len(question) > LONG_QUESTION:
        first = tag("h1", line_of(question, LONG_QUESTION), class_="question")
        asked = join(first, tag("details", tag("summary", "The whole question"), tag("pre", question)))
    else:
        asked = tag("h1", question or line.task or "(no text)", class_="question")
    told = [
        tag("span", state(line), class_=f"state {tone(line)}", id="state"),
        tag("span", line.method, class_="method"),
        *([tag("span", line_of(line.engine.partition(" ")[0], 48), title=line.engine)] if line.engine else []),
        tag("span", f"seed {line.seed}"),
        tag("span", duration(line.seconds), id="took", class_="n"),
        tag("time", moment(line.created), datetime=moment(line.created)),
    ]
    return tag("header", crumbs, asked, tag("p", *told, class_="told"), class_="run-head")


def _answer(run: StoredRun, place: Place) -> Markup:
    result = run.result
    if run.error:
        shown = tag("p", "The run failed.", class_="said none", id="answer")
        why = tag("p", run.error, class_="wrong", id="won")
    elif result is None:
        waiting = "Searching…" if run.line.status == "running" else "The run was killed before it had an answer."
        shown, why = tag("p", waiting, class_="said none", id="answer"), tag("p", "", id="won")
    else:
        text = (
            result.answer if isinstance(result.answer, str) else run.line.answer if result.answer is not None else None
        )
        long = " long" if text is not None and len(text) > 60 else ""
        picture = chosen_picture(run, place)
        shown = picture or tag("p", text or "No answer.", class_=f"said{long}" if text else "said none", id="answer")
        why = tag("p", _sentence(why_won(result)), id="won")
    stopped = _sentence(why_stopped(result)) if result is not None else ""
    reference = (
        tag("p", tag("span", "Known answer ", class_="soft"), tag("code", run.task.reference))
        if run.task.reference
        else Markup("")
    )
    return panel(
        "Answer",
        shown,
        reference,
        tag("div", why, tag("p", stopped, id="stopped", class_="soft"), class_="reasons"),
        class_="panel answer-card",
    )


def _spending() -> Markup:
    return panel("Spent", tag("div", id="meters", class_="meters"), tag("div", id="roles", class_="roles"))


def _search(run: StoredRun) -> Markup:
    parts = parts_of(run.events)
    options = [tag("option", part or "the run itself", value=part) for part in parts]
    chooser = tag("label", "Part ", tag("select", *options, id="part")) if len(parts) > 1 else Markup("")
    controls = tag(
        "div",
        tag("button", "Play", id="play", type="button", aria_label="Play the search from its beginning"),
        tag(
            "input",
            type="range",
            id="beat",
            min="0",
            max="1",
            value="1",
            aria_label="Moves of the search that are shown",
        ),
        tag("output", "", id="beat-told", for_="beat"),
        chooser,
        tag("button", "Fit", id="fit", type="button", aria_pressed="true", aria_label="Fit the drawing to the page"),
        class_="controls",
    )
    drawing = tag(
        "div",
        class_="drawing",
        id="drawing",
        tabindex="0",
        role="group",
        aria_label="The search; arrow keys move between its members",
    )
    member = tag(
        "aside",
        tag("p", "Choose a member to read what it wrote.", class_="soft"),
        class_="member",
        id="member",
        aria_live="polite",
    )
    legend = tag("p", id="legend", class_="note")
    without = tag("noscript", tag("p", "The drawing and live updates need JavaScript; all else on this page does not."))
    return panel(
        "The search",
        controls,
        tag("div", drawing, member, class_="split"),
        legend,
        tag("ul", id="notes", class_="notes"),
        without,
        id="search",
    )


def _standing(run: StoredRun) -> Markup:
    title = "Why this answer" if run.result is not None else "The answers so far"
    return panel(
        title, tag("ol", id="answers", class_="answers"), tag("div", id="scores", class_="scores"), id="standing"
    )


def _what_if(run: StoredRun) -> Markup:
    rules = rules_for(run)
    if not rules:
        said = "Once two samples have finished, this replays the choice with fewer of them, or by another rule."
        if run.line.status != "running":
            said = "There is nothing to replay: fewer than two samples finished, or their answers are no text."
        return panel("What if", tag("p", said, class_="soft"), id="what-if")
    options = [
        tag("option", f"{name}: {says}", value=name, selected="" if name == rule_of(run) else None)
        for name, says in rules.items()
    ]
    return panel(
        "What if",
        tag("p", "Replayed from what is stored. Nothing is generated, nothing is paid.", class_="note"),
        tag("label", "Chosen by ", tag("select", *options, id="rule"), class_="field"),
        tag(
            "label",
            tag("span", "Samples "),
            tag("output", "", id="samples-told"),
            tag("input", type="range", id="samples", min="1", max="1", value="1"),
            class_="field slider",
        ),
        tag("p", id="what-answer", class_="what-answer", role="status"),
        tag("div", id="what-shares", class_="shares"),
        tag("p", id="what-note", class_="note"),
        id="what-if",
    )


def _record(run: StoredRun) -> Markup:
    line, result = run.line, run.result
    rows = {
        "Run": line.id,
        "Method": line.method,
        "Engine": line.engine,
        "Recipe": line.digest,
        "Seed": str(line.seed),
        "Steps": str(line.steps),
        "Budget": ", ".join(f"{name} {limit:g}" for name, limit in run.budget.items()),
        "Task": line.task,
        "Version": run.version,
        "Checkpoints": ", ".join(f"step {step}" for step in run.checkpoints),
        "Unanswered": f"{len(run.unanswered)} requests were sent and not answered" if run.unanswered else "",
    }
    if result is not None:
        rows |= {
            "Agreement": "" if result.agreement is None else f"{result.agreement:.0%}",
            "Effective members": f"{result.effective_n:.1f}" if result.effective_n else "",
            "Log evidence": "" if result.log_evidence is None else f"{result.log_evidence:.4g} nats",
            "Perhaps more": f"{count(result.uncertain.tokens)} tokens" if result.uncertain.tokens else "",
            "Passed": ", ".join(f"{name} by {more:g}" for name, more in result.overshoot.items()),
        }
    unfinished = line.status in ("killed", "failed") or line.stop in ("budget", "interrupted")
    if unfinished and run.recipe:
        rows["To go on"] = f"outthink run --resume {line.id}"
    folded = [facts(rows)]
    for title, value in (("Recipe", run.recipe), ("Data of the task", dict(run.task.data))):
        if value:
            written = msgspec.json.format(msgspec.json.encode(value, enc_hook=str), indent=2).decode("utf-8", "replace")
            folded.append(tag("details", tag("summary", title), tag("pre", written)))
    return panel("Record", *folded, id="record")


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}." if text else ""
