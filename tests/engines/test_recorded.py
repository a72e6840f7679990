"""Recordings replay bit for bit without a model, misses are named, equal requests stay several samples, a cache pays once."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from outthink.core import Budget, Cost, EngineClosed, EngineError, Failure, InputError, Message, Result, Session
from outthink.core.process import Adaptation
from outthink.engines import (
    ChatPrompt,
    Choice,
    Continued,
    Engine,
    Generation,
    Request,
    Sampling,
    ScoresContinuations,
    StopReason,
    TextPrompt,
    Tokenizing,
    TokenPrompt,
)
from outthink.engines.cached import cached
from outthink.engines.cassette import Cassette
from outthink.engines.paid_failure import PaidFailure
from outthink.engines.recorded import NotRecorded, Recorded, recorded
from outthink.engines.recording import RecordingEngine, recording
from outthink.engines.reply_codec import (
    decode_continued,
    decode_costs,
    decode_generation,
    encode_continued,
    encode_costs,
    encode_generation,
)
from outthink.engines.request_key import describe, request_key
from outthink.engines.scripted import Behaviour, Call, ScriptedEngine
from outthink.testing.contracts import EngineContract
from tests.store.words import TASK, filtered, script, scripted, voted

ASK = Request(TextPrompt("x:"), seed=7, max_tokens=3)


async def solve(engine: Engine, *, seed: int = 0, budget: Budget | None = None) -> Result:
    session = Session.open(seed=seed, budget=budget, name="run")
    return await filtered(engine).solve(TASK, session)


def same(one: Result, two: Result) -> bool:
    return replace_seconds(one).to_json() == replace_seconds(two).to_json()


def replace_seconds(result: Result) -> Result:
    return msgspec.structs.replace(result, seconds=0.0)


class TestRecordingKeepsTheContract(EngineContract):
    @pytest.fixture
    def engine(self, tmp_path: Path) -> Any:
        behaviour = Behaviour(token_seconds=0.005, context=100)
        words = [" more", " words", " here"]
        inside = ScriptedEngine(lambda text: dict.fromkeys(words, 1 / 3), behaviour=behaviour)
        return recording(inside, Cassette.append(tmp_path / "run.jsonl"))


class TestCachedKeepsTheContract(EngineContract):
    @pytest.fixture
    def engine(self, tmp_path: Path) -> Any:
        behaviour = Behaviour(token_seconds=0.005, context=100)
        words = [" more", " words", " here"]
        inside = ScriptedEngine(lambda text: dict.fromkeys(words, 1 / 3), behaviour=behaviour)
        return cached(inside, tmp_path / "cache.jsonl")


@pytest.mark.parametrize("warm", [False, True])
async def test_a_recorded_run_replays_bit_for_bit_without_the_engine(tmp_path: Path, warm: bool) -> None:
    path, budget = tmp_path / "run.jsonl", Budget(tokens=180)
    inside = scripted(cached=warm)
    engine = recording(inside, Cassette.append(path))
    first = await solve(engine, budget=budget)
    await engine.close()

    again = recorded(path)
    assert same(await solve(again, budget=budget), first)
    assert again.counters() == inside.counters()
    assert again.name == inside.name
    assert again.capabilities == inside.capabilities
    await again.close()


async def test_a_miss_names_the_request_and_spends_nothing(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    engine = recording(scripted(), Cassette.append(path))
    await solve(engine)
    await engine.close()
    again = recorded(path)
    with pytest.raises(NotRecorded, match=r"letters:.*seed \d+.*--record"):
        await solve(again, seed=1)
    assert again.counters() == Cost()
    with pytest.raises(NotRecorded, match="sample 0") as caught:
        await again.generate([ASK])
    assert request_key(again.name, ASK) in str(caught.value)
    await again.close()
    with pytest.raises(EngineClosed):
        await again.generate([ASK])


async def test_equal_requests_stay_several_samples(tmp_path: Path) -> None:
    """An engine that ignores seeds answers the same request differently each time."""
    path = tmp_path / "run.jsonl"
    drawn = iter("abcdefgh")
    inside = ScriptedEngine(lambda text: {next(drawn): 1.0}, behaviour=Behaviour(cached=False))
    engine = recording(inside, Cassette.append(path))
    ask = replace(ASK, max_tokens=1)
    said = [one.text for one in await engine.generate([ask] * 3) if isinstance(one, Generation)]
    said += [one.text for one in await engine.generate([ask]) if isinstance(one, Generation)]
    assert said == list("abcd")
    await engine.close()
    again = recorded(path)
    replayed = [one.text for one in await again.generate([ask] * 4) if isinstance(one, Generation)]
    assert replayed == said
    with pytest.raises(NotRecorded, match="sample 4, which it holds 4 times"):
        await again.generate([ask])
    await again.close()


async def test_a_cache_pays_once(tmp_path: Path) -> None:
    path = tmp_path / "cache.jsonl"
    first_inside, second_inside = scripted(), scripted()
    first = cached(first_inside, path)
    one = await solve(first)
    await first.close()
    second = cached(second_inside, path)
    two = await solve(second)
    await second.close()
    assert (one.answer, one.scores, one.weights) == (two.answer, two.scores, two.weights)
    assert one.cost.calls > 0
    assert (two.cost.tokens, two.cost.calls) == (0, 0)
    assert second_inside.requests == []
    assert second_inside.counters() == Cost()
    assert len(first_inside.requests) == second.served

    third_inside = scripted()
    third = cached(third_inside, path)
    three = await solve(third, seed=3)
    await third.close()
    assert len(third_inside.requests) == three.cost.calls > 0


async def test_failures_are_replayed_by_a_recording_and_asked_again_by_a_cache(tmp_path: Path) -> None:
    def fails(call: Call) -> EngineError | None:
        return EngineError("no such thing", status=400) if call.request.seed % 2 else None

    def failing() -> ScriptedEngine:
        return ScriptedEngine(script, behaviour=Behaviour(fails=fails))

    asks = [replace(ASK, seed=seed) for seed in range(4)]
    engine = recording(failing(), Cassette.append(tmp_path / "run.jsonl"))
    got = await engine.generate(asks)
    await engine.close()
    again = recorded(tmp_path / "run.jsonl")
    assert await again.generate(asks) == got
    assert [isinstance(one, Failure) and one.status for one in got] == [False, 400, False, 400]
    await again.close()

    kept = cached(failing(), tmp_path / "cache.jsonl")
    await kept.generate(asks)
    await kept.close()
    healed = scripted(name="scripted")
    second = cached(healed, tmp_path / "cache.jsonl")
    assert not [one for one in await second.generate(asks) if isinstance(one, Failure)]
    assert [request.seed for request in healed.requests] == [1, 3]
    await second.close()


async def test_tokenizer_and_ratings_replay(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    inside = scripted()
    engine = recording(inside, Cassette.append(path))
    assert isinstance(engine, Tokenizing)
    assert isinstance(engine, ScoresContinuations)
    messages = [Message("user", "ab")]

    async def everything(engine: Any) -> list[Any]:
        tokens = engine.tokenizer.encode("abc")
        prompt = TokenPrompt(engine.tokenizer.encode("x:"))
        return [
            tokens,
            engine.tokenizer.decode(tokens),
            engine.tokenizer.chat(messages, prefix="a"),
            engine.tokenizer.end_tokens,
            await engine.log_probs([(prompt, tokens), (prompt, ())]),
        ]

    seen = await everything(engine)
    await engine.close()
    again = recorded(path)
    assert await everything(again) == seen
    assert isinstance(again, Tokenizing)
    with pytest.raises(NotRecorded, match="unheard of"):
        again.tokenizer.encode("unheard of")
    await again.close()


class Plain(Engine):
    """An engine without a tokenizer or ratings."""

    def __init__(self) -> None:
        self.inside = scripted()

    name = "plain"

    @property
    def capabilities(self) -> Any:
        return self.inside.capabilities

    def most(self, requests: Any) -> Any:
        return self.inside.most(requests)

    async def generate(self, requests: Any, *, cut: Any = None) -> Any:
        return await self.inside.generate(requests, cut=cut)

    def counters(self) -> Cost:
        return self.inside.counters()

    async def close(self) -> None:
        await self.inside.close()


async def test_no_capability_is_made_up(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    engine = recording(Plain(), Cassette.append(path))
    await engine.generate([ASK])
    assert not isinstance(engine, Tokenizing)
    assert not isinstance(engine, ScoresContinuations)
    await engine.close()
    again = recorded(path)
    assert type(again).__mro__[0].__name__ == "RecordedEngine"
    assert not isinstance(again, Tokenizing)
    assert not isinstance(again, ScoresContinuations)
    await again.close()


class Adapting(Plain):
    adaptations = (Adaptation("seeds", "none are sent"),)


async def test_what_an_engine_does_in_another_way_is_recorded_with_it(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    engine = recording(Adapting(), Cassette.append(path))
    await engine.generate([ASK])
    await engine.close()
    again = recorded(path)
    assert again.adaptations == engine.adaptations == Adapting.adaptations
    await again.close()


async def test_a_recording_that_was_cut_off_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    engine = recording(scripted(), Cassette.append(path))
    whole = await solve(engine)
    await engine.close()
    text = path.read_bytes()
    path.write_bytes(text[: len(text) * 2 // 3])

    inside = scripted()
    rest = recording(inside, Cassette.append(path))
    assert same(await solve(rest), whole)
    assert 0 < len(inside.requests) < whole.cost.calls
    await rest.close()
    again = recorded(path)
    assert same(await solve(again), whole)
    await again.close()


def test_damage_and_absence_are_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no recording here"):
        Cassette.read(tmp_path / "none.jsonl")
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"kind": "generate"}\n')
    with pytest.raises(InputError, match="Line 1"):
        Cassette.read(bad)
    empty = tmp_path / "empty.jsonl"
    empty.touch()
    with pytest.raises(InputError, match="exactly one engine"):
        recorded(empty)


async def test_a_recipe_may_name_a_recording(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    engine = recording(scripted(), Cassette.append(path))
    first = await voted(engine).solve(TASK, Session.open(name="run"))
    await engine.close()
    replayed = Recorded(path=str(path)).open()
    assert same(await voted(replayed).solve(TASK, Session.open(name="run")), first)
    await replayed.close()


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 8},
        {"max_tokens": 4},
        {"prompt": TextPrompt("x: ")},
        {"prompt": ChatPrompt((Message("user", "x:"),))},
        {"sampling": Sampling(temperature=0.5)},
        {"stop": ("\n",)},
        {"constraint": Choice(options=("a",))},
        {"wants": frozenset({"log_probs"})},
    ],
)
def test_all_that_a_reply_depends_on_is_in_the_key(change: dict[str, Any]) -> None:
    assert request_key("e", replace(ASK, **change)) != request_key("e", ASK)
    assert describe(replace(ASK, **change))


def test_who_asks_and_what_is_billed_is_not_in_the_key() -> None:
    assert request_key("e", replace(ASK, owner="me", max_uncached=3)) == request_key("e", ASK)
    assert request_key("f", ASK) != request_key("e", ASK)


def test_replies_keep_every_bit() -> None:
    full = Generation(
        text="",
        stop=StopReason.STOP,
        cost=Cost(input_tokens=3, output_tokens=2, calls=1, money=math.nan),
        tokens=(1, 2),
        log_probs=(-0.1 - 0.2, -math.inf),
        stop_text="\n",
        hidden=np.array([0.1, np.nan], np.float32),
        reasoning="hm",
        estimated=True,
        uncertain=Cost(output_tokens=5),
    )
    full = replace(full, text="a\0 数学")
    got = decode_generation(encode_generation(full))
    assert isinstance(got, Generation)
    assert got.hidden is not None
    assert full.hidden is not None
    assert got.hidden.tobytes() == full.hidden.tobytes()
    assert math.isnan(got.cost.money)
    plain = {"hidden": None, "cost": Cost()}
    assert replace(got, **plain) == replace(full, **plain)
    paid = PaidFailure("E", "m", None, False, Cost(calls=1), Cost(output_tokens=9))
    for reply in (Generation("", StopReason.CANCELLED, Cost()), Failure("E", "m", 500, True), paid):
        assert decode_generation(encode_generation(reply)) == reply
    for rated in (Continued((-1.5, -math.inf), Cost(calls=1)), Failure("E", "m")):
        assert decode_continued(encode_continued(rated)) == rated
    assert decode_costs(encode_costs([Cost(), Cost(calls=2)])) == [Cost(), Cost(calls=2)]


async def test_what_is_served_is_counted(tmp_path: Path) -> None:
    log = Cassette.append(tmp_path / "run.jsonl")
    engine = recording(scripted(), log)
    assert isinstance(engine, RecordingEngine)
    await engine.generate([ASK, replace(ASK, seed=9)])
    assert (engine.served, engine.sent) == (0, 2)
    log.rewind()
    await engine.generate([ASK, replace(ASK, seed=10)])
    assert (engine.served, engine.sent) == (1, 3)
    assert engine.counters().calls == 4
    await engine.close()


async def test_requests_that_share_nothing_are_kept_one_by_one(tmp_path: Path) -> None:
    """Prices tell: where equal prompts are computed once, the list stays one call, so that the engine can share."""
    for cached_prefixes, sizes in ((False, [1, 1, 1]), (True, [3])):
        inside = scripted(cached=cached_prefixes)
        engine = recording(inside, Cassette.append(tmp_path / f"{cached_prefixes}.jsonl"))
        got = await engine.generate([replace(ASK, seed=seed) for seed in range(3)])
        assert inside.sizes == sizes
        again = scripted(cached=cached_prefixes)
        assert [one.text for one in got if isinstance(one, Generation)] == [
            one.text
            for one in await again.generate([replace(ASK, seed=seed) for seed in range(3)])
            if isinstance(one, Generation)
        ]
        await engine.close()


async def test_a_price_that_was_refused_is_refused_again(tmp_path: Path) -> None:
    """One request among several that cannot be served: recorded and replayed with its reason, the others with their prices."""
    engine = ScriptedEngine(lambda text: {"a": 1.0}, behaviour=Behaviour(context=20))
    requests = [replace(ASK, prompt=TextPrompt("short")), replace(ASK, prompt=TextPrompt("long " * 20))]
    with Cassette.append(tmp_path / "prices.jsonl") as cassette:
        before = recording(engine, cassette).most(requests)
    assert isinstance(before[0], Cost)
    assert isinstance(before[1], Failure)
    again = recorded(tmp_path / "prices.jsonl")
    assert again.most(requests) == before
    await again.close()
