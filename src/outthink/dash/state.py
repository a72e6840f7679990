"""How a run stands, as plain values for a browser: what it spent of what it may, who leads, and the drawing of its search."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from outthink.core.events import Adapted, AnyEvent, Charged, MemberFailed, Resampled, Started, Warned
from outthink.core.genealogy import Genealogy, genealogy
from outthink.core.task import Candidate
from outthink.dash.drawing import drawing_of
from outthink.dash.wording import duration, line_of, state, tone
from outthink.store import StoredRun
from outthink.store.reasons import why_stopped, why_won

COLUMNS = {
    "tokens": "tokens",
    "calls": "calls",
    "verifier_calls": "judged",
    "denoiser_evals": "denoiser evaluations",
    "seconds": "seconds",
}
MOST_ANSWERS, MOST_NOTES = 8, 20


def state_of(run: StoredRun, part: str = "", members: Mapping[int, Candidate] | None = None) -> dict[str, Any]:
    """The whole state. `part`: the run inside it that is drawn, "" for itself; `members`: what was seen at that one's nodes."""
    line, result = run.line, run.result
    seen = run.candidates if members is None else members
    own = [event for event in run.events if event.run == part]
    tree = genealogy(part, own, {(part, node): candidate for node, candidate in seen.items()})
    drawing = drawing_of(tree, seen, own, ended=line.status != "running")
    return {
        "id": line.id,
        "state": state(line),
        "tone": tone(line),
        "running": line.status == "running",
        "steps": line.steps,
        "seconds": line.seconds,
        "took": duration(line.seconds),
        "answer": None if result is None or not isinstance(result.answer, str) else result.answer,
        "won": "" if result is None else why_won(result),
        "stopped": "" if result is None else why_stopped(result),
        "meters": meters(run),
        "roles": roles(run),
        "answers": answers(run, tree, seen) if not part else [],
        "scores": scores(run, tree) if not part else [],
        "notes": notes(run.events),
        "members": len(tree.nodes) - len(tree.roots),
        "finished": sum(node.done for node in tree.nodes.values()),
        "judged": sum(node.score is not None for node in tree.nodes.values()),
        "effective": next((e.effective for e in reversed(own) if isinstance(e, Resampled)), None),
        "part": part,
        "drawing": msgspec.to_builtins(drawing),
    }


def parts_of(events: Sequence[AnyEvent]) -> list[str]:
    """The runs that have members of their own: "" for the run itself, and those inside it, in order of appearance."""
    return list(dict.fromkeys(event.run for event in events if isinstance(event, Started)))


def meters(run: StoredRun) -> list[dict[str, Any]]:
    """What was used of each thing that costs, and the most that it may; things that are neither used nor limited are left out."""
    result, found = run.result, []
    names = [*COLUMNS, *(name for name in run.budget if name not in COLUMNS)]
    for name in names:
        used = getattr(run.line, name, None)
        if used is None:
            used = None if result is None else result.cost.column(name)
        most = run.budget.get(name)
        if most is not None or (used and name != "seconds"):
            known = used is not None and math.isfinite(used)
            title = COLUMNS.get(name, name.replace("_", " "))
            found.append({"name": name, "title": title, "used": used if known else None, "most": most})
    return found


def roles(run: StoredRun) -> list[dict[str, Any]]:
    """Tokens by role (denoiser evaluations where there are none): of a run that goes on as far as its events tell."""
    if run.result is not None:
        costs = {role: (cost.tokens, cost.denoiser_evals) for role, cost in run.result.by_role.items()}
    else:
        costs = {}
        tokens = evaluations = 0
        for event in run.events:
            if isinstance(event, Charged):
                before = costs.get(event.role, (0, 0))
                costs[event.role] = (
                    before[0] + max(0, event.tokens - tokens),
                    before[1] + max(0, event.denoiser_evals - evaluations),
                )
                tokens, evaluations = event.tokens, event.denoiser_evals
    which = 0 if any(cost[0] for cost in costs.values()) else 1
    return [{"role": role, "spent": cost[which]} for role, cost in costs.items() if cost[which]]


def answers(run: StoredRun, tree: Genealogy, seen: Mapping[int, Candidate]) -> list[dict[str, Any]]:
    """The answers that finished members gave, the strongest first: their share, how many gave them, the best score."""
    result = run.result
    weight: dict[int, float] = {}
    if result is not None and any(result.weights):
        weight = {one.id: share for one, share in zip(result.candidates, result.weights, strict=True)}
        ended = [one for one in result.candidates if one.final]
    else:
        ended = [seen[n] for n, node in tree.nodes.items() if node.done and not node.failed and n in seen]
    chosen = run.result.candidates[run.result.chosen].id if run.result and run.result.chosen is not None else None
    found: dict[str, dict[str, Any]] = {}
    for one in ended:
        said = one.answer if one.answer is not None else one.content
        if not isinstance(said, str):
            continue
        row = found.setdefault(said, {"answer": said, "count": 0, "share": 0.0, "best": None, "chosen": False})
        score = run.scores.get(one.id)
        row["count"] += 1
        row["share"] += weight.get(one.id, 0.0) if weight else 1.0 / len(ended)
        row["chosen"] |= one.id == chosen
        if score is not None and (row["best"] is None or score > row["best"]):
            row["best"] = score
    # Shares are sums in no special order: what differs by rounding alone is equal.
    ranked = sorted(found.values(), key=lambda row: (-round(row["share"], 9), not row["chosen"]))
    return [{**row, "answer": line_of(row["answer"], 160)} for row in ranked[:MOST_ANSWERS]]


def scores(run: StoredRun, tree: Genealogy) -> list[dict[str, Any]]:
    """The scores of the members that finished, for a strip of dots."""
    return [
        {"node": n, "score": node.score, "chosen": node.chosen}
        for n, node in tree.nodes.items()
        if node.done and node.score is not None and math.isfinite(node.score)
    ]


def notes(events: Sequence[AnyEvent]) -> list[str]:
    """What the run said about itself: adaptations, warnings, members that were lost; the same thing once."""
    said: dict[str, int] = {}
    for event in events:
        match event:
            case Adapted():
                text = f"Adapted: {event.what}; instead {event.instead}"
            case Warned():
                text = event.message
            case MemberFailed():
                text = f"A member was lost ({event.kind}): {line_of(event.message, 200)}"
            case _:
                continue
        said[text] = said.get(text, 0) + 1
    return [text if n == 1 else f"{text} ({n} times)" for text, n in list(said.items())[:MOST_NOTES]]
