"""Stages that choose without asking: `vote` by the recipe's [answer], `score` by its [verifier].

Both are the same parts as in a search, so a pipeline may end in the vote of self-consistency, or let an exact checker do what a model would
have to guess.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from outthink.core.errors import Incompatible, explain
from outthink.core.key import Key
from outthink.core.settings import Count
from outthink.pipeline.desk import Desk
from outthink.pipeline.members import Flow
from outthink.pipeline.pricing import Need
from outthink.pipeline.stage import Rehearsal, Sizes, Stage


class Vote(Stage):
    """Keep one candidate: the first of those that share the most frequent answer. Needs no model."""

    async def run(self, flow: Flow, desk: Desk, key: Key) -> Flow:
        keys = await desk.run.answer_keys(flow.members.batch)
        counts: dict[object, int] = {}
        for one in keys:
            if one is not None:
                counts[one] = counts.get(one, 0) + 1
        if not counts:
            desk.note("vote: nobody has an answer to vote with; all candidates stay")
            return flow
        most = max(counts.values())
        chosen = next(i for i, one in enumerate(keys) if one is not None and counts[one] == most)
        return replace(flow, members=flow.members.take([chosen]), agreement=most / sum(counts.values()))

    def needs(self, sizes: Sizes, rehearsal: Rehearsal) -> Sequence[Need]:
        return ()

    def after(self, sizes: Sizes, longest: int) -> Sizes:
        return sizes  # everyone stays where nobody has an answer


class Score(Stage):
    """Sort the candidates by the recipe's verifier, best first; equals keep their order, and no opinion comes last.

    Attributes:
        keep: candidates that stay; 0 for all.
        least: the least score that stays; candidates below it go, unless all would.
    """

    keep: Count = 1
    least: float | None = None

    async def run(self, flow: Flow, desk: Desk, key: Key) -> Flow:
        if desk.run.verifier is None:
            raise no_verifier(self.name())
        score = await desk.run.score(flow.members.batch)
        unknown = int(np.isnan(score).sum())
        if unknown:
            desk.note(f"score: {unknown} of {len(score)} candidates have no score; they come last")
        order = np.lexsort((np.arange(len(score)), -np.where(np.isnan(score), -np.inf, score)))
        if self.least is not None:
            good = order[score[order] >= self.least]
            if len(good) == 0:
                desk.note(f"score: no candidate reached {self.least:g}; all stay")
            order = good if len(good) else order
        kept = order[: self.keep] if self.keep else order
        return replace(flow, members=replace(flow.members, score=score).take(kept), agreement=None)

    def needs(self, sizes: Sizes, rehearsal: Rehearsal) -> Sequence[Need]:
        return ()

    def judges(self, sizes: Sizes) -> int:
        return sizes.n

    def after(self, sizes: Sizes, longest: int) -> Sizes:
        return replace(sizes, n=min(sizes.n, self.keep) if self.keep else sizes.n)


def no_verifier(stage: str) -> Incompatible:
    """The error for a stage that scores in a recipe where nobody judges."""
    return Incompatible(
        explain(
            f"The stage {stage!r} sorts by the recipe's verifier, and there is none.",
            got="no [verifier]",
            expected="a verifier",
            remedy="Set [verifier] or --verifier, or use the stage 'rank' or 'verify', which ask a model.",
        )
    )
