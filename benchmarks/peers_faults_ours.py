"""Our side of `peers_faults.py`, as a process of its own: reads what to do as JSON from the command line, prints what came of it as JSON.

python peers_faults_ours.py '{"url": "...", "what": "solve", "requests": 1}'
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from peers_faults_side import side_by_side

import outthink
from outthink.core import AllFailed
from outthink.engines import Sampling
from outthink.engines.openai import HostLimits, Openai
from outthink.verify import Judge

BAD = {
    "n = 0": lambda: outthink.BestOfN(n=0),
    "n = -3": lambda: outthink.BestOfN(n=-3),
    "temperature = 'hot'": lambda: Sampling(temperature="hot"),  # type: ignore[arg-type]
    "misspelt setting": lambda: outthink.BestOfN(samples=8),  # type: ignore[call-arg]
    "budget = -5": lambda: outthink.Budget(tokens=-5),
}


def engine(asked: dict[str, Any]) -> Openai:
    """The engine's settings; everything else is its default."""
    return Openai(
        model="scripted",
        base_url=asked["url"],
        preset="vllm",
        probe=asked.get("probe", "never"),
        cache=asked.get("cache", ""),
        use_n="always" if asked.get("n") else "auto",
        limits=HostLimits(in_flight=asked.get("limit", 64)),
    )


async def one(asked: dict[str, Any], number: int) -> dict[str, Any]:
    """One request, best-of-8 under a judge, and what became of it."""
    cap = {name: asked[name] for name in ("tokens", "seconds") if name in asked}
    try:
        result = await outthink.asolve(
            "write a draft",
            method=outthink.BestOfN(n=8),
            verifier=Judge(
                n_evaluate=1, constrain="never", candidate_tokens=asked.get("candidate_tokens", 64), max_tokens=8
            ),
            model=engine(asked),
            answer="none",
            budget=outthink.Budget(**cap),
            changes=[f"process.max_tokens={asked.get('max_tokens', 8) + (number if asked.get('apart') else 0)}"],
            seed=number,
        )
    except outthink.OutthinkError as error:
        first = error.failures[0] if isinstance(error, AllFailed) else None
        status = first.status if first is not None else getattr(error, "status", None)
        return {
            "error": type(error).__name__,
            "cause": first.kind if first else "",
            "status": status,
            "told": str(error)[:200],
        }
    return {
        "answer": None if result.answer is None else str(result.answer),
        "reported": result.cost.output_tokens,
        "uncertain": result.uncertain.output_tokens,
        "candidates": sum(c.final for c in result.candidates),
        "scored": sum(s is not None for s in result.scores),
        "stop": f"{result.stop.value} {result.limit}".strip(),
        "degraded": list(result.degraded),
    }


async def solve(asked: dict[str, Any]) -> dict[str, Any]:
    """All requests side by side; with `cancel`, cancelled when a line comes in."""
    if asked.get("probe") == "once":
        await one(asked, 10_000)
        print("ready", flush=True)
        sys.stdin.readline()
    return await side_by_side(asked, [one(asked, i) for i in range(asked.get("requests", 1))])


def settings() -> dict[str, Any]:
    """What each bad setting meets."""
    met = {}
    for name, make in BAD.items():
        try:
            made = make()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what the caller meets
            met[name] = f"refused: {type(error).__name__}"
        else:
            met[name] = f"accepted: {made!r}"
    return {"settings": met}


if __name__ == "__main__":
    request = json.loads(sys.argv[1])
    outcome = settings() if request["what"] == "settings" else asyncio.run(solve(request))
    print(json.dumps(outcome))
    outthink.close_engines()
