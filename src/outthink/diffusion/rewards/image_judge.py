"""A multimodal model as a judge of images, behind an OpenAI-compatible server: each image goes along as a data URL.

    judge = image_judge(Openai(base_url=...).open(), "Is this a handwritten three?\\n{candidate}")
    Search(lambda task: process, BestOfN(n=8), judge)

The rubric is any of the judges' (`outthink.verify`); in place of its candidate stands a reference to the attached image. Costs are
reserved, counted and charged as other judges' are: an image counts as the engine's `image_tokens` until the server says what it took.
Needs the chat interface.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from outthink.core.component import Parts
from outthink.core.cost import Cost
from outthink.core.cut import Cut
from outthink.core.errors import Failure
from outthink.core.key import Key
from outthink.core.process import Adaptation
from outthink.core.task import Candidate, Message, Task
from outthink.core.verifier import LogMap, ScoreKind, Scores, ScoreSpec
from outthink.diffusion.pictures import data_url, pictures
from outthink.engines.engine import ChatPrompt, Engine, Request
from outthink.verify.asking import Judging
from outthink.verify.judge import Judge, judged_once
from outthink.verify.one_by_one import OneByOne
from outthink.verify.rubrics import Rubric, find_rubric

ATTACHED = "(the attached image)"


@dataclass(frozen=True)
class ImageJudge(OneByOne):
    """Live judge of images. See `image_judge`. Equal images of one call are judged once and share the score."""

    settings: Judge
    judging: Judging
    partial: bool
    smallest: int
    largest: int

    @property
    def spec(self) -> ScoreSpec:
        return ScoreSpec(
            kind=ScoreKind.PREFIX_VALUE if self.partial else ScoreKind.OUTCOME,
            partial=self.partial,
            log_map=LogMap.PROBABILITY,
            local=False,
            reads_reference=self.judging.rubric.reads_reference,
        )

    def most(self, task: Task) -> Cost:
        return self.judging.most(task, 1).times(self.settings.n_evaluate) + Cost(verifier_calls=1)

    @property
    def adaptations(self) -> tuple[Adaptation, ...]:
        return self.judging.adaptations

    async def judged(self, candidates: Sequence[Candidate], task: Task, cut: Cut | None) -> Scores:
        shown = await asyncio.to_thread(lambda: [self._shown(one.content) for one in candidates])
        return await judged_once(self.judging, shown, lambda url: self._requests(url, task), task, cut)

    async def close(self) -> None:
        await self.judging.close()

    def _shown(self, image: object) -> str | Failure:
        """An image [c, h, w] as a data URL, its longer side enlarged or shrunk to between `smallest` and `largest` pixels."""
        if not isinstance(image, torch.Tensor) or image.ndim != 3 or image.shape[0] not in (1, 3):
            what = f"shape {list(image.shape)}" if isinstance(image, torch.Tensor) else type(image).__name__
            return Failure("Incompatible", f"An image judge sees images [1 or 3, height, width], and this is {what}.")
        if not bool(torch.isfinite(image).all()):
            return Failure("NotFinite", "The image holds numbers that are not finite.")
        side = max(image.shape[1:])
        picture = pictures(image[None], scale=max(1, self.smallest // side))[0]
        if max(picture.size) > self.largest:
            picture.thumbnail((self.largest, self.largest))
        return data_url(picture)

    def _requests(self, url: str, task: Task) -> list[Request]:
        # A candidate's judgements follow from its picture, so that they do not depend on who else is judged.
        digest = hashlib.sha256(url.encode()).hexdigest()
        seeds = Key(self.settings.seed).child("image judge", task.question, digest).seeds(self.settings.n_evaluate)
        return [_with_image(self.judging.request({"candidate": ATTACHED}, task, int(seed)), url) for seed in seeds]


def image_judge(
    engine: Engine,
    rubric: str | Rubric = "{question}\n{candidate}\nHow good is the attached image?",
    *,
    n_evaluate: int = 1,
    temperature: float = 0.0,
    max_tokens: int = 256,
    partial: bool = False,
    smallest: int = 128,
    largest: int = 512,
    candidate_tokens: int = 4096,
    seed: int = 0,
) -> ImageJudge:
    """A judge of images that asks `engine`, which stays its owner's to close.

    Args:
        rubric: a `Rubric`, the name of a built-in one, or a prompt with `{candidate}`, which is filled with a reference to the image;
            numbers from 0 to 10 are the verdicts then.
        n_evaluate: judgements of each image, averaged; more than one needs a `temperature` above 0.
        max_tokens: of one reply.
        partial: whether predicted samples of members under way are judged too, which costs one request each at every look.
        smallest, largest: pixels of the longer side of what is sent; smaller images are enlarged by a whole factor, larger ones shrunk.
        candidate_tokens: what one image may add to a prompt, promised to the budget for each candidate; at least the engine's
            `image_tokens`.
    """
    told = (
        rubric
        if isinstance(rubric, Rubric)
        else Rubric(prompt=rubric)
        if "{" in rubric
        else find_rubric(rubric, compares=False)
    )
    settings = Judge(
        rubric=told,
        n_evaluate=n_evaluate,
        temperature=temperature,
        max_tokens=max_tokens,
        candidate_tokens=candidate_tokens,
        seed=seed,
    )
    return ImageJudge(settings, Judging.of(settings, Parts(engine=engine), told), partial, smallest, largest)


def _with_image(request: Request, url: str) -> Request:
    """The same request with an image behind its last message's text."""
    prompt = request.prompt
    if not isinstance(prompt, ChatPrompt):
        return request
    *before, last = prompt.messages
    parts = ({"type": "text", "text": str(last.content)}, {"type": "image_url", "image_url": {"url": url}})
    return replace(request, prompt=replace(prompt, messages=(*before, Message(last.role, parts))))
