"""Pipelines on scripted models: what they answer, what they ask, and that they keep a search's promises."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from itertools import permutations
from typing import Any

import pytest

from outthink.core import (
    AllFailed,
    BelowQuorum,
    Budget,
    Candidate,
    Cost,
    Cut,
    EngineError,
    Incompatible,
    Search,
    Session,
    Stop,
    Task,
    Tolerance,
)
from outthink.core.events import AnyEvent, Charged, MemberFailed, StageEnded, Warned
from outthink.core.process import Process
from outthink.core.solver import Snapshot
from outthink.core.task import Message
from outthink.engines.engine import ChatPrompt
from outthink.engines.scripted import ScriptedEngine
from outthink.engines.scripted_behaviour import Call
from outthink.engines.scripted_table import Rule, Scripted
from outthink.pipeline import (
    AskingProcess,
    Critique,
    Fuse,
    Generate,
    Inner,
    Pipeline,
    Rank,
    RunTests,
    Score,
    SideBySide,
    Solve,
    Verify,
    Vote,
    WriteTests,
    bounds,
    calls,
)
from outthink.pipeline.rehearsing import StandIn, kind_of
from outthink.recipes.build import WholeTexts
from outthink.search import BestOfN
from outthink.testing import run_virtual
from outthink.testing.verifiers import FunctionOfContent
from outthink.text.process import TextProcess
from outthink.text.settings import Text
from tests.pipeline.saying import QUESTION, Overheard, engine_saying, saying, searching, solved

SHEET = Pipeline(
    layers=(
        SideBySide(stages=(Generate(),) * 10),
        Critique(),
        Rank(keep=5),
        SideBySide(stages=(Fuse(),) * 6),
        Verify(),
        Fuse(),
    )
)
LONG = Pipeline(
    layers=(Generate(samples=4), Critique(), Rank(keep=3), Fuse(samples=2), WriteTests(), RunTests(keep=1)),
)


def shown(prompt: str) -> list[str]:
    return re.findall(r"^\[\d+\] (.*)$", prompt, re.MULTILINE)


def by_value(prompt: str) -> str:
    """An oracle that orders numbers by their size."""
    values = [int(text) for text in shown(prompt)]
    order = sorted(range(len(values)), key=lambda i: -values[i])
    return " > ".join(f"[{i + 1}]" for i in order)


def models(values: tuple[int, ...]) -> tuple[tuple[Scripted, Any], ...]:
    named = [Scripted(otherwise=str(value)) for value in values]
    return tuple((one, one.open()) for one in named)


@pytest.mark.parametrize("values", list(permutations((3, 1, 2))), ids=str)
def test_an_oracle_ranker_finds_the_best_wherever_it_stands(values: tuple[int, ...]) -> None:
    others = models(values)
    first = SideBySide(stages=tuple(Generate(engine=named) for named, _ in others))
    found = solved(searching(Pipeline(layers=(first, Rank(keep=1))), saying(by_value), others=others))
    assert found.answer == "3"


def test_a_ranker_that_likes_what_stands_first_does_not() -> None:
    answers = set()
    for values in permutations((3, 1, 2)):
        others = models(values)
        first = SideBySide(stages=tuple(Generate(engine=named) for named, _ in others))
        pipeline = Pipeline(layers=(first, Rank(keep=1)))
        answers.add(solved(searching(pipeline, saying(lambda _: "[1] > [2] > [3]"), others=others)).answer)
    assert answers > {"3"}


def test_calls_are_those_that_the_sheet_counts() -> None:
    model = StandIn()
    engine = saying(model)
    assert calls(SHEET, AskingProcess(engine, QUESTION)) == 10 + 1 + 1 + 6 + 12 + 1 == 31
    events: list[AnyEvent] = []
    found = solved(searching(SHEET, engine), events=events)
    assert model.asked.total() == len(engine.requests) == found.cost.calls == 31
    assert [e.calls for e in events if isinstance(e, StageEnded)] == [10, 1, 1, 6, 12, 1]
    assert {role: cost.calls for role, cost in found.by_role.items()} == {"generate": 10, "verify": 14, "refine": 7}
    assert found.cost == engine.counters()


@pytest.mark.parametrize("pipeline", [SHEET, LONG], ids=["sheet", "long"])
@pytest.mark.parametrize("readable", [True, False])
def test_no_run_costs_more_than_its_bound(pipeline: Pipeline, readable: bool) -> None:
    """Replies of single characters, so that a text read again has as many tokens as it was written in."""
    counting = StandIn()

    def next_token(text: str) -> Mapping[str, float]:
        from outthink.engines.scripted import END
        from outthink.engines.scripted_tokens import reply_of

        said = reply_of(text)
        whole = counting(text.removesuffix(said) if said else text) if readable else "no form at all"
        reply = whole if isinstance(whole, str) else "forty-two or three"
        return {reply[len(said)] if len(said) < len(reply) else END: 1.0}

    from outthink.engines.scripted import Behaviour, ScriptedEngine

    engine = ScriptedEngine(next_token, behaviour=Behaviour(cached=False))
    settings = Text(max_tokens=20)
    process = AskingProcess(engine, QUESTION, settings)
    most = [layer.cost for layer in bounds(pipeline, process)]
    found = solved(searching(pipeline, engine, settings=settings))
    for column in ("calls", "input_tokens", "output_tokens"):
        assert found.cost.column(column) <= sum(cost.column(column) for cost in most), column
    if not readable:
        assert found.degraded


def test_each_stage_is_written_down_with_who_came_and_who_left() -> None:
    events: list[AnyEvent] = []
    solved(searching(LONG, saying(StandIn())), events=events)
    stages = [e for e in events if isinstance(e, StageEnded)]
    assert [(e.layer, e.stage, e.came, len(e.nodes)) for e in stages] == [
        (1, "generate", 0, 4),
        (2, "critique", 4, 4),
        (3, "rank", 4, 3),
        (4, "fuse", 3, 2),
        (5, "write-tests", 2, 2),
        (6, "run-tests", 2, 1),
    ]
    assert not [e for e in events if isinstance(e, Warned)]


def test_candidates_stand_in_declared_order_not_in_the_order_of_replies() -> None:
    slow, quick = Scripted(otherwise="slow"), Scripted(otherwise="quick")
    late = saying(lambda _: "slow", call_seconds=0.05)
    first = SideBySide(stages=(Generate(engine=slow, samples=2), Generate(engine=quick)))
    found = solved(
        searching(Pipeline(layers=(first,)), saying(StandIn()), others=((slow, late), (quick, quick.open())))
    )
    assert [c.content for c in found.candidates] == ["slow", "slow", "quick"]
    assert found.answer == "slow"
    assert late.most_in_flight == 2


def test_the_same_seed_gives_the_same_answer_and_any_random_choice() -> None:
    pipeline = Pipeline(layers=(Generate(samples=6),), choose="random")
    engine = saying(lambda _: {str(i): 1 / 8 for i in range(8)})
    once, again = (solved(searching(pipeline, engine), seed=3) for _ in range(2))
    assert once.chosen == again.chosen
    assert [c.content for c in once.candidates] == [c.content for c in again.candidates]
    assert len({solved(searching(pipeline, engine), seed=seed).chosen for seed in range(20)}) > 2
    whole = solved(searching(LONG, saying(StandIn())), seed=5)
    parts = solved(searching(LONG, saying(StandIn()), max_batch=1), seed=5)
    assert [c.content for c in whole.candidates] == [c.content for c in parts.candidates]


# -- failures ----------------------------------------------------------------------------------------------------------


def failing(*kinds: str, first: int = 1000) -> Any:
    """Requests of these stages fail; the first so many of each."""
    seen = dict.fromkeys(kinds, 0)

    def fails(call: Call) -> EngineError | None:
        prompt = call.request.prompt
        kind = kind_of(str(prompt.messages[-1].content)) if isinstance(prompt, ChatPrompt) else "generate"
        if kind in seen and seen[kind] < first:
            seen[kind] += 1
            return EngineError("The backend is out of order.", status=500)
        return None

    return fails


def test_a_failed_member_leaves_the_others() -> None:
    events: list[AnyEvent] = []
    found = solved(searching(LONG, saying(StandIn(), fails=failing("generate", first=1))), events=events)
    assert found.answer == "It is 42."
    assert next(e for e in events if isinstance(e, StageEnded)).nodes.__len__() == 3
    assert [e.status for e in events if isinstance(e, MemberFailed)] == [500]
    assert "1 of 4 candidates of layer 1 were lost" in found.degraded


@pytest.mark.parametrize("kind", ["rank", "critique", "fuse", "justify", "verdict", "write-tests", "run-tests"])
def test_a_stage_that_fails_leaves_what_there_was(kind: str) -> None:
    pipeline = Pipeline(
        layers=(Generate(samples=2), Critique(), Rank(keep=0), Verify(), WriteTests(), RunTests(), Critique(), Fuse())
    )
    found = solved(searching(pipeline, saying(StandIn(), fails=failing(kind))))
    assert found.answer is not None
    assert found.degraded
    assert all(failure.status == 500 for failure in found.failures)


def test_when_all_fail_the_causes_are_told() -> None:
    with pytest.raises(AllFailed, match="out of order"):
        solved(searching(LONG, saying(StandIn(), fails=failing("generate"))))


def test_a_quorum_holds() -> None:
    search = searching(LONG, saying(StandIn(), fails=failing("generate", first=2)), tolerance=Tolerance(quorum=0.95))
    with pytest.raises(BelowQuorum, match="moves of members"):
        solved(search)


def test_an_order_that_cannot_be_read_leaves_the_order_and_is_told() -> None:
    pipeline = Pipeline(layers=(Generate(samples=3), Rank(keep=0, retries=2)))
    model = StandIn()
    engine = saying(lambda prompt: "I cannot say." if kind_of(prompt) == "rank" else model(prompt))
    found = solved(searching(pipeline, engine))
    assert [c.id for c in found.candidates] == sorted(c.id for c in found.candidates)
    assert any("orders could not be read" in said for said in found.degraded)
    assert found.by_role["verify"].calls == 3


def test_verified_ones_stay_and_where_nobody_is_all_do() -> None:
    def judged(right: str) -> Any:
        def reply(prompt: str) -> str | Mapping[str, float]:
            if kind_of(prompt) == "verdict":
                return "[Correct]" if f"Answer:\n{right}" in prompt else "[Correct] or [Incorrect]"
            return {"42": 0.5, "43": 0.5} if kind_of(prompt) == "generate" else "Looks so."

        return reply

    pipeline = Pipeline(layers=(Generate(samples=8), Verify(retries=0)))
    some = solved(searching(pipeline, saying(judged("42"))))
    assert {c.content for c in some.candidates} == {"42"}
    assert set(some.scores) == {1.0}
    nobody = solved(searching(pipeline, saying(judged("44"))))
    assert len(nobody.candidates) == 8
    assert any("nobody was verified" in said for said in nobody.degraded)


def test_tests_sort_by_what_is_passed_and_equals_keep_their_order() -> None:
    def reply(prompt: str) -> str | Mapping[str, float]:
        if kind_of(prompt) != "run-tests":
            return StandIn()(prompt) if kind_of(prompt) != "generate" else {"a": 0.4, "b": 0.4, "c": 0.2}
        passed = {"a": 1, "b": 2, "c": 0}[re.findall(r"Answer:\n(\w)", prompt)[0]]
        return "\n".join(f"[{k}] {'Passed' if k <= passed else 'Failed'}" for k in (1, 2))

    everyone = solved(
        searching(Pipeline(layers=(Generate(samples=9), WriteTests(number=2), RunTests())), saying(reply))
    )
    assert list(everyone.scores) == sorted(everyone.scores, key=lambda s: -(s or 0.0))
    for letter in "abc":
        nodes = [c.id for c in everyone.candidates if c.content == letter]
        assert nodes == sorted(nodes)
    passers = solved(
        searching(Pipeline(layers=(Generate(samples=9), WriteTests(number=2), RunTests(only="passers"))), saying(reply))
    )
    assert {c.content for c in passers.candidates} == {"b"}


def test_shown_tests_stand_with_the_question_and_nowhere_else() -> None:
    model = saying(StandIn())
    pipeline = Pipeline(layers=(WriteTests(number=1, show=True), Generate(), RunTests(), Fuse()), rules="open")
    solved(searching(pipeline, model))
    prompts = [model._text(model._prompt(request)) for request in model.requests]
    told = ["passes all of these tests" in prompt for prompt in prompts]
    assert told == [False, True, False, True]
    assert all(QUESTION.question in prompt for prompt in prompts)


# -- budgets, time, resuming ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", range(1, 15))
def test_no_budget_is_passed_and_the_best_so_far_comes_back(limit: int) -> None:
    engine = saying(StandIn())
    found = solved(searching(LONG, engine), budget=Budget(calls=limit))
    assert found.cost.calls <= limit
    assert found.overshoot == {}
    whole = 4 + 1 + 1 + 2 + 1 + 2
    assert (found.stop is Stop.DONE) == (limit >= whole)
    assert found.answer is not None


def test_a_budget_of_tokens_ends_it_as_well() -> None:
    for tokens in (1, 40, 600, 1500, 3000):
        found = solved(searching(LONG, saying(StandIn())), budget=Budget(tokens=tokens))
        assert found.cost.tokens <= tokens
        assert found.stop is Stop.BUDGET or found.answer == "It is 42."


BRIEF: dict[str, Any] = {"max_tokens": 8, "retries": 0}
JUDGES: dict[str, tuple[Any, ...]] = {
    "nobody": (),
    "verify": (Verify(**BRIEF),),
    "verify, fuse": (Verify(**BRIEF), Fuse()),
    "write-tests, run-tests": (WriteTests(**BRIEF), RunTests(**BRIEF)),
}


@pytest.mark.parametrize("judges", JUDGES)
def test_a_cap_of_tokens_anywhere_is_held_and_told_and_leaves_someone_judged(judges: str) -> None:
    settings, layers = Text(max_tokens=8), JUDGES[judges]
    pipeline = Pipeline(layers=(Generate(samples=20), *layers))
    cost = solved(searching(pipeline, saying(StandIn()), settings=settings)).cost.tokens
    one = AskingProcess(saying(StandIn()), QUESTION, settings)
    alone = Pipeline(layers=(Generate(), *(layer for layer in layers if not isinstance(layer, Fuse))))
    enough = sum(layer.cost.tokens for layer in bounds(alone, one))
    assert enough < cost or not layers
    for cap in [*range(1, cost, max(1, cost // 40)), 3 * cost]:
        model = StandIn()
        engine = engine_saying(Overheard, model)
        found = solved(searching(pipeline, engine, settings=settings), budget=Budget(tokens=cap))
        assert found.cost.tokens <= cap
        assert (found.overshoot, found.cost) == ({}, engine.counters())
        assert (found.limit == "tokens") == (found.stop is Stop.BUDGET)
        assert (found.answer is None) == (not any(reply in ("42", "43", "It is 42.") for _, reply in engine.heard))
        judged = model.asked["verdict"] + model.asked["run-tests"]
        assert judged or cap < enough or not layers, f"a cap of {cap} ends before anyone is judged"
        assert model.asked["justify"] == model.asked["verdict"]
    assert found.stop is Stop.DONE


def test_a_reply_that_a_cap_cuts_short_is_told_as_the_budgets_end() -> None:
    stops = {}
    for cap in range(1, 40):
        settings = Text(max_tokens=8, least_tokens=1)
        search = searching(Pipeline(layers=(Generate(),)), saying(lambda _: "one"), settings=settings)
        found = solved(search, budget=Budget(tokens=cap))
        stops[found.cost.tokens] = (found.stop, found.limit, found.answer)
    assert list(stops.values()) == [(Stop.BUDGET, "tokens", None)] * (len(stops) - 1) + [(Stop.DONE, "", "one")]
    assert len(stops) == 3, "nothing fits, the reply is cut short, it is whole"


def snapshots(search: Search, **how: Any) -> tuple[Any, list[bytes]]:
    taken: list[bytes] = []

    def keep(snapshot: Snapshot) -> None:
        taken.append(snapshot.dump())

    return solved(search, on_step=keep, **how), taken


def test_it_resumes_after_any_layer_with_the_same_result() -> None:
    whole, taken = snapshots(searching(SHEET, saying(StandIn())), seed=7)
    assert len(taken) == 6
    for data in taken:
        again = solved(searching(SHEET, saying(StandIn())), seed=7, resume=data)
        assert [c.content for c in again.candidates] == [c.content for c in whole.candidates]
        assert again.by_role == whole.by_role
        assert again.cost == whole.cost


def test_time_ends_it_with_the_last_complete_layer() -> None:
    found = solved(
        searching(Pipeline(layers=(Generate(samples=2), Rank(), Fuse())), saying(StandIn(), call_seconds=0.2)),
        budget=Budget(seconds=0.3),
    )
    assert found.stop is Stop.BUDGET
    assert found.limit == "seconds"
    assert found.answer in ("42", "43")


@pytest.mark.parametrize(("seconds", "finished"), [(0.15, 1), (0.25, 2), (0.35, 3)])
def test_a_cut_inside_a_layer_keeps_what_has_finished(seconds: float, finished: int) -> None:
    one_at_a_time = saying(StandIn(), call_seconds=0.1, slots=1)
    found = solved(searching(LONG, one_at_a_time), budget=Budget(seconds=seconds))
    assert found.limit == "seconds"
    assert len(found.candidates) == finished
    assert found.answer in ("42", "43")
    assert f"{4 - finished} of 4 candidates of layer 1 were lost" in found.degraded


@pytest.mark.parametrize(
    ("limit", "drawn", "judged"), [(3, 1, 1), (4, 2, 1), (5, 3, 1), (6, 4, 1), (7, 4, 1), (8, 4, 2)]
)
def test_nobody_is_examined_without_room_for_the_verdict(limit: int, drawn: int, judged: int) -> None:
    """And a layer that makes candidates leaves room for judging one of them."""
    model, taken = StandIn(), []
    search = searching(Pipeline(layers=(Generate(samples=4), Verify())), saying(model))
    found = solved(search, budget=Budget(calls=limit), on_step=lambda s: taken.append(s.dump()))
    assert (found.stop, found.limit) == (Stop.BUDGET, "calls")
    assert model.asked == {"generate": drawn, "justify": judged, "verdict": judged}
    assert len(found.candidates) == drawn
    assert found.scores.count(1.0) == judged
    again = solved(search, budget=Budget(calls=12), resume=taken[-1])
    assert (again.scores, again.cost.calls) == ((1.0,) * drawn, 3 * drawn)
    assert model.asked == {"generate": drawn, "justify": drawn, "verdict": drawn}, "nobody is examined or judged twice"


def test_the_answer_of_a_budget_that_judges_some_is_one_that_was_found_correct() -> None:
    def reply(prompt: str) -> str | Mapping[str, float]:
        if kind_of(prompt) == "verdict":
            return "[Correct]" if "Answer:\n43" in prompt else "[Incorrect]"
        return StandIn()(prompt)

    pipeline = Pipeline(layers=(Generate(samples=4), Verify()))
    whole = solved(searching(pipeline, saying(reply)), seed=2)
    drawn = [
        c.content for c in solved(searching(Pipeline(layers=(Generate(samples=4),)), saying(reply)), seed=2).candidates
    ]
    assert drawn[0] == "42"
    assert drawn.count("43") == len(whole.candidates) > 0
    for judged in range(1, 4):
        found = solved(searching(pipeline, saying(reply)), seed=2, budget=Budget(calls=4 + 2 * judged))
        right = drawn.index("43") < judged
        assert found.scores[found.chosen or 0] == (1.0 if right else None), (
            "nobody that was found wrong before the others"
        )
    # A layer that comes after it goes on with those that were judged.
    behind = Pipeline(layers=(Generate(samples=4), Verify(), Vote()), rules="open")
    found = solved(searching(behind, saying(reply)), seed=2, budget=Budget(calls=4 + 2 * 3))
    assert (found.stop, found.limit) == (Stop.BUDGET, "calls")
    assert {c.content for c in found.candidates} == {"43" if "43" in drawn[:3] else "42"}


def test_what_was_examined_is_kept_where_there_is_no_time_for_a_verdict() -> None:
    model, taken = StandIn(), []
    search = searching(Pipeline(layers=(Generate(samples=4), Verify())), saying(model, call_seconds=0.1))
    events: list[AnyEvent] = []
    found = solved(search, budget=Budget(seconds=0.25), events=events, on_step=lambda s: taken.append(s.dump()))
    assert (found.stop, found.limit, len(found.candidates)) == (Stop.BUDGET, "seconds", 4)
    assert "4 of 4 candidates were examined" in next(e.note for e in events[::-1] if isinstance(e, StageEnded))
    again = solved(search, resume=taken[-1])
    assert (again.stop, again.scores) == (Stop.DONE, (1.0,) * 4)
    assert model.asked["justify"] == 4, "nobody is examined twice"


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 7])
def test_who_is_drawn_for_a_verifier_is_drawn_with_its_share(limit: int) -> None:
    """As in a search: what cannot be judged is not drawn, but an answer that nobody has judged is better than none."""
    engine, exact = saying(StandIn()), FunctionOfContent(lambda text: float(text == "43"))
    pipeline = Pipeline(layers=(Generate(samples=8), Score(keep=0)))
    found = solved(searching(pipeline, engine, verifier=exact), budget=Budget(verifier_calls=limit))
    assert found.cost.calls == found.cost.verifier_calls == limit
    assert None not in found.scores

    class Dear(FunctionOfContent):
        def most(self, task: Task) -> Cost:
            return Cost(verifier_calls=1, calls=5)

    unjudged = solved(searching(pipeline, saying(StandIn()), verifier=Dear(lambda _: 1.0)), budget=Budget(calls=limit))
    assert unjudged.answer is not None
    assert (unjudged.scores.count(None) == 0) == (limit > 5)


def test_examinations_that_fail_for_nothing_do_not_go_round_for_ever() -> None:
    pipeline = Pipeline(layers=(Generate(samples=2), Verify()))
    engine = saying(StandIn(), fails=failing("justify", first=1))
    found = solved(searching(pipeline, engine, max_steps=20), budget=Budget(calls=3))
    assert (found.stop, found.limit) == (Stop.BUDGET, "calls")
    assert found.steps < 5


@pytest.mark.parametrize("layer", [Rank(keep=0), Critique(), WriteTests(), Verify()], ids=lambda layer: layer.name())
def test_a_cut_before_anyone_was_heard_leaves_the_layer_undone(layer: Any) -> None:
    """Replies that time kept away are no replies that cannot be read."""
    pipeline = Pipeline(layers=(Generate(samples=2), layer, Fuse()), rules="open")
    found = solved(searching(pipeline, saying(StandIn(), call_seconds=0.1)), budget=Budget(seconds=0.15))
    assert (found.stop, found.limit, found.steps, found.degraded) == (Stop.BUDGET, "seconds", 1, ())


def test_an_interrupt_instead_of_a_second_try_is_told() -> None:
    cut, model = Cut(), StandIn()

    def interrupt(event: AnyEvent) -> None:
        """When the reply has arrived."""
        if isinstance(event, Charged) and event.role == "verify":
            cut.fire("interrupt")

    engine = saying(lambda prompt: "I cannot say." if kind_of(prompt) == "rank" else model(prompt))
    search = searching(Pipeline(layers=(Generate(samples=2), Rank(retries=3))), engine)

    async def work() -> Any:
        return await search.solve(QUESTION, Session.open(seed=0, cut=cut, sinks=[interrupt]))

    found = run_virtual(work())
    assert (found.stop, found.limit) == (Stop.INTERRUPTED, "interrupt")
    assert any("orders could not be read" in said for said in found.degraded)


# -- choosing without asking, and searches inside ---------------------------------------------------------------------


def test_a_vote_takes_the_first_of_those_with_the_answer_of_most() -> None:
    engine = saying(lambda _: {"42": 0.8, "43": 0.2})
    pipeline = Pipeline(layers=(Generate(samples=25), Vote()))
    found = solved(searching(pipeline, engine, equivalence=WholeTexts()), seed=2)
    drawn = solved(searching(Pipeline(layers=(Generate(samples=25),)), engine), seed=2)
    forty_two = [c.id for c in drawn.candidates if c.content == "42"]
    assert found.answer == "42"
    assert found.candidates[0].id == forty_two[0]
    assert found.agreement == len(forty_two) / 25
    # Without an answer nobody votes, and that is told.
    silent = solved(searching(pipeline, engine), seed=2)
    assert len(silent.candidates) == 25
    assert any("nobody has an answer" in said for said in silent.degraded)


def test_an_exact_verifier_may_sort() -> None:
    verifier = FunctionOfContent(lambda text: float(text == "43"))
    pipeline = Pipeline(layers=(Generate(samples=8), Score(keep=1, least=0.5)))
    found = solved(searching(pipeline, saying(StandIn()), verifier=verifier))
    assert found.answer == "43"
    assert found.cost.verifier_calls == 8


def test_who_has_no_score_comes_last_and_that_is_told() -> None:
    verifier = FunctionOfContent(lambda text: float("nan") if text == "42" else 0.5)
    pipeline = Pipeline(layers=(Generate(samples=8), Score(keep=0)))
    found = solved(searching(pipeline, saying(StandIn()), verifier=verifier))
    contents = [candidate.content for candidate in found.candidates]
    assert contents == sorted(contents, reverse=True)
    assert f"score: {contents.count('42')} of 8 candidates have no score; they come last" in found.degraded


def test_a_search_may_be_a_stage() -> None:
    engine = saying(lambda prompt: StandIn()(prompt))
    verifier = FunctionOfContent(lambda text: float(text == "43"))

    def make(task: Task) -> Process[Any]:
        return TextProcess(engine, task)

    inner = Inner(Search(make, BestOfN(n=6), verifier), Budget(calls=5))
    layer = SideBySide(stages=(Generate(), Solve(recipe="best-of-n"), Solve(recipe="best-of-n", take="all")))
    found = solved(searching(Pipeline(layers=(layer,)), engine, solvers=(inner, inner)), budget=Budget(calls=40))
    assert found.candidates[1].content == "43"
    assert len(found.candidates) == 1 + 1 + 5
    assert found.cost.calls == 1 + 5 + 5
    assert found.by_role["generate"].calls == 11
    assert "solve: 1 of 6 members unfinished" in found.degraded, "what the searches inside had to do without is told"


class Talking(TextProcess):
    """Shows conversations: those that end in "43" came to something."""

    async def view(self, states: Any, wants: frozenset[str]) -> list[Candidate]:
        seen = await super().view(states, wants)
        said = [(one, (Message("assistant", one.content),)) for one in seen]
        return [
            Candidate(
                content=talk, kind="transcript", answer=one.content if one.content == "43" else None, final=one.final
            )
            for one, talk in said
        ]


def test_a_search_whose_candidates_are_no_text_gives_its_answers_in_words() -> None:
    engine = saying(StandIn())
    inner = Inner(Search(lambda task: Talking(engine, task), BestOfN(n=8), FunctionOfContent(lambda _: 0.5)))
    found = solved(
        searching(Pipeline(layers=(Solve(recipe="best-of-n", take="all"), Vote())), engine, solvers=(inner,))
    )
    assert {candidate.content for candidate in found.candidates} == {"43"}
    assert any("have no text, and no answer in words" in said for said in found.degraded)


async def test_a_search_inside_ends_when_what_stands_beside_it_breaks() -> None:
    cancelled = asyncio.Event()

    class Endless(Search):
        async def solve(self, *_: Any, **__: Any) -> Any:
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.set()

    class Unpriced(ScriptedEngine):
        def most(self, requests: Any) -> Any:
            raise Incompatible("no price")

    engine = Unpriced(StandIn().next_token)
    inner = Inner(Endless(lambda task: TextProcess(engine, task), BestOfN(n=1), FunctionOfContent(lambda _: 0.5)))
    layer = SideBySide(stages=(Generate(), Solve(recipe="vote")))
    search = searching(Pipeline(layers=(layer,)), engine, solvers=(inner,))
    async with asyncio.timeout(5):
        with pytest.raises(Incompatible, match="no price"):
            await search.solve(QUESTION, Session.open())
    assert cancelled.is_set()


def test_earlier_turns_are_told_to_every_stage() -> None:
    task = Task(
        prompt=(
            Message("system", "Be brief."),
            Message("user", "Hello"),
            Message("assistant", "Hi"),
            Message("user", "6*7?"),
        )
    )
    engine = saying(StandIn())
    solved(searching(Pipeline(layers=(Generate(samples=2), Rank())), engine), task)
    prompt = engine._text(engine._prompt(engine.requests[-1]))
    assert "Hello" in prompt
    assert "6*7?" in prompt
    assert "Be brief." not in prompt


def test_rules_of_a_scripted_table_are_settings_of_a_stage() -> None:
    table = Scripted(rules=(Rule(pattern="6 times 7", replies=("42",)),))
    found = solved(
        searching(Pipeline(layers=(Generate(engine=table),)), saying(StandIn()), others=((table, table.open()),))
    )
    assert found.answer == "42"
