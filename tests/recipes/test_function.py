"""Plain functions as processes: what they are called with, what becomes of what they return, and what is refused."""

from __future__ import annotations

import asyncio
import functools
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from outthink.core.component import Parts
from outthink.core.cost import Budget, Cost
from outthink.core.cut import Cut
from outthink.core.errors import Incompatible, InputError, SettingsError
from outthink.core.ledger import Allowance, Ledger
from outthink.core.result import Stop
from outthink.core.session import Session
from outthink.core.task import Message, Task
from outthink.recipes import Function, Live, build, load, override
from outthink.recipes.function import Answers, FunctionProcess
from outthink.verify import Numeric, as_verifier

QUESTION = Task(prompt="What is it?")
SEEDS = np.arange(1, 5, dtype=np.uint64)


def process(generate: Callable[..., Any], task: Task = QUESTION, **how: Any) -> FunctionProcess:
    return Function(generate=generate, **how).build(task, Parts())


async def texts(made: FunctionProcess, seeds: Any = SEEDS) -> list[str | None]:
    moved = await made.advance(await made.start(seeds), seeds, allowance=Allowance())
    return list(moved.states.texts)


class Remembers:
    """Callable objects count as functions."""

    def __call__(self, prompt: str) -> str:
        return "object"


class RemembersLater:
    async def __call__(self, prompt: str) -> str:
        return "later"


async def asked(prompt: str, seed: int) -> str:
    await asyncio.sleep(0)
    return f"{prompt}{seed}"


def joined(prefix: str, prompt: str) -> str:
    return prefix + prompt


FORMS: dict[str, tuple[Callable[..., Any], list[str]]] = {
    "prompt": (lambda prompt: prompt, ["What is it?"] * 4),
    "prompt by another name": (lambda q: q.upper(), ["WHAT IS IT?"] * 4),
    "prompt and seed": (lambda prompt, seed: f"{seed}", ["1", "2", "3", "4"]),
    "keyword seed": (lambda prompt, *, seed: f"{seed}", ["1", "2", "3", "4"]),
    "seed with a default": (lambda prompt, temperature=1.0, seed=0: f"{seed}", ["1", "2", "3", "4"]),
    "coroutine": (asked, [f"What is it?{i}" for i in range(1, 5)]),
    "batched": (lambda prompts: [p[0] for p in prompts], ["W"] * 4),
    "batched with seeds": (lambda prompts, seeds: [str(s) for s in seeds], ["1", "2", "3", "4"]),
    "batched by its seeds": (lambda q, seeds: [f"{len(q)}{s}" for s in seeds], ["41", "42", "43", "44"]),
    "messages": (lambda messages: messages[-1].role, ["user"] * 4),
    "task": (lambda task: task.prompt, ["What is it?"] * 4),
    "object": (Remembers(), ["object"] * 4),
    "object that is awaited": (RemembersLater(), ["later"] * 4),
    "partial": (functools.partial(joined, "> "), ["> What is it?"] * 4),
}


@pytest.mark.parametrize("form", FORMS)
async def test_a_function_is_called_as_its_signature_says(form: str) -> None:
    generate, expected = FORMS[form]
    assert await texts(process(generate)) == expected


async def test_a_list_annotation_makes_it_batched() -> None:
    def ask(questions: list[str]) -> list[str]:
        return [str(len(questions))] * len(questions)

    def ask_many(questions: Sequence[str]) -> list[str]:
        return ask(list(questions))

    assert await texts(process(ask)) == ["4"] * 4
    assert await texts(process(ask_many)) == ["4"] * 4


async def test_an_optional_prompt_is_no_list() -> None:
    def ask(prompt: str | None = None) -> str:
        return f"<{prompt}>"

    ask.__annotations__["prompt"] = "Optional[str]"
    assert await texts(process(ask)) == ["<What is it?>"] * 4


async def test_a_batched_function_is_called_once() -> None:
    calls: list[int] = []
    await texts(process(lambda prompts: [calls.append(len(prompts)) or "x" for _ in prompts]))
    assert calls == [4] * 4  # four appends of one call: each saw the whole batch


@pytest.mark.parametrize(
    "generate",
    [
        lambda: "x",
        lambda prompt, other: "x",
        lambda prompt, *, other: "x",
        lambda prompts, seed: ["x"],
        lambda messages, seeds: ["x"],
        lambda seed: "x",
    ],
)
def test_an_unknown_signature_is_refused(generate: Callable[..., Any]) -> None:
    with pytest.raises(SettingsError, match=r"parameters are none.*generate\(prompt, seed\)"):
        Function(generate=generate)


def test_a_function_without_a_signature_and_no_workers_are_refused() -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        Function(generate=dict)
    with pytest.raises(SettingsError, match="workers"):
        Function(generate=len, workers=0)


async def test_errors_and_other_values_are_failures_of_their_member() -> None:
    def generate(prompt: str, seed: int) -> Any:
        if seed == 2:
            raise ConnectionError("refused by the server")
        return 3 if seed == 3 else "fine"

    made = process(generate)
    moved = await made.advance(await made.start(SEEDS), SEEDS, allowance=Allowance())
    assert moved.states.texts == ("fine", None, None, "fine")
    assert moved.failures[1].kind == "ConnectionError"
    assert moved.failures[1].message == "refused by the server"
    assert "returned int 3" in moved.failures[2].message
    assert moved.cost == Cost(calls=4), "a call that failed was made all the same"


@pytest.mark.parametrize("reply", [["a"], "abcd", None, ["a", "b", "c", 4]])
async def test_a_batched_function_must_return_one_text_a_member(reply: Any) -> None:
    made = process(lambda prompts: reply)
    moved = await made.advance(await made.start(SEEDS), SEEDS, allowance=Allowance())
    bad = {3} if isinstance(reply, list) and len(reply) == 4 else {0, 1, 2, 3}
    assert set(moved.failures) == bad


async def test_calls_are_claimed_before_they_are_made() -> None:
    called: list[int] = []
    made = process(lambda prompt, seed: called.append(seed) or "x")
    moved = await made.advance(await made.start(SEEDS), SEEDS, allowance=Allowance(Ledger(Budget(calls=3))))
    assert sorted(called) == [1, 2, 3]
    assert moved.was_untouched().tolist() == [False, False, False, True]
    assert moved.cost.calls == 3


async def test_workers_bound_the_calls_under_way() -> None:
    now, most, lock = 0, 0, threading.Lock()

    def generate(prompt: str) -> str:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.01)
        with lock:
            now -= 1
        return "x"

    await texts(process(generate, workers=2), np.arange(6, dtype=np.uint64))
    assert most == 2


async def test_a_cut_keeps_what_finished_and_bills_what_was_under_way_as_uncertain() -> None:
    cut = Cut()

    async def generate(prompt: str, seed: int) -> str:
        if seed == 1:
            return "done"
        if seed == 2:
            asyncio.get_running_loop().call_soon(cut.fire, "interrupt")
        await asyncio.sleep(3600)
        return "never"

    made = process(generate, workers=2)
    moved = await made.advance(await made.start(SEEDS), SEEDS, allowance=Allowance(cut=cut))
    assert moved.states.texts == ("done", None, None, None)
    given_up = moved.was_short().sum()
    assert given_up >= 1
    assert moved.was_untouched().sum() == 3 - given_up
    assert moved.was_untouched()[3], "the third worker never came free"
    assert moved.cost == Cost(calls=1)
    assert moved.uncertain == Cost(calls=int(given_up))


async def test_states_fork_join_and_come_back_from_bytes() -> None:
    made = process(lambda prompt: "x")
    states = Answers(("a", None, "c"))
    assert made.take(states, np.array([2, 2, 0])).texts == ("c", "c", "a")
    assert made.concat([states, states]).texts == ("a", None, "c") * 2
    assert made.load(made.dump(states)) == states
    seen = await made.view(states, frozenset())
    assert [(c.content, c.final) for c in seen] == [("a", True), ("", False), ("c", True)]


async def test_answers_are_extracted() -> None:
    made = Function(generate=lambda prompt: "so it is 1,234.").build(QUESTION, Parts(answer=Numeric()))
    (seen,) = await made.view(Answers(("so it is 1,234.",)), frozenset())
    assert seen.answer == "1234"


def test_a_conversation_is_not_cut_down_to_a_prompt() -> None:
    talk = Task(prompt=(Message("system", "Be brief."), Message("user", "What is it?")))
    with pytest.raises(Incompatible, match="`messages`"):
        process(lambda prompt: "x", talk)
    process(lambda messages: "x", talk)
    process(lambda prompt: "x", Task(prompt=(Message("user", "What is it?"),)))


async def solved(method: str, budget: Budget | None = None, **parts: Any) -> Any:
    base = override(load(method), ["verifier.type=none", "answer.type=none"])
    live = Live(process=Function(generate=lambda prompt, seed: str(seed % 3)), **parts)
    async with build(base, live=live) as built:
        session = Session.open(budget=budget or built.recipe.budget)
        return await built.solver.solve(QUESTION, session)


async def test_a_whole_search_over_a_function() -> None:
    result = await solved("vote")
    assert result.answer in {"0", "1", "2"}
    assert result.cost == Cost(calls=16)
    assert await solved("vote") == result or (await solved("vote")).candidates == result.candidates
    best = await solved("best-of-n", verifier=as_verifier(lambda text: -float(text)))
    assert best.answer == min(c.content for c in best.candidates)


async def test_a_budget_of_calls_holds() -> None:
    result = await solved("vote", Budget(calls=5))
    assert result.cost.calls == 5
    assert result.stop is Stop.BUDGET
    assert result.limit == "calls"


@pytest.mark.parametrize("method", ["particle-filter", "beam"])
async def test_step_wise_methods_are_refused_before_a_call(method: str) -> None:
    with pytest.raises(Incompatible, match=r"whole ones.*'best-of-n' or 'vote'"):
        await solved(method, verifier=as_verifier(lambda text: 0.5, partial=True))


async def test_what_cannot_be_counted_is_refused_before_a_call() -> None:
    called: list[str] = []
    recipe = override(load("vote"), ["budget.tokens=100"])
    with pytest.raises(Incompatible, match=r"nobody can count.*tokens"):
        async with build(recipe, live=Live(process=Function(generate=called.append))):
            pass
    assert called == []


async def test_a_verifier_that_looks_at_more_than_text_is_refused() -> None:
    with pytest.raises(Incompatible, match=r"does not show.*mean_log_prob"):
        async with build(load("best-of-n"), live=Live(process=Function(generate=lambda prompt: "x"))):
            pass


def test_an_empty_question_is_no_task() -> None:
    from outthink.recipes import as_task

    for nothing in ("", "  \n", Task(), Task(prompt=(Message("system", "Be brief."),))):
        with pytest.raises(InputError, match="empty"):
            as_task(nothing)
    with pytest.raises(InputError, match="nothing that can be asked"):
        as_task(3)  # type: ignore[arg-type]
    assert as_task([Message("user", "Hi")]).question == "Hi"
