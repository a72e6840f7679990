"""An agent that walks on a grid with walls until it reaches a goal or runs out of moves: the smallest agent process.

The policy draws each action from fixed probabilities; the chance of success from any cell is exact by dynamic programming.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from outthink.core import Advance, Allowance, Candidate, InputError, Message, Perturbable, Rewindable
from outthink.core.task import Feature
from outthink.numerics.types import FloatArray, IntArray, SeedArray
from outthink.testing.array_process import ArrayProcess, Prices, ToyStates, put, unmoved
from outthink.testing.noise import choices, uniforms

ACTIONS = ("up", "down", "left", "right")
_MOVES = ((-1, 0), (1, 0), (0, -1), (0, 1))
_NEAR = 1 << 22
ROOM = ("S..", ".#.", "..G")


@dataclass(frozen=True)
class Walks(ToyStates):
    """Walks so far. `cell` [n], numbered row by row; `actions` [n, length], -1 where none was taken yet."""

    cell: IntArray
    actions: IntArray


class GridAgent(ArrayProcess[Walks], Rewindable[Walks], Perturbable[Walks]):
    """An agent on `grid`: "S" start, "G" goal, "#" wall, "." floor. A move into a wall or over the edge stays where it is.

    Args:
        length: the most moves.
        policy: probabilities of up, down, left, right.
    """

    states_class = Walks

    def __init__(
        self,
        grid: Sequence[str] = ROOM,
        *,
        length: int = 6,
        policy: Sequence[float] = (0.1, 0.4, 0.1, 0.4),
        prices: Prices | None = None,
    ) -> None:
        super().__init__(length, prices or Prices())
        cells = "".join(grid)
        if len({len(row) for row in grid}) != 1 or cells.count("S") != 1 or cells.count("G") != 1:
            raise InputError("A grid needs rows of equal length, one 'S' and one 'G'.")
        self.width = len(grid[0])
        self.start_cell, self.goal = cells.index("S"), cells.index("G")
        self.policy = np.array(policy, np.float64) / np.sum(policy)
        self._cumulative = np.cumsum(self.policy)
        self._cumulative[-1] = 1.0
        self._next = np.array([[self._neighbour(grid, cell, move) for move in _MOVES] for cell in range(len(cells))])

    def _neighbour(self, grid: Sequence[str], cell: int, move: tuple[int, int]) -> int:
        row, column = cell // self.width + move[0], cell % self.width + move[1]
        inside = 0 <= row < len(grid) and 0 <= column < self.width
        return row * self.width + column if inside and grid[row][column] != "#" else cell

    # -- the process ------------------------------------------------------------------------------------------------

    async def start(self, seeds: SeedArray) -> Walks:
        n = len(seeds)
        cell = np.full(n, self.start_cell, np.int64)
        return Walks(np.zeros(n, np.int64), np.zeros(n, bool), cell, np.full((n, self.length), -1, np.int64))

    def draw(self, states: Walks, seeds: SeedArray, counter: int) -> tuple[Walks, FloatArray]:
        action = (uniforms(seeds, counter)[:, None] >= self._cumulative).sum(axis=1)
        actions, level = states.actions.copy(), states.level + 1
        actions[np.arange(len(states)), states.level] = action
        cell = self._next[states.cell, action]
        return Walks(level, (cell == self.goal) | (level >= self.length), cell, actions), np.zeros(len(states))

    async def view(self, states: Walks, wants: frozenset[Feature]) -> list[Candidate]:
        seen = []
        rows = zip(
            states.actions.tolist(), states.level.tolist(), states.cell.tolist(), states.done.tolist(), strict=True
        )
        for actions, level, cell, done in rows:
            features = {
                "steps": tuple(ACTIONS[a] for a in actions[:level]),
                "cell": divmod(cell, self.width),
                "length": level,
            }
            shown = {name: features[name] for name in wants if name in features}
            answer = ("goal" if cell == self.goal else "lost") if done else None
            transcript = self._transcript(actions[:level])
            seen.append(Candidate(content=transcript, kind="transcript", final=done, answer=answer, features=shown))
        return seen

    def _transcript(self, actions: Sequence[int]) -> tuple[Message, ...]:
        cell = self.start_cell
        said = [self._observation(cell)]
        for action in actions:
            cell = int(self._next[cell, action])
            said += [Message("assistant", ACTIONS[action]), self._observation(cell)]
        return tuple(said)

    def _observation(self, cell: int) -> Message:
        row, column = divmod(cell, self.width)
        return Message("user", f"You are in row {row}, column {column}." + (" This is the goal." * (cell == self.goal)))

    # -- capabilities -----------------------------------------------------------------------------------------------

    async def rewind(self, states: Walks, level: IntArray, seeds: SeedArray, *, allowance: Allowance) -> Advance[Walks]:
        """Back to where the walk was after `level` moves, by replaying its actions; free."""
        return unmoved(self._cut(states, level))

    async def perturb(
        self, states: Walks, strength: FloatArray, seeds: SeedArray, *, allowance: Allowance
    ) -> Advance[Walks]:
        """With probability `strength` the last move is drawn again among those that end, or do not end, the walk as before.

        So the law at every level is kept, of ended walks and of others; costs one step where it draws.
        """
        chosen = (uniforms(seeds, _NEAR) < strength) & (states.level > 0)
        grants = self.claim(chosen.astype(np.int64), allowance)
        at = np.flatnonzero(grants > 0)
        rows = states.take(at)
        reached = self._next[self._cut(rows, rows.level - 1).cell]
        free = (rows.level == self.length)[:, None] | ((reached == self.goal) == rows.done[:, None])
        action = choices(self.policy * free, uniforms(seeds[at], 0))
        actions, places = rows.actions.copy(), np.arange(len(at))
        actions[places, rows.level - 1] = action
        now = put(states, at, Walks(rows.level, rows.done, reached[places, action], actions))
        return replace(unmoved(now), cost=self.charge(len(at), len(at)), untouched=grants < 0)

    def _cut(self, states: Walks, level: IntArray) -> Walks:
        back = level < states.level
        actions = np.where(back[:, None] & (np.arange(self.length) >= level[:, None]), -1, states.actions)
        cell = np.full(len(states), self.start_cell, np.int64)
        for action in actions.T:
            cell = np.where(action < 0, cell, self._next[cell, action])
        return Walks(np.minimum(states.level, level), states.done & ~back, cell, actions)

    # -- exact answers ----------------------------------------------------------------------------------------------

    def success(self, moves: int | None = None) -> FloatArray:
        """Chance of reaching the goal from each cell within so many moves (None: all of them), [cells]."""
        value = np.zeros(len(self._next))
        value[self.goal] = 1.0
        for _ in range(self.length if moves is None else moves):
            value = self.policy @ value[self._next].T
            value[self.goal] = 1.0
        return value
