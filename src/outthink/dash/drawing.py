"""Which members of a search are drawn, and below whom: a genealogy as marks that a browser lays out.

Small searches are drawn whole. Of large ones the places where they forked and where lines end are drawn, and of very many ends the best;
what is left out is counted where it would hang. In a run of images, a member without a picture is passed over unless it forked.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import msgspec

from outthink.core.events import Advanced, AnyEvent
from outthink.core.genealogy import Genealogy, Node
from outthink.core.task import Candidate
from outthink.dash.wording import line_of

PNG = b"\x89PNG\r\n\x1a\n"
MOST_MARKS, MOST_ENDS = 480, 96
LONGEST_TEXT = 72
Kind = Literal["family", "search", "images"]


class Mark(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One member as it is drawn.

    Attributes:
        under: the nearest drawn ancestor; None hangs from the question. column: from the left, 0 first.
        text: what this step wrote, in short. said: all that the mark shows, in words.
        shade: how good it looks, 0 to 1, by scores or else by votes; None is not known.
        beat: when it appeared, counted in moves of the search.
        hidden: members below it that are not drawn. picture: whether it can be seen as an image.
    """

    id: int
    under: int | None
    column: int
    beat: int
    text: str = ""
    said: str = ""
    score: float | None = None
    value: float | None = None
    visits: int | None = None
    shade: float | None = None
    hidden: int = 0
    picture: bool = False
    done: bool = False
    failed: bool = False
    dropped: bool = False
    chosen: bool = False
    path: bool = False
    open: bool = False


class Drawing(msgspec.Struct, frozen=True, kw_only=True):
    """The marks of a search. `columns`: the level of each column. `beats`: how many moves there were. `left_out`: ends not drawn."""

    kind: Kind
    keyed: bool
    marks: tuple[Mark, ...]
    columns: tuple[int, ...]
    resampled: tuple[tuple[int, str], ...]
    beats: int
    left_out: int


def drawing_of(
    tree: Genealogy, candidates: Mapping[int, Candidate], events: Iterable[AnyEvent], *, ended: bool
) -> Drawing:
    """The drawing of one run. `events`: of that run alone. `ended`: a member that is not finished then waits for nobody."""
    pictures = {node for node, candidate in candidates.items() if picture_in(candidate) is not None}
    searched = any(node.visits is not None for node in tree.nodes.values())
    shown = _shown(tree, pictures)
    above = _nearest(tree, shown)
    kept, ends = _kept(tree, above, pictures)
    columns = sorted({tree.nodes[node].level for node in kept})
    place = {level: i for i, level in enumerate(columns)}
    hidden = _hidden(tree, above, kept) if len(kept) < len(above) else {}
    beat, beats = _beats(events)
    shade = _shades([tree.nodes[node] for node in kept], tree.keyed) or _shares(kept, tree, candidates)
    marks = tuple(
        Mark(
            id=node.id,
            under=above[node.id],
            column=place[node.level],
            beat=beat.get(node.id, 0),
            text=line_of(node.text, LONGEST_TEXT),
            said=in_words(node, tree.keyed),
            score=_finite(node.score),
            value=_finite(node.value),
            visits=node.visits,
            shade=shade.get(node.id),
            hidden=hidden.get(node.id, 0),
            picture=node.id in pictures,
            done=node.done,
            failed=node.failed,
            dropped=node.copies == 0,
            chosen=node.chosen,
            path=node.on_path,
            open=not (node.done or node.children or node.failed or ended),
        )
        for node in (tree.nodes[n] for n in sorted(kept))
    )
    resampled = tuple(
        (place[made.level], f"{made.kept} of {made.members} kept, effective {made.effective:.1f}")
        for made in tree.resamplings
        if made.level in place
    )
    kind: Kind = "images" if pictures else "search" if searched else "family"
    return Drawing(
        kind=kind,
        keyed=tree.keyed,
        marks=marks,
        columns=tuple(columns),
        resampled=resampled,
        beats=beats,
        left_out=ends,
    )


def picture_in(candidate: Candidate | None) -> bytes | None:
    """The PNG file that a stored candidate is; None for anything else."""
    content = candidate.content if candidate is not None else None
    return content if isinstance(content, bytes) and content.startswith(PNG) else None


def in_words(node: Node, keyed: bool) -> str:
    """What a mark shows, for those who read or hear it."""
    said = [f"Member {node.id}, step {node.level}"]
    if node.text:
        said.append(f"wrote {line_of(node.text, LONGEST_TEXT)!r}")
    if node.score is not None:
        said.append(f"score {node.score:.4g}")
    if node.value is not None:
        said.append(f"key {node.value:.4g}, lower is better" if keyed else f"value {node.value:.4g}")
    if node.visits and not keyed:
        said.append(f"{node.visits} visits")
    if node.copies is not None:
        kept = "dropped" if node.copies == 0 else f"kept {node.copies} times"
        said.append(f"{kept} at the resampling")
    said.append(
        "failed"
        if node.failed
        else "the answer"
        if node.chosen
        else "finished"
        if node.done
        else f"{len(node.children)} children"
        if node.children
        else "unfinished"
    )
    return "; ".join(said)


def _shown(tree: Genealogy, pictures: set[int]) -> set[int]:
    """Who may be drawn. Fresh members stand for the question, unless a search counts them as nodes of their own."""
    own = {
        n for n, node in tree.nodes.items() if node.parent is not None or (node.visits is not None and node.children)
    }
    if not own and not pictures:
        own = {n for n, node in tree.nodes.items() if node.visits is None}
    if pictures:
        return {n for n in own | pictures if n in pictures or len(tree.nodes[n].children) > 1}
    if len(own) > MOST_MARKS:
        return {n for n in own if len(tree.nodes[n].children) != 1 or tree.nodes[n].chosen}
    return own


def _nearest(tree: Genealogy, shown: set[int]) -> dict[int, int | None]:
    """The nearest drawn ancestor of each that is drawn. Members are numbered as they are made: a parent comes before its children."""
    above: dict[int, int | None] = {}
    passed: dict[int, int | None] = {}
    for n in sorted(tree.nodes):
        parent = tree.nodes[n].parent
        nearest = None if parent is None else parent if parent in shown else passed.get(parent)
        passed[n] = nearest
        if n in shown:
            above[n] = nearest
    return above


def _kept(tree: Genealogy, above: Mapping[int, int | None], pictures: set[int]) -> tuple[set[int], int]:
    """The best ends with all that leads to them, and how many ends are left out."""
    inner = {parent for parent in above.values() if parent is not None}
    ends = [n for n in above if n not in inner and (not pictures or n in pictures)]
    if len(ends) <= MOST_ENDS:
        kept = ends
    else:
        kept = sorted(ends, key=lambda n: (*_rank(tree.nodes[n], tree.keyed), n))[:MOST_ENDS]
    found: set[int] = set()
    for end in kept:
        at: int | None = end
        while at is not None and at not in found:
            found.add(at)
            at = above[at]
    return found, len(ends) - len(kept)


def _rank(node: Node, keyed: bool) -> tuple[bool, bool, float]:
    worth = _worth(node, keyed)
    return (not node.on_path, not node.done, math.inf if worth is None else -worth)


def _worth(node: Node, keyed: bool) -> float | None:
    return _finite(node.score if keyed or node.value is None else node.value)


def _hidden(tree: Genealogy, above: Mapping[int, int | None], kept: set[int]) -> dict[int, int]:
    """How many members that could be drawn stand below each that is."""
    counts: dict[int, int] = {}
    for n in above:
        at: int | None = n
        while at is not None and at not in kept:
            at = above[at]
        if n not in kept and at is not None:
            counts[at] = counts.get(at, 0) + 1
    return counts


def _beats(events: Iterable[AnyEvent]) -> tuple[dict[int, int], int]:
    """In which move each member appeared, and how many moves there were; fresh members stand before the first."""
    beat: dict[int, int] = {}
    beats = 0
    for event in events:
        if isinstance(event, Advanced):
            beats += 1
            beat.update(dict.fromkeys(event.nodes, beats))
    return beat, beats


def _shades(nodes: Sequence[Node], keyed: bool) -> dict[int, float]:
    """How good each looks beside the others: scores within [0, 1] as they are, others stretched over what there is."""
    known = {node.id: worth for node in nodes if (worth := _worth(node, keyed)) is not None}
    if not known:
        return {}
    low, high = min(known.values()), max(known.values())
    if low >= 0.0 and high <= 1.0:
        low, high = 0.0, 1.0
    return {n: round((worth - low) / (high - low), 3) if high > low else 0.5 for n, worth in known.items()}


def _shares(kept: Iterable[int], tree: Genealogy, candidates: Mapping[int, Candidate]) -> dict[int, float]:
    """Where nobody judges: the share of those that finished that gave a member's answer, beside the largest such share."""
    said = {
        n: seen.answer
        for n in kept
        if tree.nodes[n].done and (seen := candidates.get(n)) is not None and seen.answer is not None
    }
    votes = Counter(said.values())
    most = max(votes.values(), default=1)
    return {n: round(votes[answer] / most, 3) for n, answer in said.items()} if most > 1 else {}


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
