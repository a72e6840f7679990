"""One member of a run: its text with what its last step added, its line of ancestors, or its picture."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from outthink.core.genealogy import genealogy
from outthink.core.task import Candidate
from outthink.dash.drawing import in_words, picture_in
from outthink.dash.wording import content
from outthink.store import StoredRun
from outthink.store.reading import find_run, read_candidates, read_chosen

ANSWER = "answer"
"""Stands for the number of the member that is the answer, where a picture is asked for."""


def member_of(run: StoredRun, node: int, part: str, members: dict[int, Candidate]) -> dict[str, Any] | None:
    """What is known of a member; None where there is none of this number."""
    own = [event for event in run.events if event.run == part]
    tree = genealogy(part, own, {(part, n): candidate for n, candidate in members.items()})
    if node not in tree.nodes:
        return None
    found, seen = tree.nodes[node], members.get(node)
    before = members.get(found.parent) if found.parent is not None else None
    text = content(seen.content) if seen is not None and picture_in(seen) is None else ""
    kept = content(before.content) if before is not None else ""
    weight = None
    if run.result is not None and not part:
        weight = next(
            (w for one, w in zip(run.result.candidates, run.result.weights, strict=True) if one.id == node), None
        )
    line = []
    at = found.parent
    while at is not None:
        line.append(at)
        at = tree.nodes[at].parent
    return {
        "node": node,
        "said": in_words(found, tree.keyed),
        "before": kept if kept and text.startswith(kept) else "",
        "text": text,
        "answer": None if seen is None else seen.answer,
        "score": found.score,
        "weight": weight,
        "level": found.level,
        "picture": picture_in(seen) is not None,
        "ancestors": list(reversed(line)),
        "features": {} if seen is None else {name: str(value) for name, value in seen.features.items()},
    }


def members_of(connection: sa.Connection, name: str, part: str) -> dict[int, Candidate]:
    """What was seen at the nodes of a run inside another one. Raises `NoSuchRun`."""
    return read_candidates(connection, find_run(connection, name).number, name=part)


def picture(connection: sa.Connection, name: str, node: int | None) -> bytes | None:
    """The picture of one member, or (None) of the answer; None where there is none. Raises `NoSuchRun`."""
    number = find_run(connection, name).number
    if node is None:
        node = read_chosen(connection, number)
    if node is None:
        return None
    return picture_in(read_candidates(connection, number, first=node, last=node).get(node))
