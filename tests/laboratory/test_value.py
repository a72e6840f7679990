"""The exact values against brute force that shares no code with them: all texts of a grammar, judged by Python's own arithmetic."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from fractions import Fraction

import pytest

from outthink.core.key import Key
from outthink.core.task import Candidate, Task
from outthink.laboratory import (
    Chains,
    Countdown,
    Family,
    LaboratoryOracle,
    chance,
    continuations,
    follow,
    problems,
    reachable,
    solved,
)


def countdown_games(numbers: tuple[int, ...]) -> Iterator[tuple[list[str], int]]:
    """Every way to play all numbers away: its lines and its end, by fractions, with the rules applied afterwards."""
    if len(numbers) == 1:
        yield [], numbers[0]
    for i, j in itertools.permutations(range(len(numbers)), 2):
        a, b = numbers[i], numbers[j]
        rest = tuple(number for k, number in enumerate(numbers) if k not in (i, j))
        for sign, result in (
            ("+", Fraction(a + b)),
            ("-", Fraction(a - b)),
            ("*", Fraction(a * b)),
            ("/", Fraction(a, b) if b else None),
        ):
            if result is not None and result > 0 and result.denominator == 1:
                for lines, end in countdown_games((*rest, int(result))):
                    yield [f"{a}{sign}{b}={int(result)}", *lines], end


def countdown_solutions(question: str) -> set[str]:
    left, _, target = question.partition(" -> ")
    numbers = tuple(map(int, left.split()))
    return {"\n".join(lines) for lines, end in countdown_games(numbers) if end == int(target)}


def chain_solutions(question: str) -> set[str]:
    """Every text of true lines that replaces one pair of neighbours at a time and never changes what Python makes of the whole."""
    if question.isdigit():
        return {""}
    pieces = question.replace("+", " + ").replace("-", " - ").replace("*", " * ").split()
    found = set()
    for at in range(1, len(pieces), 2):
        a, sign, b = pieces[at - 1 : at + 2]
        result = eval(f"{a}{sign}{b}")
        # Putting brackets around the pair tells whether it may be combined where it stands, whatever the numbers are.
        marked = "".join([*pieces[: at - 1], "(", a, sign, b, ")", *pieces[at + 2 :]])
        if result >= 0 and _same_polynomial(question, marked):
            shorter = "".join([*pieces[: at - 1], str(result), *pieces[at + 2 :]])
            found |= {f"{a}{sign}{b}={result}\n{rest}".rstrip("\n") for rest in chain_solutions(shorter)}
    return found


def _same_polynomial(plain: str, marked: str) -> bool:
    """Whether two expressions over the same numbers mean the same, tried with other numbers in their place."""
    for salt in (3, 7, 11):
        numbers = (str(salt * 97 + place * place * 31 + place * salt) for place in itertools.count())
        others = [next(numbers) for _ in range(plain.count("+") + plain.count("-") + plain.count("*") + 1)]
        left, right = iter(others), iter(others)
        if eval(re.sub(r"[0-9]+", lambda _, at=left: next(at), plain)) != eval(
            re.sub(r"[0-9]+", lambda _, at=right: next(at), marked)
        ):
            return False
    return True


def cases() -> list[object]:
    found = []
    for family, count in (
        (Chains(terms=3), 12),
        (Chains(terms=4), 8),
        (Countdown(numbers=3), 10),
        (Countdown(numbers=4), 2),
    ):
        found += [pytest.param(family, task.question, id=task.question) for task in problems(family, count, Key(11))]
    return found


@pytest.mark.parametrize(("family", "question"), cases())
def test_solutions_are_those_of_brute_force(family: Family, question: str) -> None:
    expected = chain_solutions(question) if isinstance(family, Chains) else countdown_solutions(question)
    found = list(continuations(follow(question, "")))
    assert len(found) == len(set(found))
    assert set(found) == expected
    assert all(solved(question, text) for text in found)


@pytest.mark.parametrize(("family", "question"), cases()[::4])
def test_every_prefix_has_the_continuations_that_complete_it(family: Family, question: str) -> None:
    every = set(continuations(follow(question, "")))
    prefixes = {text[:end] for text in every for end in range(len(text) + 1)}
    for prefix in sorted(prefixes)[:: max(1, len(prefixes) // 200)]:
        place = follow(question, prefix)
        assert set(continuations(place)) == {text[len(prefix) :] for text in every if text.startswith(prefix)}
        assert reachable(place)


def test_a_prefix_that_no_solution_has_is_lost() -> None:
    question = "3 5 7 -> 22"
    every = set(continuations(follow(question, "")))
    lines = {line.partition("\n")[0] for line in every}
    for line in ("3+5=8", "3*5=15", "5+7=12", "7-3=4", "7*5=35", "3+5=9", "3*3=9", "22=22", "5*3=15 "):
        assert reachable(follow(question, f"{line}\n")) == (line in lines), line
        assert bool(follow(question, f"{line}\n").wrong) == (line in ("3+5=9", "3*3=9", "22=22", "5*3=15 "))


def test_the_chance_of_a_random_player_is_what_playing_gives() -> None:
    question = "2 3 4 -> 24"
    games: dict[str, list[tuple[str, bool]]] = {}
    for lines, end in countdown_games((2, 3, 4)):
        games.setdefault(lines[0], []).append((lines[1], end == 24))
    by_line = {line: sum(won for _, won in set(after)) / len(set(after)) for line, after in games.items()}
    assert chance(follow(question, "")) == pytest.approx(sum(by_line.values()) / len(by_line))
    assert chance(follow(question, "3*4=12\n")) == pytest.approx(by_line["3*4=12"])
    assert chance(follow(question, "3*4=13\n")) == 0.0


@pytest.mark.parametrize(
    ("question", "text", "right"),
    [
        ("12+7*3-5", "7*3=21\n12+21=33\n33-5=28", True),
        ("12+7*3-5", "7*3=21\n21-5=16\n12+16=28", True),  # 12 + (21 - 5): another order that mathematics allows
        ("12+7*3-5", "12+7=19\n19*3=57\n57-5=52", False),
        ("12+7*3-5", "7*3=21\n12+21=34\n34-5=29", False),
        ("12+7*3-5", "7*3=21\n12+21=34\n33-5=28", False),  # the right number after a wrong line
        ("12+7*3-5", "7*3=21\n12+21=33\n33-5=28\n", False),  # goes on after the end
        ("12+7*3-5", "7*3=21\n12+21=33", False),
        ("9-4-3", "9-4=5\n5-3=2", True),
        ("9-4-3", "4-3=1\n9-1=8", False),
        ("3-9+8", "8-9=1\n3+1=4", False),
        ("3 5 7 -> 22", "5*3=15\n15+7=22", True),
        ("3 5 7 -> 22", "15+7=22", False),
        ("3 5 7 -> 22", "5*3=15\n7+15=22", True),
        ("3 5 7 -> 22", "5*3=15\n5+15=20", False),
        ("6 4 2 -> 3", "6/2=3\n4-3=1", False),
        ("5 2 1 -> 2", "5/2=2\n2*1=2", False),
    ],
)
def test_known_solutions(question: str, text: str, right: bool) -> None:
    assert solved(question, text) == right


async def test_the_oracle_agrees_with_the_strict_check_and_with_reach() -> None:
    oracle, task = LaboratoryOracle(), Task(prompt="3 5 7 -> 22")
    texts = [
        ("5*3=15\n15+7=22", True),
        ("5*3=15\n15-7=8", True),
        ("5*3=15\n", False),
        ("5+3=8\n", False),
        ("5+3=9\n", False),
    ]
    scores = await oracle.score([Candidate(content=text, final=final) for text, final in texts], task)
    assert scores.values.tolist() == [1.0, 0.0, 1.0, 0.0, 0.0]
    assert scores.notes[4] == "wrong: 5+3=9"
    assert oracle.spec.reads_reference
    ways = list(continuations(follow("3 5 7 -> 22", "5*3=15\n")))
    random = LaboratoryOracle(value="chance")
    values = (await random.score([Candidate(content="5*3=15\n", final=False)], task)).values
    assert values[0] == pytest.approx(len(ways) / 5)  # 15+7, 7+15, 15-7, 15*7, 7*15: 15/7 is not whole
