"""One particle filter by its-hub, run by `peers.py` inside its-hub's own virtual environment. Prints one JSON line.

    python peers_its_hub.py BASE_URL QUESTION N STEPS TOKENS_PER_STEP released|helped

llama.cpp's server returns an assistant prefix together with its continuation; its-hub takes it for new text, so that every step holds all
steps before it. "helped" takes the prefix off for its-hub; "released" leaves its-hub as it is.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
import warnings
import zlib
from typing import Any

warnings.simplefilter("ignore")

from its_hub.api import AbstractProcessRewardModel, GenerationUsage  # noqa: E402
from its_hub.core.algorithms.particle_gibbs import ParticleFiltering  # noqa: E402
from its_hub.core.lms.openai_lm import OpenAICompatibleLanguageModel  # noqa: E402
from its_hub.core.lms.step_generation import StepGeneration  # noqa: E402


def score(text: str) -> float:
    """A probability that follows from the text: cheap, and the same on both sides."""
    return 0.2 + 0.6 * (zlib.crc32(text.encode()) % 1000) / 1000


class Scores(AbstractProcessRewardModel):
    """The same judge for every text."""

    def score(self, prompt_or_messages: Any, steps: list[str]) -> list[float]:
        return [score(step) for step in steps]

    async def ascore(self, prompt_or_messages: Any, steps: list[str]) -> list[float]:
        return self.score(prompt_or_messages, steps)


class Client(OpenAICompatibleLanguageModel):
    """Its-hub's own client with usage counted; `helped`: replies without the prefix that was sent."""

    usage = GenerationUsage()
    helped = False

    async def _agenerate(self, messages_lst: list[Any], *settings: Any, **named: Any) -> list[dict[str, Any]]:
        # its-hub passes the accumulator last, by position.
        replies = await super()._agenerate(messages_lst, *settings[:-1], self.usage, **named)
        for messages, reply in zip(messages_lst, replies, strict=True):
            prefix = messages[-1].content if messages[-1].role == "assistant" else ""
            if self.helped and prefix and reply["content"].startswith(prefix):
                reply["content"] = reply["content"][len(prefix) :]
        return replies


async def main(url: str, question: str, n: int, steps: int, tokens: int, mode: str) -> None:
    """One run, timed from the first request to the chosen answer."""
    model = Client(endpoint=f"{url}/v1", api_key="none", model_name="local", max_tries=1)
    model.helped = mode == "helped"
    # its-hub stops a particle once it holds more than `max_steps` steps.
    generation = StepGeneration(max_steps=steps - 1, tokens_per_step=tokens, temperature=0.8)
    algorithm = ParticleFiltering(generation, Scores())
    began = time.perf_counter()
    result = await algorithm.ainfer(model, question, n, return_response_only=False)
    seconds = time.perf_counter() - began
    print(
        json.dumps(
            {
                "seconds": seconds,
                "generated": model.usage.completion_tokens,
                "prompt": model.usage.prompt_tokens,
                "steps": result.steps_used_lst,
            }
        )
    )


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5]), sys.argv[6]))
