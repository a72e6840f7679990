"""A bridge between two data sets, trained and drawn: two moons carried over to a mixture of five.

    .venv/bin/python benchmarks/bridge_picture.py bridge.svg [--steps 2000] [--seed 1] [--scale 1.0]

Trains velocity and denoiser on 20,000 samples of each end, carries 600 new moons over by the SDE, and writes a picture of where they began,
where they came to, and 25 of their paths. Prints how far the ends are from the mixture: the share of them in each of its five parts, exact
0.2, for the ODE and the SDE.
"""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

import numpy as np
import torch

from outthink.core import Allowance, Key
from outthink.diffusion import FlowHeun, FlowSde, Mixture, Solver
from outthink.diffusion.interpolants import Bridge, Ends, Field, Fit, Learned, LinearInterpolant, Perceptron, fit
from outthink.numerics.types import FloatArray

ANGLES = 2.0 * np.pi * np.arange(5) / 5.0
FIVE = Mixture([1.0] * 5, (2.5 * np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1)).tolist(), [0.25] * 5)
TIMES = np.linspace(0.0, 1.0, 81)
SIZE, REACH = 640.0, 4.0


def moons(n: int, rng: np.random.Generator) -> torch.Tensor:
    """Two half circles that reach into each other, [n, 2]."""
    angle, side = np.pi * rng.random(n), np.where(rng.random(n) < 0.5, 1.0, -1.0)
    x = side * (np.cos(angle) - 0.5)
    y = side * (np.sin(angle) - 0.25)
    return torch.from_numpy(np.stack([x, y], axis=1) + 0.07 * rng.standard_normal((n, 2))).float()


def trained(settings: Fit, key: Key) -> Learned:
    rng = key.child("data").rng()
    ends = Ends(moons(20_000, rng), torch.from_numpy(FIVE.sample(20_000, rng)).float())
    networks = {field: Perceptron(2, key=key.child(field)) for field in (Field.VELOCITY, Field.NOISE)}
    fit(networks, LinearInterpolant(), ends, settings, key)
    return Learned(LinearInterpolant(), networks, margin=1e-3)


async def carried(network: Learned, starts: torch.Tensor, solver: Solver, key: Key) -> FloatArray:
    """Where the samples stand at each time, [times, n, 2]."""
    process = Bridge(network, starts, TIMES, solver)
    states, places = process.begun(starts), [starts]
    for step in range(len(TIMES) - 1):
        moved = await process.advance(states, key.child("step", step).seeds(len(starts)), allowance=Allowance())
        states = moved.states
        places.append(states.x)
    return torch.stack(places).double().numpy()


def shares(ends: FloatArray) -> FloatArray:
    """The share of samples nearest to each of the five, [5]."""
    nearest = np.linalg.norm(ends[:, None] - FIVE.means[None], axis=2).argmin(axis=1)
    return np.bincount(nearest, minlength=5) / len(ends)


def drawn(places: FloatArray) -> str:
    """The picture as SVG."""

    def at(point: FloatArray) -> tuple[float, float]:
        return (point[0] + REACH) * SIZE / (2 * REACH), (REACH - point[1]) * SIZE / (2 * REACH)

    def dots(points: FloatArray, colour: str) -> list[str]:
        return [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.2" fill="{colour}"/>' for x, y in map(at, points)]

    lines = []
    for path in places[:, :25].transpose(1, 0, 2):
        corners = " ".join(f"{x:.1f},{y:.1f}" for x, y in map(at, path))
        lines.append(f'<polyline points="{corners}" fill="none" stroke="#888" stroke-width="0.8" opacity="0.7"/>')
    body = [*lines, *dots(places[0], "#3366aa"), *dots(places[-1], "#cc5533")]
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {SIZE:.0f} {SIZE:.0f}" width="{SIZE:.0f}">'
    return "\n".join([head, '<rect width="100%" height="100%" fill="white"/>', *body, "</svg>", ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--scale", type=float, default=1.0)
    given = parser.parse_args()
    key = Key(given.seed)
    network = trained(Fit(steps=given.steps), key)
    starts = moons(600, key.child("starts").rng())
    noisy = FlowSde(scale=given.scale, power=0.5, start=0.5)
    for name, solver in (("ODE", FlowHeun()), ("SDE", noisy)):
        places = asyncio.run(carried(network, starts, solver, key.child(name)))
        away = np.linalg.norm(places[-1][:, None] - FIVE.means[None], axis=2).min(axis=1)
        print(
            f"{name}: shares {np.round(shares(places[-1]), 3).tolist()}, mean distance {away.mean():.3f} (exact 0.313)"
        )
    given.picture.write_text(drawn(places), encoding="utf-8")


if __name__ == "__main__":
    main()
