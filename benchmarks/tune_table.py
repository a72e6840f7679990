"""Draws the table that `benchmarks/tune.py` tunes on: pools of samples of the laboratory model under 20 settings of its sampling.

    .venv/bin/python benchmarks/tune_table.py [--problems 100] [--samples 32] [--folder build/tune]

Five temperatures by four values of top-p, for each of them so many samples of every held-out problem, with the model's own confidence in
each. Prints its estimate first; resumable: Ctrl-C or a kill loses only the pools under way.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import signal
import time
from pathlib import Path

from rich.console import Console
from search import questions, roomy

from outthink.bench import Journal, Pool, draw_pools
from outthink.bench.contest import is_cut
from outthink.core.key import Key
from outthink.core.session import Session
from outthink.core.settings import replace
from outthink.recipes import Recipe, load
from outthink.recipes.build import Live, build
from outthink.text.settings import Text
from outthink.verify import Confidence

TEMPERATURES = (0.4, 0.7, 1.0, 1.3, 1.6)
TOP_PS = (0.7, 0.85, 0.95, 1.0)
POSED = Key(34)
"""Apart from the problems of the search benchmark."""


def settings() -> list[tuple[float, float]]:
    """All pairs of temperature and top-p."""
    return [(temperature, top_p) for temperature in TEMPERATURES for top_p in TOP_PS]


def file_of(folder: Path, temperature: float, top_p: float) -> Path:
    """Where the pools of one setting lie."""
    return folder / f"pools-{temperature}-{top_p}.jsonl"


def sampled(recipe: Recipe, temperature: float, top_p: float) -> Recipe:
    """The recipe at other settings of its sampling."""
    if not isinstance(recipe.process, Text):
        raise TypeError(f"the preset 'laboratory' generates with {type(recipe.process).__name__}, expected text")
    sampling = replace(recipe.process.sampling, temperature=temperature, top_p=top_p)
    return dataclasses.replace(recipe, process=replace(recipe.process, sampling=sampling))


async def run(asked: argparse.Namespace, console: Console) -> None:
    """All pools that are not there yet."""
    posed = questions(asked.problems, POSED)
    recipe = roomy(load("laboratory"))
    session = Session.open(seed=34)
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, session.cut.fire, "interrupt")
    began, done = time.perf_counter(), 0
    async with build(recipe) as base:
        for temperature, top_p in settings():
            if is_cut(session):
                break
            path = file_of(asked.folder, temperature, top_p)
            with Journal(path, Pool, identity=f"tune-table/{asked.problems}/{asked.samples}") as journal:
                missing = asked.problems - len({pool.question for pool in journal.rows})
                if missing == 0:
                    continue
                async with build(sampled(recipe, temperature, top_p), live=Live(engine=base.engine)) as one:
                    verifiers = {"confidence": Confidence()}
                    child = session.child(f"{temperature}/{top_p}")
                    await draw_pools(
                        posed, [0], asked.samples, one.solver.process, child, journal, verifiers=verifiers, in_flight=2
                    )
                done += missing
            rate = (time.perf_counter() - began) / done
            left = sum(asked.problems - _there(file_of(asked.folder, *pair), asked) for pair in settings())
            console.print(
                f"temperature {temperature}, top-p {top_p}: {rate:.1f} s a problem, {left} left, {left * rate / 60:.0f} min"
            )


def _there(path: Path, asked: argparse.Namespace) -> int:
    if not path.exists():
        return 0
    with Journal(path, Pool, identity=f"tune-table/{asked.problems}/{asked.samples}") as journal:
        return len({pool.question for pool in journal.rows})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--problems", type=int, default=100)
    parser.add_argument("--samples", type=int, default=32)
    parser.add_argument("--folder", type=Path, default=Path("build/tune"))
    asyncio.run(run(parser.parse_args(), Console()))


if __name__ == "__main__":
    main()
