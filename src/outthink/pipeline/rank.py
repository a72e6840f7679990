"""The listwise ranker: one request that puts all candidates in order.

Models like what stands first, so the candidates are shown in an order drawn from the run's seed and the labels are mapped back. What the
reply does not name follows in its old order; without a reply that can be read the order stays, and the record says so.

Source: spec 08, ranker and steps 4 and 5 (arXiv 2409.15254). Departures: the order shown is shuffled; `critiques` is a real setting (the
published code shows critiques whenever there are any); `batch` ranks in parts, whose candidates are then taken in turn, place by place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import zip_longest

import numpy as np

from outthink.core.key import Key
from outthink.core.settings import Count, Positive
from outthink.pipeline.desk import Desk
from outthink.pipeline.members import Flow, labelled
from outthink.pipeline.pricing import Need
from outthink.pipeline.reading import listed, ranked
from outthink.pipeline.stage import LABEL, ModelStage, Rehearsal, Retries, Sizes, read_each
from outthink.pipeline.wording import RANK, check_places, fill

RANKER = "You put answers in order, from best to worst."


class Rank(ModelStage):
    """Sort the candidates by one model's judgement, best first, and keep the first of them.

    Attributes:
        keep: candidates that stay; 0 for all.
        critiques: whether the model is shown what critics said.
        shuffle: whether the candidates are shown in random order.
        batch: the most candidates in one prompt; 0 for all in one.
        retries: how often it is asked again for a reply that names nobody.
        prompt: what the model is told, with {question} and {candidates}; {n} is their number.
    """

    max_tokens: Positive = 256
    keep: Count = 1
    critiques: bool = False
    shuffle: bool = True
    batch: Count = 0
    retries: Retries = 1
    prompt: str = RANK

    def check(self) -> None:
        check_places(self.prompt, ("question", "candidates"), self.name())

    async def run(self, flow: Flow, desk: Desk, key: Key) -> Flow:
        members = flow.members
        desk.crowd(min(len(members), self.batch or len(members)), self.name())
        texts, said = desk.texts(members), members.critique.texts
        if self.critiques:
            texts = [f"{text}\n(Said about it: {r})" if r else text for text, r in zip(texts, said, strict=True)]
        parts = self._parts(len(members), key)
        place, question = desk.process.index_of(self.engine), desk.question(flow)
        asks = [
            self.ask(
                fill(self.prompt, question=question, candidates=labelled([texts[i] for i in part]), n=len(part)),
                RANKER,
                place,
                desk.earlier(),
            )
            for part in parts
        ]

        def read(at: int, reply: str) -> list[int] | None:
            return listed(reply, len(parts[at])) or None

        found = (await read_each(desk, asks, read, key, kind=self.name(), retries=self.retries)).found
        if None in found:
            desk.note(
                f"rank: {found.count(None)} of {len(found)} orders could not be read; those candidates keep theirs"
            )
        orders = [ranked(named or [], part) for part, named in zip(parts, found, strict=True)]
        order = [i for row in zip_longest(*orders) for i in row if i is not None]
        kept = order[: self.keep] if self.keep else order
        return replace(flow, members=members.take(kept), agreement=None)

    def needs(self, sizes: Sizes, rehearsal: Rehearsal) -> Sequence[Need]:
        said = fill(self.prompt, question=rehearsal.question, candidates="", n=sizes.n)
        ask = self.ask(said, RANKER, rehearsal.place_of(self.engine))
        size = min(self.batch or sizes.n, sizes.n)
        calls = -(-sizes.n // size) if size else 0
        more = replace(sizes, n=size).quoted(critiques=self.critiques) + (size * LABEL if self.critiques else 0)
        return [Need(ask, calls, calls * self.retries, more=more)]

    def after(self, sizes: Sizes, longest: int) -> Sizes:
        return replace(sizes, n=min(sizes.n, self.keep) if self.keep else sizes.n)

    def _parts(self, n: int, key: Key) -> list[list[int]]:
        """The places that each request shows, in the order in which it shows them."""
        order = key.child("shown").rng().permutation(n) if self.shuffle else np.arange(n)
        size = self.batch or max(1, n)
        return [order[at : at + size].tolist() for at in range(0, n, size)]
