"""its-hub's side of `peers_faults.py`, run inside its own virtual environment. The same protocol as `peers_faults_ours.py`.

Its own best-of-n with its own judge and its own client, with the settings that its documentation shows.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import warnings
from collections.abc import Callable
from typing import Any

warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)

from its_hub.api import APIError  # noqa: E402
from its_hub.core.algorithms.bon import BestOfN  # noqa: E402
from its_hub.core.lms.openai_lm import OpenAICompatibleLanguageModel  # noqa: E402
from its_hub.core.orchestrator import LMOrchestrator  # noqa: E402
from its_hub.core.reward_models.llm_judge import LLMJudge  # noqa: E402
from peers_faults_side import side_by_side  # noqa: E402


def model(asked: dict[str, Any], number: int, **more: Any) -> OpenAICompatibleLanguageModel:
    """Its client; everything but the address and the longest reply is its default."""
    longest = asked.get("max_tokens", 8) + (number if asked.get("apart") else 0)
    given = {"endpoint": asked["url"], "api_key": "none", "model_name": "scripted", "max_completion_tokens": longest}
    return OpenAICompatibleLanguageModel(**{**given, **more})


async def one(asked: dict[str, Any], number: int, orchestrator: LMOrchestrator) -> dict[str, Any]:
    """One request: best-of-8 with its judge."""
    own = model(asked, number)
    try:
        result = await BestOfN(LLMJudge(own), orchestrator).ainfer(own, "write a draft", 8, return_response_only=False)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what the caller meets
        cause = error if isinstance(error, APIError) else error.__cause__ or error
        causes = [cause, *getattr(cause, "exceptions", ())]
        status = next((one.status_code for one in causes if isinstance(one, APIError)), None)
        told = " ".join(map(str, [error, *causes]))[:600]
        return {"error": type(error).__name__, "cause": type(causes[-1]).__name__, "status": status, "told": told}
    return {
        "answer": result.the_one.get("content"),
        "reported": result.usage.completion_tokens,
        "candidates": len(result.responses),
        "scored": len(result.scores),
    }


async def solve(asked: dict[str, Any]) -> dict[str, Any]:
    """All requests side by side over one orchestrator, which keeps the limit in flight."""
    orchestrator = LMOrchestrator(max_concurrency=asked.get("limit", 64))
    return await side_by_side(asked, [one(asked, i, orchestrator) for i in range(asked.get("requests", 1))])


async def settings(asked: dict[str, Any]) -> dict[str, Any]:
    """What each bad setting meets: refused when it is given or when it is used, or accepted."""

    async def infer(n: Any, **more: Any) -> Any:
        lm = model(asked, 0, **more)
        return await BestOfN(LLMJudge(lm)).ainfer(lm, "write a draft", n, return_response_only=False)

    async def misspelt() -> Any:
        return BestOfN(LLMJudge(model(asked, 0)), samples=8)  # type: ignore[call-arg]

    cases: dict[str, Callable[[], Any]] = {
        "n = 0": lambda: infer(0),
        "n = -3": lambda: infer(-3),
        "temperature = 'hot'": lambda: infer(2, temperature="hot"),
        "misspelt setting": misspelt,
    }
    met = {"budget = -5": "no such setting"}
    for name, case in cases.items():
        try:
            got = await case()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what the caller meets
            met[name] = f"refused: {type(error).__name__}: {str(error)[:60]}"
        else:
            met[name] = f"accepted: {len(getattr(got, 'responses', []))} candidates"
    return {"settings": met}


if __name__ == "__main__":
    request = json.loads(sys.argv[1])
    print(json.dumps(asyncio.run(settings(request) if request["what"] == "settings" else solve(request))))
