"""Which layers may follow which, against a predicate written from the words of the sheet alone."""

from __future__ import annotations

from itertools import product

import pytest

from outthink.core import SettingsError
from outthink.pipeline import (
    Critique,
    Fuse,
    Generate,
    Pipeline,
    Rank,
    RunTests,
    SideBySide,
    Stage,
    Verify,
    WriteTests,
)
from outthink.pipeline.space import Space

KINDS: dict[str, Stage] = {
    stage.name(): stage for stage in (Generate(), Fuse(), Critique(), Rank(), Verify(), WriteTests(), RunTests())
}


def allowed(kinds: tuple[str, ...]) -> bool:
    """Spec 08, rule 2, clause by clause."""
    generators_first = [kind == "generate" for kind in kinds] == [True] + [False] * (len(kinds) - 1)
    critics = all(
        at + 1 < len(kinds) and kinds[at + 1] in ("rank", "fuse") for at, kind in enumerate(kinds) if kind == "critique"
    )
    written = {at for at, kind in enumerate(kinds) if kind == "write-tests"}
    run = {at for at, kind in enumerate(kinds) if kind == "run-tests"}
    return generators_first and critics and {at + 1 for at in written} == run


def accepted(kinds: tuple[str, ...], **settings: str) -> bool:
    try:
        Pipeline(layers=tuple(KINDS[kind] for kind in kinds), **settings)  # type: ignore[arg-type]
    except SettingsError:
        return False
    return True


def test_the_rules_accept_exactly_what_the_sheet_allows() -> None:
    sequences = [kinds for n in (1, 2, 3) for kinds in product(KINDS, repeat=n)]
    assert len(sequences) == 7 + 49 + 343
    wrong = [kinds for kinds in sequences if accepted(kinds) != allowed(kinds)]
    assert not wrong
    assert 0 < sum(map(accepted, sequences)) < len(sequences)


def test_open_rules_ask_only_for_what_a_run_needs() -> None:
    tests_first = ("write-tests", "generate", "run-tests")
    assert accepted(tests_first, rules="open")
    assert not accepted(tests_first)
    assert accepted(("generate", "generate", "critique"), rules="open")
    for kinds in (("rank",), ("write-tests",), ("generate", "run-tests"), ("fuse", "generate")):
        assert not accepted(kinds, rules="open"), kinds


def test_several_generators_or_several_fusers_may_share_a_layer() -> None:
    Pipeline(layers=(SideBySide(stages=(Generate(), Generate())), SideBySide(stages=(Fuse(), Fuse()))))
    with pytest.raises(SettingsError, match="different kinds"):
        SideBySide(stages=(Generate(), Fuse()))
    with pytest.raises(SettingsError):
        SideBySide(stages=(Rank(), Rank()))  # type: ignore[arg-type]


def test_a_refusal_says_where_what_and_what_to_do() -> None:
    with pytest.raises(SettingsError, match=r"Layer 2 .*'critique'.*Got 'critique'; expected 'rank' or 'fuse'.*reads"):
        Pipeline(layers=(Generate(), Critique(), Verify()))
    with pytest.raises(SettingsError, match=r"open"):
        Pipeline(layers=(Generate(), Generate()))


def test_the_space_of_the_paper_has_its_size() -> None:
    space = Space()
    assert len(space.drawn()) == 38
    assert len(space.stacks()) == 84
    assert len(space.configurations()) == 38 * 84 * 3 == 9576
