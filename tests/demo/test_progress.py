"""What is seen while it runs."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from outthink.demo import main
from outthink.demo.main import demonstrate
from outthink.demo.plan import METHODS, Plan
from outthink.demo.progress import Progress
from tests.demo.adder import SMALL, adder


async def test_the_spend_shown_is_what_was_paid(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Progress] = []

    class Kept(Progress):
        def __init__(self, console: Console, plan: Plan) -> None:
            super().__init__(console, plan)
            made.append(self)

    monkeypatch.setattr(main, "Progress", Kept)
    finished = await demonstrate(SMALL, adder(right=0.5), Console(file=io.StringIO(), width=100))
    (progress,) = made
    assert progress.spent == finished.paid.tokens > 0
    panel = progress.show().plain
    assert "3 of 3 problems" in panel
    assert f"{finished.paid.tokens} tokens spent" in panel
    right = {m.name: sum(one.right(m.name) for one in finished.solved["sums"]) for m in METHODS}
    assert ", ".join(f"{name} {n}" for name, n in right.items()) in panel


@pytest.mark.parametrize("terminal", [True, False])
async def test_a_terminal_gets_a_live_panel_and_a_file_one_line_a_group(*, terminal: bool) -> None:
    file = io.StringIO()
    await demonstrate(SMALL, adder(right=0.5), Console(file=file, width=100, force_terminal=terminal))
    said = file.getvalue()
    assert ("Ctrl-C: stop" in said) is terminal
    if not terminal:
        assert len(said.splitlines()) == 2  # three problems, two together
        assert "\x1b" not in said
