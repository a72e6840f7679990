"""A web page from a description: an agent writes HTML, sees how it is drawn, and hands a page in that is compared with a known one.

    environment = WebPage(described_page(seed=3))
    process = AgentProcess(engine, environment, Agent(turns=3, max_tokens=900))

Actions are `RENDER` and `SUBMIT`, each followed by a whole page. `RENDER` says what is to be seen where, as a real Chromium draws it.
The reward is the mean of three similarities to the right page, each in [0, 1]: of structure, from the source alone
(`outthink.verify.page_structure_in_worker`); of layout (`outthink.agent.pages.layout`); and of the look
(`outthink.agent.pages.look`), which is itself the mean of five. A page that cannot be drawn has its structure alone.

Source: Li, Zhang and Yang, Sketch2Code (2024): layout and visual similarity. Departs from it: pages are generated and described in words
where the benchmark has sketches of pages from the web, structure counts as well, and no vectors of CLIP are compared (see `look`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict

from outthink.agent.actions import worded
from outthink.agent.environment import Environment, Observation, Reward
from outthink.agent.pages.layout import similarity as layout_alike
from outthink.agent.pages.look import Look, look
from outthink.agent.pages.rendered import Component, Rendered
from outthink.agent.pages.renderer import REFUSED, Renderer, renderer
from outthink.core.errors import Failure, InputError, VerifierError, explain
from outthink.core.task import Task
from outthink.verify.pool import TIMEOUT, workers

SHOWN = 20
SHOWN_WORDS = 60
STRUCTURE_SECONDS = 2.0

_read = worded("RENDER", "SUBMIT")


class WebPage(Environment):
    """One page to be written. `task.prompt` describes it; `task.reference` is the right page, which the agent never sees.

    Raises `Incompatible` where pages cannot be drawn.
    """

    def __init__(self, task: Task, *, drawing: Renderer | None = None) -> None:
        self.task = task
        self.rewarded = task.reference is not None
        self._drawing = drawing or renderer()

    @property
    def instructions(self) -> str:
        return (
            "You write web pages in HTML with CSS; scripts do not run, and every image shows as a grey area. "
            "Write one action and nothing else:\nRENDER followed by a whole page shows what is to be seen where\n"
            "SUBMIT followed by a whole page hands it in and ends the task"
        )

    @property
    def opening(self) -> str:
        return self.task.question

    async def observe(self, actions: Sequence[str]) -> Observation | Failure:
        word, page = _read(actions[-1])
        if word == "SUBMIT":
            return Observation("Your page was handed in.", done=True)
        if word != "RENDER":
            return Observation("That is no action. Write RENDER or SUBMIT, followed by a whole page.")
        drawn = await self._drawing.draw(page)
        if isinstance(drawn, Failure):
            return Observation(drawn.message) if drawn.kind == REFUSED else drawn
        return Observation(_told(drawn))

    async def reward(self, actions: Sequence[str]) -> Reward | Failure:
        page = self.answer(actions)
        if page is None:
            return _earned(0.0, 0.0, None, "Nothing was handed in.", submitted=0.0)
        if self.task.reference is None:
            raise InputError(
                explain(
                    f"Task {self.task.id!r} has no right page to compare with.",
                    got="no reference",
                    expected="a page of HTML",
                    remedy="Make the task with outthink.agent.described_page, or give it a reference.",
                )
            )
        structure = await workers().call("page-structure", page, self.task.reference, seconds=STRUCTURE_SECONDS)
        if isinstance(structure, Failure):
            if structure.kind != TIMEOUT:
                return structure
            structure = 0.0
        right = await self._drawing.draw(self.task.reference)
        if isinstance(right, Failure):
            if right.kind == REFUSED:
                raise VerifierError(f"The right page of task {self.task.id!r} cannot be drawn: {right.message}")
            return right
        drawn = await self._drawing.draw(page)
        if isinstance(drawn, Failure):
            return _earned(structure, 0.0, None, drawn.message) if drawn.kind == REFUSED else drawn
        layout, looks = await asyncio.to_thread(lambda: (layout_alike(drawn, right), look(drawn, right)))
        return _earned(structure, layout, looks)

    def answer(self, actions: Sequence[str]) -> str | None:
        """The page that was handed in."""
        word, page = _read(actions[-1]) if actions else ("", "")
        return page if word == "SUBMIT" else None


def _earned(structure: float, layout: float, looks: Look | None, note: str = "", *, submitted: float = 1.0) -> Reward:
    looks = looks or Look(0.0, 0.0, 0.0, 0.0, 0.0)
    parts = {"submitted": submitted, "structure": structure, "layout": layout, **asdict(looks)}
    said = note or ", ".join(f"{name} {part:.2g}" for name, part in parts.items())
    return Reward((structure + layout + looks.mean) / 3.0, parts, said)


def _told(drawn: Rendered) -> str:
    lines = [_line(one) for one in drawn.components[:SHOWN]]
    more = len(drawn.components) - len(lines)
    shown = "\n".join([*lines, *([f"({more} more)"] if more > 0 else [])])
    return f"The page is {drawn.width} by {drawn.height} pixels.\n{shown or 'Nothing is to be seen on it.'}"


def _line(one: Component) -> str:
    left, top, right, bottom = (round(edge) for edge in one.box)
    words = one.words if len(one.words) <= SHOWN_WORDS else one.words[:SHOWN_WORDS] + "..."
    return f"{one.kind}{f' “{words}”' if words else ''}: {right - left} by {bottom - top} at {left}, {top}"
