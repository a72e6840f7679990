"""A Markov chain over a small alphabet whose language can be written out, so that every search on it has an exact answer.

chain = TokenChain("ab", length=3)
exact = chain.target(lambda text: 2.0 * text.count("b"))
exact.log_evidence, exact.posterior["abb"]
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from outthink.core import (
    Advance,
    Allowance,
    Candidate,
    Completable,
    InputError,
    Perturbable,
    Revisable,
    Rewindable,
)
from outthink.core.task import Feature
from outthink.numerics.types import FloatArray, IntArray, SeedArray
from outthink.testing.array_process import ArrayProcess, Prices, ToyStates, put, unmoved
from outthink.testing.noise import choices, uniforms

LogReward = Callable[[str], float]
_CHOICE, _STOP, _ACCEPT, _PLACES = 1 << 20, 1 << 21, 1 << 22, 2


@dataclass(frozen=True)
class Strings(ToyStates):
    """Strings as symbol numbers. `symbols` [n, length], -1 where nothing stands yet; `log_prob` [n] nats under the chain."""

    symbols: IntArray
    log_prob: FloatArray


@dataclass(frozen=True)
class ExactStrings:
    """What enumeration gives: the log normalising constant in nats, and the probability of each string under the target."""

    log_evidence: float
    posterior: dict[str, float]


class TokenChain(
    ArrayProcess[Strings], Rewindable[Strings], Perturbable[Strings], Completable[Strings], Revisable[Strings]
):
    """Strings of at most `length` symbols; after each symbol the string ends with probability `stop` of that symbol.

    Args:
        alphabet: the symbols, k different characters.
        initial: probabilities of the first symbol, [k]; None for a skewed default.
        transition: probabilities of the next symbol by row, [k, k]; None for a skewed default.
        stop: probability that a string ends after a symbol, a number or [k]; 0 makes all strings equally long.
        mix: share of the uniform distribution in the proposal, in [0, 1); the log ratio carries the correction.
    """

    states_class = Strings

    def __init__(
        self,
        alphabet: str = "ab",
        *,
        length: int = 4,
        initial: Sequence[float] | None = None,
        transition: Sequence[Sequence[float]] | None = None,
        stop: float | Sequence[float] = 0.0,
        mix: float = 0.0,
        prices: Prices | None = None,
    ) -> None:
        super().__init__(length, prices or Prices())
        k = len(alphabet)
        skewed = np.arange(k, 0, -1) / (k * (k + 1) / 2)
        rows = [np.roll(skewed, i) for i in range(k)]
        self.alphabet = alphabet
        self.initial = np.array(skewed if initial is None else initial, np.float64)
        self.transition = np.array(rows if transition is None else transition, np.float64)
        self.stop = np.broadcast_to(np.array(stop, np.float64), (k,))
        shapes_fit = self.initial.shape == (k,) and self.transition.shape == (k, k) and len(set(alphabet)) == k > 0
        if not shapes_fit or not np.allclose([self.initial.sum(), *self.transition.sum(1)], 1.0):
            raise InputError(
                "A TokenChain needs distinct symbols, [k] initial and [k, k] transition probabilities that sum to 1."
            )
        # Row k is the start, so that one table serves the first symbol and the others.
        self._table = np.vstack([self.transition, self.initial])
        self._proposal = (1.0 - mix) * self._table + mix / k
        self._cumulative = np.cumsum(self._proposal, axis=1)
        self._cumulative[:, -1] = 1.0
        with np.errstate(divide="ignore"):
            self._log_table = np.log(self._table)
            # Symbols that are never proposed have no ratio; what stands there is not read.
            self._log_ratio = np.log(self._table / np.where(self._proposal > 0, self._proposal, 1.0))
            self._log_stop, self._log_go = np.log(self.stop), np.log1p(-self.stop)

    # -- the process ------------------------------------------------------------------------------------------------

    async def start(self, seeds: SeedArray) -> Strings:
        n = len(seeds)
        return Strings(np.zeros(n, np.int64), np.zeros(n, bool), np.full((n, self.length), -1, np.int64), np.zeros(n))

    def draw(self, states: Strings, seeds: SeedArray, counter: int) -> tuple[Strings, FloatArray]:
        rows, level = np.arange(len(states)), states.level
        noise = uniforms(seeds, counter * _PLACES, _PLACES)
        # Before the first symbol the column read is the last one; its value is not used.
        last = np.where(level == 0, len(self.alphabet), states.symbols[rows, level - 1])
        symbol = (noise[:, :1] >= self._cumulative[last]).sum(axis=1)
        at_end = level + 1 >= self.length
        stopped = noise[:, 1] < self.stop[symbol]
        symbols = states.symbols.copy()
        symbols[rows, level] = symbol
        ending = np.where(at_end, 0.0, np.where(stopped, self._log_stop[symbol], self._log_go[symbol]))
        log_prob = states.log_prob + self._log_table[last, symbol] + ending
        return Strings(level + 1, stopped | at_end, symbols, log_prob), self._log_ratio[last, symbol]

    async def view(self, states: Strings, wants: frozenset[Feature]) -> list[Candidate]:
        seen = []
        for text, done, log_prob in zip(
            self.texts(states), states.done.tolist(), states.log_prob.tolist(), strict=True
        ):
            features = {"steps": tuple(text), "length": len(text), "log_prob": log_prob}
            shown = {name: features[name] for name in wants if name in features}
            seen.append(Candidate(content=text, final=done, answer=text if done else None, features=shown))
        return seen

    def texts(self, states: Strings) -> list[str]:
        """The strings themselves, [n]."""
        letters = np.array([*self.alphabet, ""])[states.symbols]
        return ["".join(row) for row in letters.tolist()]

    # -- capabilities -----------------------------------------------------------------------------------------------

    async def rewind(
        self, states: Strings, level: IntArray, seeds: SeedArray, *, allowance: Allowance
    ) -> Advance[Strings]:
        """Cut to the first `level` symbols; free."""
        return unmoved(self._cut(states, level))

    async def perturb(
        self, states: Strings, strength: FloatArray, seeds: SeedArray, *, allowance: Allowance
    ) -> Advance[Strings]:
        """With probability `strength` the last symbol is drawn again among those that end, or do not end, the string as before.

        So the law at every level is kept, of ended strings and of others; costs one step where it draws.
        """
        chosen = (uniforms(seeds, _ACCEPT) < strength) & (states.level > 0)
        grants = self.claim(chosen.astype(np.int64), allowance)
        at = np.flatnonzero(grants > 0)
        rows = states.take(at)
        places, level = np.arange(len(at)), rows.level
        back = self._cut(rows, level - 1)
        last = np.where(level == 1, len(self.alphabet), rows.symbols[places, level - 2])
        ending = np.where(
            (level == self.length)[:, None], 0.0, np.where(rows.done[:, None], self._log_stop, self._log_go)
        )
        symbol = choices(self._table[last] * np.exp(ending), uniforms(seeds[at], 0))
        symbols = rows.symbols.copy()
        symbols[places, level - 1] = symbol
        log_prob = back.log_prob + self._log_table[last, symbol] + ending[places, symbol]
        now = put(states, at, Strings(level, rows.done, symbols, log_prob))
        return replace(unmoved(now), cost=self.charge(len(at), len(at)), untouched=grants < 0)

    async def complete(self, states: Strings, seeds: SeedArray, *, allowance: Allowance) -> Advance[Strings]:
        """End here: the string as it stands, or one drawn symbol where it is empty. Not a draw from the chain."""
        moved = self.walk(states, seeds, (states.level == 0).astype(np.int64), allowance)
        served = ~moved.was_untouched()
        ended = replace(moved.states, done=moved.states.done | served)
        return replace(moved, states=ended, done=ended.done)

    async def revise(
        self, states: Strings, feedback: Sequence[str], seeds: SeedArray, *, allowance: Allowance
    ) -> Advance[Strings]:
        """Keep some leading symbols and draw the rest again: as many as the feedback says, or a random number of them."""
        random = np.floor(uniforms(seeds, _CHOICE) * np.maximum(states.level, 1)).astype(np.int64)
        told = np.array([int(text) if text.isdecimal() else -1 for text in feedback], np.int64)
        keep = np.where(told >= 0, np.minimum(told, np.maximum(states.level - 1, 0)), random)
        back = self._cut(states, keep)
        moved = self.walk(back, seeds, self.length - back.level, allowance)
        whole = _restored(moved, states)
        return replace(moved, states=whole, done=whole.done)

    def _cut(self, states: Strings, level: IntArray) -> Strings:
        back = level < states.level
        at = np.arange(self.length)
        symbols = np.where(back[:, None] & (at >= level[:, None]), -1, states.symbols)
        new_level = np.minimum(states.level, level)
        log_prob = np.where(back, self._prefix_log_prob(symbols, new_level), states.log_prob)
        return Strings(new_level, states.done & ~back, symbols, log_prob)

    def _prefix_log_prob(self, symbols: IntArray, level: IntArray) -> FloatArray:
        """Log-probability of unfinished prefixes, [n]: every symbol was drawn and none ended the string."""
        start = np.full((len(symbols), 1), len(self.alphabet))
        last = np.hstack([start, symbols[:, :-1]])
        each = self._log_table[last, symbols] + self._log_go[symbols]
        return np.asarray(np.where(np.arange(self.length) < level[:, None], each, 0.0).sum(axis=1))

    # -- exact answers ----------------------------------------------------------------------------------------------

    def language(self) -> dict[str, float]:
        """Every finished string and its probability under the chain; the probabilities sum to 1."""
        finished: dict[str, float] = {}
        growing: dict[str, float] = {"": 1.0}
        for level in range(1, self.length + 1):
            longer: dict[str, float] = {}
            for text, p in growing.items():
                row = self.alphabet.index(text[-1]) if text else len(self.alphabet)
                for i, symbol in enumerate(self.alphabet):
                    here = p * float(self._table[row, i])
                    ends = 1.0 if level == self.length else float(self.stop[i])
                    if here * ends > 0:
                        finished[text + symbol] = here * ends
                    if here * (1.0 - ends) > 0:
                        longer[text + symbol] = here * (1.0 - ends)
            growing = longer
        return finished

    def target(self, log_reward: LogReward | None = None, *, log_potential: LogReward | None = None) -> ExactStrings:
        """The target p(x) exp(log_reward(x) + sum over the non-empty prefixes of log_potential(prefix)), by enumeration."""
        language = self.language()
        log_weight = {}
        for text, p in language.items():
            value = math.log(p) + (log_reward(text) if log_reward else 0.0)
            if log_potential:
                value += math.fsum(log_potential(text[: i + 1]) for i in range(len(text)))
            log_weight[text] = value
        top = max(log_weight.values())
        total = math.fsum(math.exp(v - top) for v in log_weight.values())
        return ExactStrings(top + math.log(total), {text: math.exp(v - top) / total for text, v in log_weight.items()})


def _restored(moved: Advance[Strings], before: Strings) -> Strings:
    """Rows for which nothing fitted hold their input again, not what was cut from it."""
    at = np.flatnonzero(moved.was_untouched())
    return put(moved.states, at, before.take(at)) if len(at) else moved.states
