"""Rules that stop on the way, replayed over orders of a pool: adaptive sampling, and a budget of tokens instead of a number of samples.

    replay_adaptive(table, Leader(error=0.05), sizes=(16, 64))     # a vote that stops when it is decided
    replay_budgets(table, select=("vote",), budgets=(500, 2000))   # as many samples as fit into so many tokens

The order in which samples came is one of many in which they might have come, so each figure is the mean over some of those orders, drawn
for each number of samples. An adaptive run draws in waves, as `Adaptive` does: as many as could decide the vote.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np

from outthink.core.errors import InputError, explain
from outthink.numerics.types import IntArray
from outthink.replay.choosing import NOBODY, by_score, by_vote
from outthink.replay.replay import Estimate, Line, line_of, resamples_of, tokens_each, usable_share
from outthink.replay.samples import SampleTable
from outthink.replay.selectors import OneQuestion, one_question, over_subsets, selector
from outthink.replay.subsets import orders
from outthink.search.stopping import AnyRule, Leader, Seen

ORDERS, ORDERS_IN_ALL = 32, 10_000
"""The most orders that are tried of one question, and of all questions of many."""


def replay_adaptive(
    table: SampleTable,
    rule: AnyRule | None = None,
    *,
    sizes: Sequence[int],
    score: str | None = None,
    seed: int = 0,
    level: float = 0.95,
    many: int | None = None,
) -> list[Line]:
    """A line for each number of samples that an adaptive run might have drawn at most; `samples` is how many it draws on average.

    Args:
        rule: a vote's `Leader` by default; a rule that looks at scores makes the best-scored sample the answer.
        many: orders of each question's samples that are tried; None for 32, or fewer where there are over 300 questions.
    """
    many = max(1, min(ORDERS, ORDERS_IN_ALL // len(table))) if many is None else many
    rule = Leader() if rule is None else rule
    whose, scores = table.score_of(score) if rule.reads_scores else ("", None)
    counts, lines, decided = resamples_of(table, seed), [], _Decided(rule)
    for size in dict.fromkeys(sizes):
        columns = np.full((3, len(table)), np.nan)
        for i in np.flatnonzero(table.counts >= size).tolist():
            one = one_question(table, i, scores)
            drawn = orders(len(one.answer), many, np.random.default_rng([seed, i, size]))[:, :size]
            taken = np.array([decided.taken(one, order) for order in drawn])
            kept = np.where(np.arange(size)[None, :] < taken[:, None], drawn, NOBODY)
            chosen = by_score(one.rank, kept) if rule.reads_scores else by_vote(one.answer, kept)
            columns[:, i] = (one.right[chosen] & (chosen >= 0)).mean(), taken.mean(), taken.mean()
        if np.isnan(columns[0]).all():
            continue
        right, samples, judged = columns
        judged = judged * usable_share(table) if whose else np.zeros(len(table))
        found = Estimate(right, samples, samples * tokens_each(table, whose), judged, f"{many} orders")
        lines.append(line_of(table, "adaptive", size, whose, found, counts, level))
    return lines


def replay_budgets(
    table: SampleTable,
    *,
    select: Sequence[str],
    budgets: Sequence[float],
    score: str | None = None,
    seed: int = 0,
    level: float = 0.95,
    many: int = 500,
) -> list[Line]:
    """A line for each way of choosing and budget of tokens a question; its `size` is the budget, in tokens.

    A question has as many samples, in random order, as fit into the budget, judging included where the choice needs scores; one of
    which not even the first fits is wrong. Raises `InputError`: samples that do not say what they cost.
    """
    if np.isnan(table.tokens[table.drawn]).any():
        raise InputError(
            explain(
                "These samples do not say what they cost.",
                got="samples without tokens",
                expected="the tokens of every sample",
                remedy="Say which field holds them, or replay by numbers of samples.",
            )
        )
    lines, counts = [], resamples_of(table, seed)
    for name in dict.fromkeys(select):
        chooser = selector(name)
        whose, scores = table.score_of(score) if chooser.scored else ("", None)
        for budget in dict.fromkeys(budgets):
            columns = np.zeros((3, len(table)))
            for i in range(len(table)):
                one = one_question(table, i, scores)
                spent = one.tokens + (table.judging[whose][i, : len(one.tokens)] if whose else 0.0)
                drawn = orders(len(one.answer), many, np.random.default_rng([seed, len(one.answer)]))
                if name == "single":
                    drawn = drawn[:, :1]
                fits = np.cumsum(spent[drawn], axis=1) <= budget
                kept = np.where(fits, drawn, NOBODY)
                some = fits[:, 0]
                share = over_subsets(chooser.choose, one, kept[some]) if some.any() else 0.0
                columns[:, i] = share * some.mean(), fits.sum(axis=1).mean(), (spent[drawn] * fits).sum(axis=1).mean()
            right, samples, tokens = columns
            judged = samples * usable_share(table) if whose else np.zeros(len(table))
            found = Estimate(right, samples, tokens, judged, f"{many} orders")
            lines.append(line_of(table, name, int(budget), whose, found, counts, level))
    return lines


class _Decided:
    """When a rule stops, remembered by the counts of votes where it looks at nothing else."""

    def __init__(self, rule: AnyRule) -> None:
        self.rule = rule
        self.by_votes: Callable[[tuple[int, ...], int, int], tuple[bool, int]] = lru_cache(1 << 16)(self._asked)

    def taken(self, one: OneQuestion, order: IntArray) -> int:
        """How many samples of this order are drawn before the rule stops."""
        at, most = 0, len(order)
        while at < most:
            own = order[:at]
            if self.rule.reads_scores:
                stops, least = self._of(Seen(one.score[own], votes_of(one.answer[own]), at, most))
            else:
                stops, least = self.by_votes(_as_led(votes_of(one.answer[own])), at, most)
            if stops and at:
                return at
            at += min(most - at, max(1, least))
        return most

    def _asked(self, votes: tuple[int, ...], drawn: int, most: int) -> tuple[bool, int]:
        return self._of(Seen(np.zeros(0), votes, drawn, most))

    def _of(self, seen: Seen) -> tuple[bool, int]:
        return self.rule.stops(seen), self.rule.least(seen)


def votes_of(answer: IntArray) -> tuple[int, ...]:
    """How many gave each answer, in order of first appearance; abstentions count nowhere."""
    counts: dict[int, int] = {}
    for one in answer.tolist():
        if one >= 0:
            counts[one] = counts.get(one, 0) + 1
    return tuple(counts.values())


def _as_led(votes: tuple[int, ...]) -> tuple[int, ...]:
    """The same votes in an order that means the same to every rule: who came before the leader, the leader, who came after it."""
    if len(votes) < 3:
        return votes
    first = votes.index(max(votes))
    return (*sorted(votes[:first]), votes[first], *sorted(votes[first + 1 :]))
