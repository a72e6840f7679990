"""Problems by seed, and which of them a model may be trained on.

    tasks = problems(Countdown(numbers=3), 200, Key(1).child("held-out"))     # Task records, held out, all different
    rules_of(tasks[0].question).read(tasks[0].question)

Held out are one in eight of all sets of operands, chosen by a hash of the operands whatever their order: a model that was trained on the
others has never seen a question with these numbers. Single equations may well have been seen, as in every arithmetic.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from outthink.core.errors import InputError, explain
from outthink.core.key import Key
from outthink.core.task import Task
from outthink.laboratory.chains import CHAINS_RULES, Chains
from outthink.laboratory.countdown import COUNTDOWN_RULES, Countdown
from outthink.laboratory.family import Drawn, Family, Rules

STANDARD: tuple[Family, ...] = (Chains(terms=5, products=1.0), Countdown(numbers=3), Countdown(numbers=4))
"""The kinds of problem that methods are compared on: the shipped model's single samples solve some 40% of them, 64 samples nearly all."""

HELD_OUT = 8
"""One in so many sets of operands is held out."""

ATTEMPTS = 1000
"""Draws without anything new after which a family counts as exhausted."""


def held_out(operands: tuple[int, ...]) -> bool:
    """Whether questions about these numbers are kept from training."""
    text = " ".join(map(str, sorted(operands)))
    return hashlib.blake2b(text.encode(), digest_size=8).digest()[0] % HELD_OUT == 0


def drawn(family: Family, key: Key, *, unseen: bool) -> Iterator[Drawn]:
    """Problems without end, from the held-out side of the split or from the other; some may come twice."""
    rng = key.child(family.name()).rng()
    while True:
        problem = family.draw(rng)
        if held_out(problem.operands) == unseen:
            yield problem


def problems(family: Family, n: int, key: Key, *, unseen: bool = True) -> list[Task]:
    """n different problems as tasks; a longer list begins with the shorter one. Raises `InputError` where the family has no n of them."""
    found: dict[str, Task] = {}
    barren = 0
    for problem in drawn(family, key, unseen=unseen):
        if len(found) == n or barren == ATTEMPTS:
            break
        barren = barren + 1 if problem.question in found else 0
        answer = problem.lines[-1].partition("=")[2]
        task = Task(prompt=problem.question, id=f"{family.name()}-{len(found) + 1}", reference=answer)
        found.setdefault(problem.question, task)
    if len(found) < n:
        raise InputError(
            explain(
                "There are not so many different problems.",
                got=f"{n} of {family}",
                expected=f"at most about {len(found)}",
                remedy="Ask for fewer, or allow larger numbers.",
            )
        )
    return list(found.values())


def standard(n: int, key: Key, *, unseen: bool = True) -> list[Task]:
    """n different problems of the standard kinds, in turn; a longer list begins with the shorter one. Ids say the kind."""
    each = -(-n // len(STANDARD))
    kinds = [problems(family, each, key.child("standard", i), unseen=unseen) for i, family in enumerate(STANDARD)]
    return [
        Task(prompt=task.prompt, id=f"{_size(family)}-{place + 1}", reference=task.reference)
        for place, row in enumerate(zip(*kinds, strict=True))
        for family, task in zip(STANDARD, row, strict=True)
    ][:n]


def _size(family: Family) -> str:
    """The family with its size, such as "countdown-3"."""
    return f"{family.name()}-{getattr(family, family.__struct_fields__[0])}"


def rules_of(question: str) -> Rules:
    """The rules that a question belongs to. Raises `InputError` for any other text."""
    for rules in (CHAINS_RULES, COUNTDOWN_RULES):
        if rules.read(question) is not None:
            return rules
    raise InputError(
        explain(
            "This is no problem of the laboratory's.",
            got=question[:80],
            expected='a chain such as "12+7*3-5", or a Countdown such as "3 5 7 -> 22"',
            remedy="Write it without spaces around operations, with one space between numbers.",
        )
    )
