"""Tuning on samples that are paid for already: pools recorded under some settings, everything else recomputed from them.

    objective = Recorded({(("process.sampling.temperature", 0.7),): table, ...}, questions=ids, size="algorithm.n", select="select")

A configuration names a pool by the settings that pools differ in, a way of choosing and a size. Measuring it pays, as a live run would, for
those of its samples that no earlier measurement has drawn, and makes known what every other way of choosing and every smaller size would
have given from the samples that are there: averages over all their subsets.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np

from outthink.core.errors import InputError, explain
from outthink.numerics.types import FloatArray
from outthink.replay.replay import cut, estimate
from outthink.replay.samples import SampleTable
from outthink.replay.selectors import selector
from outthink.tune.objective import Measured, Objective
from outthink.tune.space import Config, Value

PoolKey = tuple[tuple[str, Any], ...]
Computed = dict[tuple[PoolKey, int, str, int], FloatArray]
"""Values by pool, samples drawn, way of choosing and size."""


class Recorded(Objective):
    """Recorded pools as an objective. Rows of each table are the same questions in the same order.

    Args:
        pools: tables by the settings that they were drawn under, as sorted pairs.
        questions: which of the tables' questions count here, such as one half.
        size, select: the settings that say how many samples and how they are chosen from.
        score: whose scores choices go by; None for the only ones there are.
        share: whether samples that an earlier measurement has paid for are free; False: every measurement pays in full.
        computed: values that several objectives over the same pools share, so that none is computed twice.
    Raises `InputError`: no pools, a question that a pool lacks.
    """

    def __init__(
        self,
        pools: Mapping[PoolKey, SampleTable],
        *,
        questions: Sequence[str],
        size: str = "algorithm.n",
        select: str = "algorithm.type",
        score: str | None = None,
        share: bool = True,
        computed: Computed | None = None,
    ) -> None:
        if not pools or not questions:
            raise InputError(
                explain(
                    "There is nothing recorded to tune on.",
                    got=f"{len(pools)} pools, {len(questions)} questions",
                    expected="at least one of each",
                    remedy="Draw pools first.",
                )
            )
        self._tables, self._rows = dict(pools), {}
        for key, table in pools.items():
            place = {name: i for i, name in enumerate(table.questions)}
            if missing := [name for name in questions if name not in place]:
                raise InputError(
                    explain(
                        "A pool lacks a question.",
                        got=f"{dict(key)} without {missing[0]!r}",
                        expected="every pool on the same questions",
                        remedy="Draw what is missing, or leave the question out.",
                    )
                )
            self._rows[key] = np.array([place[name] for name in questions])
        self._questions = tuple(questions)
        self._column = {name: i for i, name in enumerate(questions)}
        self._size, self._select, self._score, self._share = size, select, score, share
        self._drawn = {key: np.zeros(len(questions), np.int64) for key in pools}
        self._known: Computed = {} if computed is None else computed

    @property
    def questions(self) -> tuple[str, ...]:
        return self._questions

    def price(self, config: Config, questions: Sequence[str], per_question: float) -> float:
        """By what an answer is believed to cost, less the share of its samples that are there."""
        key, size, _ = self._read(config)
        missing = (
            np.maximum(size - self._drawn[key][self._at(questions)], 0)
            if self._share
            else np.full(len(questions), size)
        )
        return float(missing.sum() / size * per_question)

    def drawn_as(self, config: Config) -> Hashable:
        return self._read(config)[0]

    async def measure(self, config: Mapping[str, Value], questions: Sequence[str], most: float) -> Measured:
        """As in the base; a question whose missing samples are dearer than what is left ends the measurement before it."""
        key, size, name = self._read(config)
        at = self._at(questions)
        table, rows = self._tables[key], self._rows[key][at]
        had = self._drawn[key][at] if self._share else np.zeros(len(at), np.int64)
        places = np.arange(table.drawn.shape[1])
        fresh = (places[None] >= had[:, None]) & (places[None] < size)
        paid = np.cumsum(np.where(fresh, np.nan_to_num(table.tokens[rows]), 0.0).sum(axis=1))
        at = at[: int(np.searchsorted(paid, most, side="right"))]
        self._drawn[key][at] = np.maximum(self._drawn[key][at], size)
        return self._measured(config, key, size, name, at, float(paid[len(at) - 1]) if len(at) else 0.0)

    async def made_known(self, measured: Measured, configs: Sequence[Config]) -> list[Measured]:
        """All other ways of choosing and sizes of the same pool, on the questions that have samples enough."""
        if not self._share:
            return []
        key, _, _ = self._read(measured.config)
        asked = self._at(list(measured.values))
        found = []
        for config in configs:
            other, size, name = self._read(config)
            if other != key or dict(config) == dict(measured.config):
                continue
            at = asked[self._drawn[key][asked] >= size]
            if len(at):
                found.append(self._measured(config, key, size, name, at, 0.0))
        return found

    def remember(self, measured: Measured) -> None:
        key, size, _ = self._read(measured.config)
        at = self._at(list(measured.values))
        self._drawn[key][at] = np.maximum(self._drawn[key][at], size)

    def truth(self, config: Config) -> tuple[FloatArray, FloatArray]:
        """Value and cost of an answer on every question, from all samples: for judging a choice, never for making it. [w] each."""
        key, size, name = self._read(config)
        every = int(self._tables[key].counts.min())
        rows = self._rows[key]
        return self._values(key, every, name, size)[rows], np.nanmean(self._tables[key].tokens[rows], axis=1) * size

    def _measured(
        self, config: Config, key: PoolKey, size: int, name: str, at: np.ndarray[Any, np.dtype[np.int64]], tokens: float
    ) -> Measured:
        rows, table = self._rows[key][at], self._tables[key]
        drawn = self._drawn[key][at] if self._share else np.full(len(at), size)
        values = {
            self._questions[i]: float(self._values(key, int(m), name, size)[row])
            for i, m, row in zip(at.tolist(), drawn.tolist(), rows.tolist(), strict=True)
        }
        each = np.nan_to_num(table.tokens[rows, :size]).sum(axis=1)
        spent = {self._questions[i]: float(cost) for i, cost in zip(at.tolist(), each, strict=True)}
        return Measured(config, values, spent, tokens)

    def _values(self, key: PoolKey, drawn: int, name: str, size: int) -> FloatArray:
        """Chance of a right answer from the first `drawn` samples, for every row of the table."""
        place = (key, drawn, name, size)
        if place not in self._known:
            table = cut(self._tables[key], drawn)
            whose, _ = table.score_of(self._score) if selector(name).scored else ("", None)
            self._known[place] = estimate(table, name, size, whose, 0).right
        return self._known[place]

    def _read(self, config: Config) -> tuple[PoolKey, int, str]:
        key = tuple(sorted((name, value) for name, value in config.items() if name not in (self._size, self._select)))
        if key not in self._tables:
            raise InputError(
                explain(
                    "Nothing was recorded under these settings.",
                    got=dict(key),
                    expected=f"one of {len(self._tables)} recorded pools",
                    remedy="Tune over the recorded settings alone, or draw more pools.",
                )
            )
        return key, int(config[self._size]), str(config[self._select])

    def _at(self, questions: Sequence[str]) -> np.ndarray[Any, np.dtype[np.int64]]:
        return np.array([self._column[name] for name in questions], np.int64)
