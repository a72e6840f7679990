"""A plain function keeps the contract of every process."""

from __future__ import annotations

import pytest

from outthink.core.component import Parts
from outthink.core.task import Task
from outthink.recipes import Function
from outthink.recipes.function import FunctionProcess
from outthink.testing.contracts import ProcessContract


class TestFunction(ProcessContract):
    column = "calls"

    @pytest.fixture
    def process(self) -> FunctionProcess:
        return Function(generate=lambda prompt, seed: f"{prompt} {seed}").build(Task(prompt="q"), Parts())


class TestBatchedFunction(ProcessContract):
    column = "calls"

    @pytest.fixture
    def process(self) -> FunctionProcess:
        function = Function(generate=lambda prompts, seeds: [f"{p} {s}" for p, s in zip(prompts, seeds, strict=True)])
        return function.build(Task(prompt="q"), Parts())
