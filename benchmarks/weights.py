"""What re-rounding the embedded model's weights from Q4_1 to Q8_0 changes: accuracy on the demonstration's sums, and log-probabilities.

    .venv/bin/python benchmarks/weights.py [--problems 200] [--samples 2]

The same problems, seeds and prompts with both kinds of weights in the same run. Accuracy: greedy, and over samples at temperature 0.8, with
the paired difference over problems and its 95% interval. Log-probabilities: what the shipped weights sampled is rated by both.
"""

from __future__ import annotations

import argparse
import asyncio
import re

import numpy as np

from outthink.core import Failure, Key
from outthink.demo.problems import KINDS, draw, worked_examples
from outthink.engines import Request, Sampling, TextPrompt, TokenPrompt
from outthink.engines.local import Local, LocalEngine
from outthink.numerics.paired import count_pairs, difference_interval

ANSWER = re.compile(r"Answer: (-?\d+)")
REPLY = 40


def prompts_of(count: int) -> tuple[list[str], list[int]]:
    """Prompts of the demonstration's sums, and their answers."""
    kind = KINDS["sums"]
    shown = "".join(f"Question: {e.question}\n{e.answer}\n\n" for e in worked_examples(kind))
    problems = draw(kind, count, Key(7).child("weights"))
    return [f"{shown}Question: {p.question}\n" for p in problems], [p.answer for p in problems]


async def answered(engine: LocalEngine, prompts: list[str], answers: list[int], temperature: float, samples: int):  # type: ignore[no-untyped-def]
    """Whether each sample is right, [problems, samples], and what was generated."""
    requests = [
        Request(
            prompt=TextPrompt(prompt),
            seed=1000 * i + s,
            max_tokens=REPLY,
            stop=("\n\n",),
            sampling=Sampling(temperature=temperature),
        )
        for i, prompt in enumerate(prompts)
        for s in range(samples)
    ]
    replies = await engine.generate(requests)
    right = []
    for at, reply in enumerate(replies):
        found = None if isinstance(reply, Failure) else ANSWER.search(reply.text)
        right.append(found is not None and int(found[1]) == answers[at // samples])
    tokens = [() if isinstance(reply, Failure) else reply.tokens or () for reply in replies]
    return np.array(right).reshape(len(prompts), samples), tokens


async def rated(engine: LocalEngine, prompts: list[str], tokens: list[tuple[int, ...]], samples: int) -> np.ndarray:  # type: ignore[type-arg]
    """Log-probabilities of everything that was generated, in one line, nats."""
    pairs = [
        (TokenPrompt(engine.tokenizer.encode(prompts[at // samples])), some) for at, some in enumerate(tokens) if some
    ]
    results = await engine.log_probs(pairs)
    return np.concatenate([r.log_probs for r in results if not isinstance(r, Failure)])


async def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", type=int, default=200)
    parser.add_argument("--samples", type=int, default=2)
    options = parser.parse_args()
    prompts, answers = prompts_of(options.problems)
    engines = {"as-shipped": LocalEngine(Local(weights="as-shipped")), "q8_0": LocalEngine(Local(weights="q8_0"))}
    for what, temperature, samples in (("greedy", 0.0, 1), ("temperature 0.8", 0.8, options.samples)):
        right, tokens = {}, {}
        for name, engine in engines.items():
            right[name], tokens[name] = await answered(engine, prompts, answers, temperature, samples)
        means = {name: found.mean() for name, found in right.items()}
        if samples == 1:
            pairs = count_pairs(right["q8_0"][:, 0], right["as-shipped"][:, 0])
            interval = difference_interval(pairs)
            low, high = interval.low, interval.high
        else:
            gaps = right["q8_0"].mean(axis=1) - right["as-shipped"].mean(axis=1)
            half = 1.96 * gaps.std(ddof=1) / np.sqrt(len(gaps))
            low, high = gaps.mean() - half, gaps.mean() + half
        print(
            f"{what:16} as shipped {means['as-shipped']:.3f}, q8_0 {means['q8_0']:.3f}, "
            f"difference {means['q8_0'] - means['as-shipped']:+.3f} (95% {low:+.3f} to {high:+.3f})",
            flush=True,
        )
    values = {name: await rated(engine, prompts, tokens["as-shipped"], samples) for name, engine in engines.items()}
    change = values["q8_0"] - values["as-shipped"]
    print(
        f"log-probability of {len(change)} sampled tokens: mean {values['as-shipped'].mean():.4f} as shipped, mean change "
        f"{change.mean():+.4f} nats, mean size of the change {np.abs(change).mean():.4f}"
    )
    for engine in engines.values():
        await engine.close()


if __name__ == "__main__":
    asyncio.run(main())
