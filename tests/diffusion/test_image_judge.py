"""A multimodal judge against the scripted server: images travel as data URLs, verdicts are read, and the bill is the server's."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from tests.needs import need

need("torch")

import torch
from PIL import Image

from outthink.core import Candidate, Failure, Task
from outthink.diffusion.rewards import ImageJudge, image_judge
from outthink.engines.openai import Openai, connect
from outthink.engines.scripted_tokens import END, question_of, reply_of
from outthink.testing.openai_server import OpenAIServer


def script(text: str) -> Mapping[str, float]:
    """Gives 7 of 10 where an image is attached, and nothing that is a verdict elsewhere."""
    verdict = "Score: 7" if "[image_url]" in question_of(text) else "I see none."
    said = reply_of(text)
    return {verdict[len(said)]: 1.0} if len(said) < len(verdict) and verdict.startswith(said) else {END: 1.0}


def images(*values: float, shape: tuple[int, ...] = (1, 8, 8)) -> list[Candidate]:
    return [Candidate(content=torch.full(shape, value), kind="image") for value in values]


async def judged(candidates: list[Candidate], image_tokens: int = 2048, lost: int = 0, **how: Any) -> Any:
    """The scores, the judge, the requests that it sent, and what the server counted. `lost`: of the last replies, which fail."""
    async with OpenAIServer(script) as server:
        settings = Openai(
            model="scripted", preset="vllm", probe="never", base_url=server.base_url, image_tokens=image_tokens
        )
        engine = await connect(settings)
        sent: list[Any] = []
        plain = engine.generate

        async def seen(requests: Any, **more: Any) -> Any:
            sent.extend(requests)
            replies = await plain(requests, **more)
            failed = [Failure("EngineError", "the line broke")] * lost
            return [*replies[: len(replies) - lost], *failed]

        engine.generate = seen
        try:
            judge = image_judge(engine, "Is it a three? {candidate}", **how)
            got = await judge.score(candidates, Task(prompt="Draw a three."))
        finally:
            await engine.close()
        return got, judge, sent, server.counters


async def test_images_go_along_as_data_urls_and_are_billed() -> None:
    got, judge, sent, counters = await judged(images(1.0, -1.0, 1.0))
    assert isinstance(judge, ImageJudge)
    assert got.values == pytest.approx([0.7, 0.7, 0.7])
    # Equal images are judged once.
    assert len(sent) == counters.calls == 2
    assert got.cost.verifier_calls == 2
    assert got.cost.calls == counters.calls
    assert got.cost.output_tokens == counters.output_tokens
    assert got.cost.input_tokens == counters.input_tokens
    text, image = sent[0].prompt.messages[-1].content
    assert "Is it a three?" in text["text"]
    head, _, data = image["image_url"]["url"].partition(",")
    assert head == "data:image/png;base64"
    picture = Image.open(io.BytesIO(base64.b64decode(data)))
    assert picture.size == (128, 128)
    assert set(np.asarray(picture).ravel()) == {255}
    most = judge.most(Task(prompt="Draw a three.")).times(3)
    assert got.cost.input_tokens <= most.input_tokens
    assert got.cost.output_tokens <= most.output_tokens


async def test_large_images_are_shrunk() -> None:
    noisy = Candidate(content=torch.rand(3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1, kind="image")
    got, _, sent, _ = await judged([noisy, *images(1.0)], largest=16, smallest=16)
    assert not got.failures
    sizes = []
    for one in sent:
        data = one.prompt.messages[-1].content[1]["image_url"]["url"].partition(",")[2]
        sizes.append(Image.open(io.BytesIO(base64.b64decode(data))).size)
    assert sizes == [(16, 16), (16, 16)]


async def test_an_engine_whose_images_count_more_than_promised_is_not_asked() -> None:
    got, _, sent, _ = await judged(images(1.0), image_tokens=5000)
    assert "longer than the judge was told" in got.failures[0].message
    assert "candidate_tokens" in got.failures[0].message
    assert sent == []


async def test_what_is_no_image_fails_by_itself() -> None:
    broken = Candidate(content=torch.full((1, 8, 8), torch.nan), kind="image")
    got, _, sent, _ = await judged([*images(0.5), broken, *images(0.0, shape=(4, 8, 8)), Candidate(content="a three")])
    assert sorted(got.failures) == [1, 2, 3]
    assert "not finite" in got.failures[1].message
    assert "[4, 8, 8]" in got.failures[2].message
    assert got.values[0] == pytest.approx(0.7)
    assert len(sent) == 1


async def test_partial_judges_rate_predictions_too() -> None:
    _, whole, _, _ = await judged(images(0.0))
    _, partial, _, _ = await judged(images(0.0), partial=True, n_evaluate=2, temperature=0.7)
    assert not whole.spec.partial
    assert partial.spec.partial
    assert partial.most(Task()).calls == 2 * whole.most(Task()).calls


async def test_judgements_that_failed_beside_others_of_the_same_image_are_told() -> None:
    got, *_ = await judged(images(1.0), lost=1, n_evaluate=3, temperature=0.5)
    assert got.values == pytest.approx([0.7])
    assert got.failures == {}
    assert [said for said in got.warnings if "1 judgements of 1 candidates failed" in said and "the line broke" in said]
