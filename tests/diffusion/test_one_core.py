"""One core: the very classes that search texts steer a denoiser, and the very same code of theirs runs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.needs import need

need("diffusers")

from click.testing import CliRunner

import outthink
from outthink.cli.main import outthink as command
from outthink.core import Algorithm, Process, Run, Search, Session, Task
from outthink.diffusion import Ancestral, DenoisingProcess
from outthink.diffusion.laboratory import load
from outthink.diffusion.rewards import symmetry
from outthink.testing import FunctionOfContent, TokenChain
from outthink.text import TextProcess

CLASSES: dict[str, type[Algorithm[Any]]] = {
    "particle-filter": outthink.ParticleFilter,
    "tree": outthink.Tree,
    "beam": outthink.Beam,
    "evolve": outthink.Evolve,
    "rewind": outthink.Rewind,
}

Step = Callable[[Any, Any, Run, Any], Awaitable[Any]]


@pytest.mark.parametrize("method", CLASSES)
def test_both_commands_step_the_same_class(method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`outthink run` on texts and `outthink steer` on images, by the same word: one class, one function that steps it."""
    cls = CLASSES[method]
    step: Step = cls.step
    seen: list[tuple[type[Any], type[Process[Any]]]] = []

    async def watched(self: Any, state: Any, run: Run, key: Any) -> Any:
        seen.append((type(self), type(run.process)))
        return await step(self, state, run, key)

    monkeypatch.setattr(cls, "step", watched)
    monkeypatch.chdir(tmp_path)
    engine = ["--model", "scripted", "--set", "engine.otherwise=One.\n\nTwo.\n\nThree."]
    words = ["run", "How many?", "--method", method, *engine, "--n", "4"]
    images = ["steer", "--method", method, "--steps", "4", "--budget", "24", "--reward", "symmetry"]
    for arguments in (words, images):
        result = CliRunner().invoke(command, [*arguments, "--no-store"])
        assert result.exit_code == 0, result.output
    assert {kind for kind, _ in seen} == {cls}
    assert {process for _, process in seen} == {TextProcess, DenoisingProcess}


@pytest.mark.parametrize(
    "algorithm",
    [
        outthink.ParticleFilter(n=4),
        outthink.Tree(n=4, batch=2),
        outthink.Beam(n=4, width=2),
        outthink.Evolve(n=2, schedule=(1, 2), elites=1),
        outthink.Rewind(n=2, children=2),
    ],
    ids=lambda algorithm: algorithm.name(),
)
async def test_one_object_searches_both(algorithm: Algorithm[Any]) -> None:
    """Not even a copy is made: what searches a chain of symbols goes on to search images, and leaves nothing of the one in the other."""
    images = load("digits-diffusion").process(steps=4, solver=Ancestral())
    finished = []
    for process, verifier in (
        (TokenChain("ab", length=4), FunctionOfContent(lambda text: text.count("a"))),
        (images, symmetry()),
        (TokenChain("ab", length=4), FunctionOfContent(lambda text: text.count("a"))),
    ):
        session = Session.open(seed=3)
        result = await Search(lambda task, process=process: process, algorithm, verifier).solve(Task(), session)  # type: ignore[misc]
        session.close()
        assert result.chosen is not None
        finished.append(result)
    assert isinstance(finished[0].answer, str)
    assert finished[1].answer.shape == images.shape
    assert finished[0].scores == finished[2].scores


def test_every_method_is_a_class_of_the_search_package() -> None:
    """Steering brings no method of its own: what a name stands for lives in `outthink.search`, whatever it is used on."""
    from outthink.recipes.registry import find, registry

    for tag in registry().tags("algorithm"):
        assert find("algorithm", tag).__module__.startswith("outthink.search.")
    for tag, cls in CLASSES.items():
        assert find("algorithm", tag) is cls
