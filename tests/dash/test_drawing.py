"""What is drawn of a search: everything of a small one, the best of a large one, and in each case how much is left out."""

from __future__ import annotations

from outthink.core.events import Advanced, AnyEvent, Resampled, RunEnded, Scored, Started, Visited
from outthink.core.genealogy import genealogy
from outthink.core.task import Candidate
from outthink.dash import drawing
from outthink.dash.drawing import MOST_ENDS, Drawing, drawing_of
from outthink.dash.state import state_of
from outthink.search import ParticleFilter, Tree
from outthink.store import Store
from tests.dash.solved import share_of_a, solved


def drawn(events: list[AnyEvent], seen: dict[int, Candidate] | None = None, *, ended: bool = True) -> Drawing:
    contents = {("", node): one for node, one in (seen or {}).items()}
    return drawing_of(genealogy("", events, contents), seen or {}, events, ended=ended)


def steps(members: int, levels: int, *, first: int = 0) -> list[AnyEvent]:
    """So many members, each going on alone for so many levels; scores grow with the member's number."""
    found: list[AnyEvent] = [Started(nodes=tuple(range(first, first + members)))]
    for level in range(1, levels + 1):
        parents = tuple(range(first + (level - 1) * members, first + level * members))
        nodes = tuple(n + members for n in parents)
        found.append(Advanced(parents=parents, nodes=nodes, done=(level == levels,) * members))
    found.append(Scored(nodes=nodes, values=tuple(float(n) for n in range(members))))
    return found


def test_a_small_search_is_drawn_whole() -> None:
    found = drawn([*steps(3, 2), RunEnded(stop="done", answer=8)])
    assert [mark.id for mark in found.marks] == [3, 4, 5, 6, 7, 8]
    assert [mark.under for mark in found.marks] == [None, None, None, 3, 4, 5]
    assert [mark.id for mark in found.marks if mark.path] == [5, 8]
    assert [mark.beat for mark in found.marks] == [1, 1, 1, 2, 2, 2]
    assert (found.beats, found.left_out, found.columns) == (2, 0, (1, 2))
    assert [mark.shade for mark in found.marks][3:] == [0.0, 0.5, 1.0]


def test_of_very_many_ends_the_best_are_drawn_and_the_others_counted() -> None:
    members = MOST_ENDS + 20
    found = drawn([*steps(members, 1), RunEnded(stop="done", answer=members)])
    assert len(found.marks) == MOST_ENDS
    assert found.left_out == 20
    # The worst-scored are left out, and the answer, worst of all, is not.
    assert [mark.id for mark in found.marks] == [members, *range(members + 21, 2 * members)]


def test_long_lines_are_drawn_by_their_forks_and_ends() -> None:
    levels = drawing.MOST_MARKS
    found = drawn([*steps(2, levels), RunEnded(stop="done", answer=2 * levels)])
    assert [mark.id for mark in found.marks] == [2 * levels, 2 * levels + 1]
    assert all(mark.under is None for mark in found.marks)


def test_what_is_folded_stands_where_it_would_hang() -> None:
    members = MOST_ENDS + 6
    events: list[AnyEvent] = [Started(nodes=(0,)), Advanced(parents=(0,), nodes=(1,), done=(False,))]
    nodes = tuple(range(2, 2 + members))
    events.append(Advanced(parents=(1,) * members, nodes=nodes, done=(True,) * members))
    found = drawn(events)
    assert {mark.id: mark.hidden for mark in found.marks if mark.hidden} == {1: 6}


def test_resampled_and_dropped_members_say_so() -> None:
    events = [*steps(4, 1), Resampled(step=1, ancestors=(4, 4, 5, 5), effective=1.5)]
    found = drawn(events, ended=False)
    assert [mark.dropped for mark in found.marks] == [False, False, True, True]
    assert found.resampled == ((0, "2 of 4 kept, effective 1.5"),)
    assert "dropped at the resampling" in found.marks[2].said


def test_images_hang_from_the_nearest_image() -> None:
    png = drawing.PNG + b"rest"
    seen = {n: Candidate(content=png, kind="image", id=n) for n in (2, 3, 6, 7)}
    found = drawn(steps(2, 3), seen)
    assert found.kind == "images"
    assert [(mark.id, mark.under) for mark in found.marks] == [(2, None), (3, None), (6, 2), (7, 3)]
    assert found.columns == (1, 3)


def test_where_nobody_judges_votes_make_the_shade() -> None:
    events: list[AnyEvent] = [Started(nodes=(0, 1, 2)), Advanced(parents=(0, 1, 2), nodes=(3, 4, 5), done=(True,) * 3)]
    seen = {n: Candidate(content=a, answer=a, id=n) for n, a in ((3, "x"), (4, "y"), (5, "x"))}
    assert [mark.shade for mark in drawn(events, seen).marks] == [1.0, 0.5, 1.0]


def test_members_wait_only_while_the_run_goes_on() -> None:
    events: list[AnyEvent] = [Started(nodes=(0,)), Advanced(parents=(0,), nodes=(1,), done=(False,))]
    assert [mark.open for mark in drawn(events, ended=False).marks] == [True]
    assert [mark.open for mark in drawn(events, ended=True).marks] == [False]


def test_visits_make_a_search_tree() -> None:
    events = [*steps(1, 2), Visited(nodes=(1, 2), visits=(3, 1), values=(0.5, None))]
    found = drawn(events)
    assert found.kind == "search"
    assert [(mark.visits, mark.value) for mark in found.marks] == [(3, 0.5), (1, None)]


async def test_every_edge_of_real_runs_is_drawn(store: Store) -> None:
    for algorithm in (ParticleFilter(n=6, ess_threshold=1.0), Tree(n=8)):
        run = store.run(await solved(store, algorithm, verifier=share_of_a()))
        tree = genealogy("", run.events, {("", node): one for node, one in run.candidates.items()})
        state = state_of(run)
        under = {mark["id"]: mark["under"] for mark in state["drawing"]["marks"]}
        fresh = set(tree.roots)
        shown = set(under)
        assert {(node, parent) for parent, node in tree.edges if parent in shown} == {
            (node, parent) for node, parent in under.items() if parent is not None
        }
        assert {node for _, node in tree.edges} - fresh <= shown
        assert sum(mark.get("chosen", False) for mark in state["drawing"]["marks"]) == 1
