"""Beginnings of solutions with their exact worth: what a value model for the laboratory's problems is trained and measured on.

    drawn = await rollouts(engine, problems(Countdown(), 100, key, unseen=False), samples=8, key=key)
    drawn[0].values          # one a line: whether a solution can still be reached behind it

Nothing is estimated: problems are small enough to enumerate (`outthink.laboratory.value`), so every line end has a label without noise.
Some come from the model itself, as search will meet them; others from games at random, which cost nothing to draw.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from outthink.core.errors import Failure
from outthink.core.key import Key
from outthink.core.task import Task
from outthink.engines.engine import Engine, Request, TextPrompt
from outthink.laboratory.measuring import LONGEST
from outthink.laboratory.problems import rules_of
from outthink.laboratory.value import follow, reachable
from outthink.numerics.types import IntArray

GUIDED = 0.5
"""Chance that a line of a game is drawn among those that lead to a solution, so that there are enough that do."""

SLIP = 0.1
"""Chance that one digit of a line is wrong."""

BLUFF = 0.5
"""Chance that the last line of a lost game claims the number that was wanted, as the model's own last lines do."""


@dataclass(frozen=True)
class Rollout:
    """One worked problem: its lines, and the worth of the text up to the end of each, 1 or 0.

    Attributes:
        problem: index of its task.
    """

    question: str
    lines: tuple[str, ...]
    values: tuple[float, ...]
    problem: int


def labelled(question: str, text: str, problem: int) -> Rollout:
    """A text with the worth of each of its lines: 1 where it is a solution or the beginning of one."""
    lines = tuple(line for line in text.split("\n") if line)
    return Rollout(question, lines, tuple(worth(question, lines[: k + 1]) for k in range(len(lines))), problem)


def worth(question: str, lines: Sequence[str]) -> float:
    """1 where these lines are a solution or the beginning of one, else 0."""
    text = "\n".join(lines)
    return float(follow(question, text, final=True).solved or reachable(follow(question, f"{text}\n")))


async def rollouts(engine: Engine, tasks: Sequence[Task], *, samples: int, key: Key) -> list[Rollout]:
    """The model's own: `samples` of each task at temperature 1, by problem. Raises what the engine failed with."""
    requests = [
        Request(prompt=TextPrompt(f"{task.question}\n"), seed=int(seed), max_tokens=LONGEST)
        for number, task in enumerate(tasks)
        for seed in key.child("samples", number).seeds(samples)
    ]
    found = []
    for i, reply in enumerate(await engine.generate(requests)):
        if isinstance(reply, Failure):
            raise reply.as_error()
        found.append(labelled(tasks[i // samples].question, reply.text, i // samples))
    return [one for one in found if one.lines]


def games(tasks: Sequence[Task], *, samples: int, key: Key) -> list[Rollout]:
    """Games at random: true and allowed lines, half of them towards a solution; a game ends with a slip or a bluff now and then."""
    rng = key.rng()
    return [_game(task.question, number, rng) for number, task in enumerate(tasks) for _ in range(samples)]


def _game(question: str, problem: int, rng: np.random.Generator) -> Rollout:
    rules = rules_of(question)
    state, lines = rules.read(question), list[str]()
    while moves := rules.moves(state):
        order = [sorted(moves)[i] for i in rng.permutation(len(moves)).tolist()]
        good = (line for line in order if worth(question, (*lines, line)))
        line = next(good, order[0]) if rng.random() < GUIDED else order[0]
        if rng.random() < SLIP:
            lines.append(_slipped(line, rng))
            break
        state = min(moves[line], key=repr)
        wanted = question.partition(" -> ")[2]
        if wanted and not rules.moves(state) and not rules.solved(state) and rng.random() < BLUFF:
            line = f"{line.partition('=')[0]}={wanted}"
        lines.append(line)
    return labelled(question, "\n".join(lines), problem)


def _slipped(line: str, rng: np.random.Generator) -> str:
    """The line with one of its digits changed."""
    digits: IntArray = np.flatnonzero([letter.isdigit() for letter in line])
    at = int(digits[int(rng.integers(len(digits)))])
    return line[:at] + str((int(line[at]) + int(rng.integers(1, 10))) % 10) + line[at + 1 :]
