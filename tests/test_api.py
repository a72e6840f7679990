"""The Python door: what `import outthink` offers, and `solve` with everything that it takes."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from importlib import metadata
from typing import Any

import pytest

import outthink
from outthink.core.errors import AllFailed, Failure, Incompatible, InputError, OutthinkError, SettingsError
from outthink.core.result import Result, Stop
from outthink.recipes import load
from outthink.testing import FunctionOfContent, TokenChain


def reply(prompt: str, seed: int) -> str:
    return str(seed % 5)


FUNCTION = outthink.Function(generate=reply)
HOW: dict[str, Any] = {"process": FUNCTION, "answer": "none", "method": outthink.Vote(n=6)}


def test_every_name_is_there_and_dir_lists_it() -> None:
    for name in set(outthink.__all__) - {"__version__"}:
        assert getattr(outthink, name) is not None
    assert set(outthink.__all__) <= set(dir(outthink))
    with pytest.raises(AttributeError, match="no attribute 'slove'"):
        outthink.slove  # type: ignore[attr-defined]  # noqa: B018


def test_the_version_is_the_installed_one() -> None:
    try:
        installed = metadata.version("outthink")
    except metadata.PackageNotFoundError:
        # Run from a source folder that was never installed: there is no version, and none is made up.
        with pytest.raises(metadata.PackageNotFoundError):
            outthink.__version__  # noqa: B018
    else:
        assert outthink.__version__ == installed


def test_one_question() -> None:
    result = outthink.solve("What is it?", **HOW)
    assert isinstance(result, Result)
    assert result.answer in {"0", "1", "2", "3", "4"}
    assert result.cost == outthink.Cost(calls=6)
    assert result.stop is Stop.DONE


def test_the_same_seed_is_the_same_search() -> None:
    one, two, other = [outthink.solve("What is it?", seed=seed, **HOW) for seed in (1, 1, 2)]
    assert one.candidates == two.candidates
    assert one.candidates != other.candidates


def test_a_list_gives_a_list_and_shares_the_budget() -> None:
    tasks = ["first", outthink.Task(prompt="second", id="b")]
    results = outthink.solve(tasks, budget=outthink.Budget(calls=8), **HOW)
    assert [r.cost.calls for r in results if isinstance(r, Result)] == [4, 4]
    assert [r.task for r in results if isinstance(r, Result)] == ["", "b"]
    assert outthink.solve([], **HOW) == []


def test_one_task_that_fails_leaves_the_others() -> None:
    def picky(prompt: str) -> str:
        if prompt == "bad":
            raise ValueError("not this one")
        return "fine"

    how = {**HOW, "process": outthink.Function(generate=picky)}
    good, bad = outthink.solve(["good", "bad"], **how)
    assert isinstance(good, Result)
    assert isinstance(bad, Failure)
    assert "not this one" in bad.message
    with pytest.raises(AllFailed, match="not this one"):
        outthink.solve("bad", **how)


def test_a_plain_function_judges() -> None:
    result = outthink.solve(
        "What is it?", **{**HOW, "method": outthink.BestOfN(n=6)}, verifier=lambda text: -float(text)
    )
    assert result.answer == min(c.content for c in result.candidates)
    assert result.cost.verifier_calls == 6


def test_any_process_can_be_searched() -> None:
    result = outthink.solve(
        "any",
        method=outthink.ParticleFilter(n=4),
        process=lambda task: TokenChain("ab", length=3),
        verifier=FunctionOfContent(lambda content: 0.5, partial=True),
        changes=["algorithm.n=5"],
    )
    assert len(result.candidates) == 5


def test_events_reach_the_sinks() -> None:
    seen: list[str] = []
    outthink.solve("What is it?", sinks=[lambda event: seen.append(type(event).__name__)], **HOW)
    assert seen[0] == "RunStarted"
    assert seen[-1] == "RunEnded"


def test_a_recipe_is_where_to_start() -> None:
    result = outthink.solve("What is it?", recipe=load("vote"), process=FUNCTION)
    assert result.method == "vote"
    assert len(result.candidates) == 16


async def test_solve_works_inside_a_running_loop_and_asolve_on_it() -> None:
    waiting = asyncio.create_task(asyncio.sleep(0))
    inside = outthink.solve("What is it?", **HOW)
    outside = await outthink.asolve("What is it?", **HOW)
    await waiting
    assert inside.candidates == outside.candidates


async def test_asolve_takes_a_cut() -> None:
    from outthink.core.cut import Cut

    cut = Cut()
    cut.fire("interrupt")
    result = await outthink.asolve("What is it?", cut=cut, **HOW)
    assert result.stop is Stop.INTERRUPTED
    assert result.answer is None


def test_ctrl_c_returns_the_best_so_far() -> None:
    async def slow(prompt: str, seed: int) -> str:
        nonlocal asked
        asked += 1
        if asked == 4:
            os.kill(os.getpid(), signal.SIGINT)
        if asked > 3:
            await asyncio.sleep(3600)
        return "early"

    asked = 0
    result = outthink.solve("What is it?", **{**HOW, "process": outthink.Function(generate=slow)})
    assert result.stop is Stop.INTERRUPTED
    assert result.answer == "early"
    assert sum(c.final for c in result.candidates) == 3


@pytest.mark.parametrize(
    ("prompt", "how", "error"),
    [
        ("", {}, InputError),
        ("  ", {}, InputError),
        (["fine", ""], {}, InputError),
        ("fine", {"method": "vot"}, SettingsError),
        ("fine", {"budget": "tokens=-4"}, SettingsError),
        ("fine", {"budget": outthink.Budget(tokens=4)}, Incompatible),
        ("fine", {"method": "beam"}, Incompatible),
        ("fine", {"method": "best-of-n", "verifier": "none"}, Incompatible),
    ],
)
def test_bad_input_is_refused_before_anything_is_called(
    prompt: Any, how: dict[str, Any], error: type[Exception]
) -> None:
    called: list[str] = []
    with pytest.raises(error):
        outthink.solve(prompt, **{**HOW, "process": outthink.Function(generate=called.append), **how})
    assert called == []


def test_a_misspelt_argument_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="budgte"):
        outthink.solve("What is it?", budgte=3)  # type: ignore[call-overload]


def test_solve_inside_a_search_points_to_asolve() -> None:
    async def nested(prompt: str) -> str:
        return str(outthink.solve("inner", **HOW).answer)

    with pytest.raises(OutthinkError, match="asolve"):
        outthink.solve("outer", **{**HOW, "process": outthink.Function(generate=nested)})


def test_engines_stay_open_until_they_are_closed() -> None:
    how: dict[str, Any] = {"model": "scripted", "method": "vote", "changes": ["algorithm.n=2", "engine.otherwise=yes"]}
    assert outthink.solve("What is it?", **how).answer is not None
    outthink.close_engines()
    assert outthink.solve("What is it?", **how).answer is not None
    outthink.close_engines()


@pytest.mark.parametrize("how", ["process=outthink.Function(generate=lambda q: 'a')", "recipe=SCRIPTED"])
def test_a_program_that_solves_ends_by_itself(how: str) -> None:
    program = (
        "import outthink\n"
        'SCRIPTED = \'[algorithm]\\ntype = "vote"\\n[engine]\\ntype = "scripted"\\notherwise = "a"\'\n'
        f"r = outthink.solve('q', method=outthink.Vote(n=2), answer='none', {how})\n"
        "print(r.answer)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "a\n", "")
