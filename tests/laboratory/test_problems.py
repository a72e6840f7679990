from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outthink.core.errors import InputError, SettingsError
from outthink.core.key import Key
from outthink.laboratory import Chains, Countdown, Family, drawn, held_out, problems, rules_of, solved, standard
from outthink.laboratory.chains import LARGEST, value

FAMILIES = [Chains(terms=2), Chains(terms=5), Countdown(numbers=3), Countdown(numbers=4)]
EQUATION = re.compile(r"([0-9]+)([-+*/])([0-9]+)=([0-9]+)")


def first(family: Family, n: int, seed: int = 1) -> list[tuple[str, tuple[str, ...], tuple[int, ...]]]:
    source = drawn(family, Key(seed), unseen=True)
    return [(one.question, one.lines, one.operands) for one in itertools.islice(source, n)]


@pytest.mark.parametrize("family", FAMILIES, ids=str)
def test_the_solution_that_comes_with_a_problem_solves_it(family: Family) -> None:
    for question, lines, _ in first(family, 200):
        assert solved(question, "\n".join(lines)), (question, lines)


@pytest.mark.parametrize("family", FAMILIES, ids=str)
def test_every_line_is_true_by_another_calculator(family: Family) -> None:
    for _, lines, _ in first(family, 100):
        for line in lines:
            found = EQUATION.fullmatch(line)
            assert found is not None, line
            a, operation, b, result = found.groups()
            # Python's own arithmetic; `//` is exact here, since a quotient that is not whole fails the comparison below.
            known = {"+": int(a) + int(b), "-": int(a) - int(b), "*": int(a) * int(b), "/": int(a) / max(int(b), 1)}
            assert known[operation] == int(result), line


def test_a_chain_has_the_value_that_python_gives_it() -> None:
    for question, lines, _ in first(Chains(terms=6), 200):
        chain = rules_of(question).read(question)
        assert value(chain) == eval(question)
        assert int(lines[-1].partition("=")[2]) == eval(question)
        assert all(int(line.partition("=")[2]) <= LARGEST for line in lines)


def test_a_countdown_uses_its_numbers_and_stays_within_its_bounds() -> None:
    family = Countdown(numbers=4, highest=12, target=30, largest=50)
    for question, lines, operands in first(family, 200):
        assert len(operands) == 4
        assert max(operands) <= 12
        results = [int(line.partition("=")[2]) for line in lines]
        assert len(results) == 3
        assert 1 <= results[-1] <= 30
        assert max(results) <= 50
        assert question == f"{' '.join(map(str, operands))} -> {results[-1]}"


@pytest.mark.parametrize("family", FAMILIES, ids=str)
def test_a_seed_gives_the_same_problems_and_another_gives_others(family: Family) -> None:
    tasks = problems(family, 20, Key(3))
    assert tasks == problems(family, 20, Key(3))
    assert tasks[:7] == problems(family, 7, Key(3))
    assert len({task.question for task in tasks}) == 20
    assert {task.question for task in tasks} != {task.question for task in problems(family, 20, Key(4))}


@pytest.mark.parametrize("family", FAMILIES, ids=str)
def test_the_sides_of_the_split_share_no_operands(family: Family) -> None:
    sides = {
        unseen: {tuple(sorted(one.operands)) for one in itertools.islice(drawn(family, Key(1), unseen=unseen), 500)}
        for unseen in (True, False)
    }
    assert not sides[True] & sides[False]
    assert all(held_out(operands) for operands in sides[True])


@given(st.lists(st.integers(0, 99), min_size=2, max_size=6), st.randoms())
def test_the_split_does_not_look_at_the_order(operands: list[int], random: object) -> None:
    assert held_out(tuple(operands)) == held_out(tuple(sorted(operands)))


def test_about_one_in_eight_is_held_out() -> None:
    every = list(itertools.combinations(range(1, 40), 3))
    share = sum(map(held_out, every)) / len(every)
    assert 0.115 < share < 0.135  # 9,139 sets: five standard errors are 0.017


def test_a_family_that_runs_out_says_so() -> None:
    with pytest.raises(InputError, match="not so many"):
        problems(Countdown(numbers=2, highest=4, target=9), 500, Key(1))


def test_bounds_that_do_not_fit_together() -> None:
    with pytest.raises(SettingsError, match="highest \\* factor"):
        Chains(highest=500, factor=9)


@pytest.mark.parametrize("text", ["", "12", "12+", "+12", "1 2 3", "1 2 -> ", "What is 2+2?", "2+2 ", "3 5 -> 8\n"])
def test_other_texts_are_refused_and_edges_are_trimmed(text: str) -> None:
    if text.strip() in ("2+2", "3 5 -> 8"):
        assert rules_of(text).read(text) is not None
    else:
        with pytest.raises(InputError, match="no problem of the laboratory"):
            rules_of(text)


def test_the_standard_problems_come_in_turn_and_a_longer_list_begins_with_the_shorter() -> None:
    tasks = standard(12, Key(3))
    assert [task.id for task in tasks[:4]] == ["chains-5-1", "countdown-3-1", "countdown-4-1", "chains-5-2"]
    assert standard(5, Key(3)) == tasks[:5]
    assert len({task.id for task in tasks}) == len({task.question for task in tasks}) == 12
    assert not {task.question for task in tasks} & {task.question for task in standard(12, Key(3), unseen=False)}
