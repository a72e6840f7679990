"""Recorded pools made up with a known best: how often a sample is right depends on temperature, top-p and the question."""

from __future__ import annotations

import numpy as np

from outthink.replay.samples import QuestionSamples, SampleTable, gathered
from outthink.tune.recorded import PoolKey
from outthink.tune.space import Choice, Real, Space, Value, Whole

TEMPERATURES = (0.4, 0.7, 1.0, 1.3, 1.6)
TOP_PS = (0.7, 0.85, 0.95, 1.0)
SIZES = (2, 4, 8)
SELECTS = ("single", "vote", "best-of-n", "weighted-min-max", "oracle")


def space() -> Space:
    return Space(
        {
            "temperature": Real(low=0.4, high=1.6),
            "top_p": Real(low=0.7, high=1.0),
            "n": Whole(low=2, high=8, log=True),
            "select": Choice(values=SELECTS[:-1]),
        }
    )


def pools(seed: int = 0, questions: int = 60, samples: int = 8) -> dict[PoolKey, SampleTable]:
    """Best at temperature 0.7 and top-p 0.95; the score tells right from wrong, but not well."""
    rng = np.random.default_rng(seed)
    hardness = rng.normal(0.0, 1.5, questions)
    found: dict[PoolKey, SampleTable] = {}
    for temperature in TEMPERATURES:
        for top_p in TOP_PS:
            level = 1.0 - 3.0 * (temperature - 0.7) ** 2 - 20.0 * (top_p - 0.95) ** 2
            rows = []
            for i in range(questions):
                chance = 1.0 / (1.0 + np.exp(-(level - hardness[i])))
                right = rng.random(samples) < chance
                wrong = 1 + rng.integers(0, 6, samples)
                rows.append(
                    QuestionSamples(
                        f"q{i}",
                        answers=np.where(right, 0, wrong),
                        right=right,
                        tokens=rng.integers(20, 40, samples).astype(float),
                        scores={"score": right + rng.normal(0.0, 1.5, samples)},
                    )
                )
            found[("temperature", temperature), ("top_p", top_p)] = gathered(rows)
    return found


def candidates() -> list[dict[str, Value]]:
    return [
        {"temperature": temperature, "top_p": top_p, "n": size, "select": select}
        for temperature in TEMPERATURES
        for top_p in TOP_PS
        for size in SIZES
        for select in SELECTS[:-1]
    ]
