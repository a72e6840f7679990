"""A model that adds with known mistakes, one line at a time: what the demonstration's tests run on."""

from __future__ import annotations

import io
import re

from rich.console import Console

from outthink.demo.main import demonstrate
from outthink.demo.plan import Plan
from outthink.demo.running import Finished
from outthink.engines.scripted import Behaviour, ScriptedEngine

SMALL = Plan(problems=3, members=4, together=2, seed=5)


def adder(right: float, call_seconds: float = 0.0) -> ScriptedEngine:
    """Adds rightly with this probability on each line, else is off by one; the answer repeats the last result."""

    def next_token(text: str) -> dict[str, float]:
        question, _, working = text.rpartition("Question: ")[2].partition("\n")
        lines = [line for line in working.split("\n") if line]
        if working and not working.endswith("\n"):
            return {"\n\n" if "Answer" in working else "\n": 1.0}
        numbers = [int(number) for number in re.findall(r"\d+", question)]
        if len(lines) == len(numbers) - 1:
            return {f"Answer: {_result(lines[-1])}": 1.0}
        first = _result(lines[-1]) if lines else numbers[0]
        second = numbers[len(lines) + 1]
        written = {
            f"{first} + {second} = {first + second}": right,
            f"{first} + {second} = {first + second + 1}": 1 - right,
        }
        return {line: p for line, p in written.items() if p > 0}

    return ScriptedEngine(next_token, behaviour=Behaviour(call_seconds=call_seconds))


def quiet() -> Console:
    """A console that nobody reads."""
    return Console(file=io.StringIO(), width=100)


async def finished_with(engine: ScriptedEngine, plan: Plan = SMALL) -> Finished:
    """The demonstration on this engine."""
    return await demonstrate(plan, engine, quiet())


def _result(line: str) -> int:
    return int(line.rpartition("= ")[2])
