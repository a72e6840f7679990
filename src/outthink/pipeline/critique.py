"""The critic: one request for all candidates, which says of each what is good and what is wrong.

Weak models rarely keep the form. After the retries the pipeline goes on with the critiques that there are, and records it.

Source: spec 08, critic (arXiv 2409.15254).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from outthink.core.key import Key
from outthink.core.settings import Positive
from outthink.pipeline.desk import Desk
from outthink.pipeline.members import Flow, Remarks, labelled
from outthink.pipeline.pricing import Need
from outthink.pipeline.reading import critiques
from outthink.pipeline.stage import ModelStage, Rehearsal, Retries, Sizes, read_each
from outthink.pipeline.wording import CRITIQUE, check_places, fill

CRITIC = "You examine answers and say what is good and what is wrong with each."


class Critique(ModelStage):
    """Say of each candidate what is good and what is wrong with it; rankers and fusers after it may read that.

    Attributes:
        retries: how often it is asked again when not every candidate got its critique.
        prompt: what the model is told, with {question} and {candidates}; {n} is their number.
    """

    max_tokens: Positive = 1024
    retries: Retries = 1
    prompt: str = CRITIQUE

    def check(self) -> None:
        check_places(self.prompt, ("question", "candidates"), self.name())

    async def run(self, flow: Flow, desk: Desk, key: Key) -> Flow:
        n, texts = len(flow.members), desk.texts(flow.members)
        desk.crowd(n, self.name())
        said = fill(self.prompt, question=desk.question(flow), candidates=labelled(texts), n=n)
        ask = self.ask(said, CRITIC, desk.process.index_of(self.engine), desk.earlier())
        found: dict[int, str] = {}

        def read(_: int, reply: str) -> bool | None:
            found.update({**critiques(reply, n), **found})
            return True if len(found) == n else None

        await read_each(desk, [ask], read, key, kind=self.name(), retries=self.retries)
        if len(found) < n:
            desk.note(f"critique: {n - len(found)} of {n} candidates have none")
        remarks = Remarks(tuple(found.get(place, "") for place in range(n)))
        return replace(flow, members=replace(flow.members, critique=remarks))

    def needs(self, sizes: Sizes, rehearsal: Rehearsal) -> Sequence[Need]:
        said = fill(self.prompt, question=rehearsal.question, candidates="", n=sizes.n)
        ask = self.ask(said, CRITIC, rehearsal.place_of(self.engine))
        return [Need(ask, 1, self.retries, more=sizes.quoted(critiques=False))]

    def after(self, sizes: Sizes, longest: int) -> Sizes:
        return replace(sizes, remark=self.max_tokens)
