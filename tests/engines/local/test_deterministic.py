"""The deterministic mode: a request's tokens are the same bits whatever runs beside it, was evicted, came first, or was resumed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import numpy as np
import pytest

from outthink.core.errors import Failure, Incompatible
from outthink.engines import Generation, Request, Sampling, TokenPrompt
from outthink.engines.local import Local, LocalEngine
from outthink.engines.local.exactness import probe_exactness
from tests.engines.local.toy import ToyBackend

pytestmark = pytest.mark.local_model

WANTS = frozenset({"log_probs"})


@pytest.fixture(scope="module")
def exact() -> Iterator[LocalEngine]:
    engine = LocalEngine(Local(memory=60.0, max_sequences=8, deterministic=True, context=400))
    yield engine
    engine.close_now()


@pytest.fixture(scope="module")
def tiny() -> Iterator[LocalEngine]:
    """A cache of 256 tokens: it is cleaned up, and requests are interrupted, all the time."""
    engine = LocalEngine(Local(memory=6.0, max_sequences=8, retained=8, deterministic=True, context=250))
    yield engine
    engine.close_now()


def crowd(engine: LocalEngine, n: int = 6) -> list[Request]:
    stems = ("Once upon a time, in a small village by the sea, there lived", "The three most important rules are")
    requests = []
    for i in range(n):
        tokens = engine.tokenizer.encode(stems[i % 2])[: 6 + i]
        sampling = Sampling(temperature=(0.0, 0.8, 1.2)[i % 3], top_p=(1.0, 0.9)[i % 2])
        requests.append(
            Request(prompt=TokenPrompt(tokens), seed=i, max_tokens=10 + 3 * i, sampling=sampling, wants=WANTS)
        )
    return requests


async def replies(engine: LocalEngine, requests: list[Request]) -> list[tuple[object, object]]:
    got = await engine.generate(requests)
    assert not [g for g in got if isinstance(g, Failure)], got
    return [(g.tokens, g.log_probs) for g in got if isinstance(g, Generation)]


def noise(n: int = 5) -> list[Request]:
    """Requests that share nothing with anybody and fill a small cache."""
    return [Request(prompt=TokenPrompt((900 + i, 30, 40)), seed=i, max_tokens=30, owner="noise") for i in range(n)]


async def test_company_order_arrival_and_eviction_change_no_bit(exact: LocalEngine, tiny: LocalEngine) -> None:
    """Tokens and log-probabilities, compared exactly."""
    requests = crowd(exact)
    together = await replies(exact, requests)
    assert exact.capabilities.exact
    assert len(together) == len(requests)
    backwards = await replies(exact, requests[::-1])
    assert backwards[::-1] == together
    alone = [(await replies(exact, [request]))[0] for request in requests[::3]]
    assert alone == together[::3]

    async def late(request: Request, seconds: float) -> tuple[object, object]:
        await asyncio.sleep(seconds)
        return (await replies(tiny, [request]))[0]

    delays = np.random.default_rng(1).uniform(0, 0.5, size=len(requests))
    others = asyncio.create_task(replies(tiny, noise()))
    scattered = await asyncio.gather(*(late(r, d) for r, d in zip(requests, delays, strict=True)))
    assert list(scattered) == together
    await others
    assert tiny.statistics.preempted + tiny.statistics.cleared > 0


async def test_resumed_equals_uninterrupted(exact: LocalEngine, tiny: LocalEngine) -> None:
    """A reply in pieces, its content sent as a prompt each time, elsewhere: the same greedy tokens and log-probabilities."""
    (request, *_) = crowd(exact)
    request = Request(prompt=request.prompt, seed=0, max_tokens=24, sampling=Sampling(temperature=0.0), wants=WANTS)
    ((whole, log_probs),) = await replies(exact, [request])
    assert isinstance(request.prompt, TokenPrompt)
    content, pieces, rated = request.prompt.tokens, [], []
    for size in (1, 7, 16):
        await replies(tiny, noise(2))
        piece = Request(prompt=TokenPrompt(content), seed=0, max_tokens=size, sampling=request.sampling, wants=WANTS)
        ((tokens, values),) = await replies(tiny, [piece])
        content = (*content, *tokens)  # type: ignore[misc]
        pieces += tokens  # type: ignore[operator]
        rated += values  # type: ignore[operator]
    assert tuple(pieces) == whole
    assert tuple(rated) == log_probs
    (again,) = await exact.log_probs([(request.prompt, tuple(pieces))])
    assert not isinstance(again, Failure)
    assert again.log_probs == log_probs


def test_what_is_not_exact_is_refused() -> None:
    """The measurement at opening notices arithmetic that depends on company."""

    class Sloppy(ToyBackend):
        def decode(self, batch: object) -> object:  # type: ignore[override]
            output = super().decode(batch)  # type: ignore[arg-type]
            output.logits[:] += np.float32(1e-6) * len(output.logits)
            return output

    probe_exactness(ToyBackend(), 16, "toy")
    with pytest.raises(Incompatible, match="deterministic"):
        probe_exactness(Sloppy(), 16, "sloppy toy")  # type: ignore[arg-type]
