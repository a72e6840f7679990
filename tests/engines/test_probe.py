"""The probe against servers whose truth is scripted: what it says is what they do, whatever their status codes say."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pytest

from outthink.core import EngineError, Message
from outthink.core.settings import replace
from outthink.engines import ChatPrompt, Continuation, Generation, Request
from outthink.engines.openai import Abilities, Openai, connect
from outthink.engines.probe import Probed, ProbeLimits, forget, probe, recorded
from outthink.engines.probe_record import folder, load, place, save
from outthink.testing.openai_server import Fault, OpenAIServer, Personality, first

ABLE: dict[str, Any] = {
    "system": "yes",
    "n": "yes",
    "seeds": "yes",
    "log_probs": "yes",
    "log_prob_law": "raw",
    "most_log_probs": 20,
    "stop": "yes",
    "tells_stop": "yes",
    "usage": "yes",
    "stream": "yes",
    "stream_usage": "yes",
    "limits": "yes",
    "completion": "yes",
    "prefix": "continue-final-message",
    "prefix_echo": False,
    "schema": "yes",
}
NO_LOG_PROBS = {"log_probs": "no", "log_prob_law": "unknown", "most_log_probs": None}
PERSONALITIES: dict[str, tuple[Personality, dict[str, Any]]] = {
    "able": (Personality(), {}),
    "n ignored": (Personality(n="ignored"), {"n": "no"}),
    "n refused": (Personality(n="refused"), {"n": "no"}),
    "no log-probabilities": (Personality(log_probs="ignored"), NO_LOG_PROBS),
    "log-probabilities refused": (Personality(log_probs="refused"), NO_LOG_PROBS),
    "log-probabilities capped": (Personality(most_log_probs=5), {"most_log_probs": 5}),
    "log-probabilities processed": (Personality(log_prob_law="processed"), {"log_prob_law": "processed"}),
    "seed ignored": (Personality(seed="ignored"), {"seeds": "no"}),
    "seed refused": (Personality(seed="refused"), {"seeds": "no"}),
    "restarts a prefix": (Personality(prefix=()), {"prefix": "none", "prefix_echo": None}),
    "refuses a prefix": (Personality(prefix=(), other_prefix="refused"), {"prefix": "none", "prefix_echo": None}),
    "trailing message": (Personality(prefix=("trailing",)), {}),
    "prefix flag": (Personality(prefix=("prefix-flag",)), {"prefix": "prefix-flag"}),
    "repeats the prefix": (Personality(prefix_echo=True), {"prefix_echo": True}),
    "no raw text": (Personality(completions="refused"), {"completion": "no"}),
    "raw text restarts": (Personality(completions="ignored"), {"completion": "no"}),
    "stop ignored": (Personality(stop="ignored"), {"stop": "no", "tells_stop": "unknown"}),
    "stop refused": (Personality(stop="refused"), {"stop": "no", "tells_stop": "unknown"}),
    "stop not named": (Personality(tells_stop=False), {"tells_stop": "no"}),
    "system refused": (Personality(system="refused"), {"system": "no"}),
    "system dropped": (Personality(system="ignored"), {"system": "no"}),
    "usage missing": (Personality(usage="missing"), {"usage": "no", "stream_usage": "no", "system": "unknown"}),
    "usage missing in streams": (Personality(usage="no-stream"), {"stream_usage": "no"}),
    "usage wrong": (Personality(usage="wrong"), {"usage": "no"}),
    "limits ignored": (Personality(limits="ignored"), {"limits": "no"}),
    "no stream": (Personality(stream="ignored"), {"stream": "no", "stream_usage": "unknown"}),
    "stream refused": (Personality(stream="refused"), {"stream": "no", "stream_usage": "unknown"}),
    "schema ignored": (Personality(schema="ignored"), {"schema": "no"}),
    "window told": (Personality(context=4096), {"context": 4096}),
}


def settings_for(server: OpenAIServer, **fields: Any) -> Openai:
    return Openai(**{"model": server.model, "base_url": server.base_url, "backoff_seconds": 0.01, **fields})


@pytest.mark.parametrize("name", PERSONALITIES)
async def test_the_record_is_the_truth(name: str) -> None:
    personality, differs = PERSONALITIES[name]
    async with OpenAIServer(personality=personality) as server:
        record = await probe(settings_for(server))
        assert record.abilities == Abilities(**{**ABLE, **differs}), record.notes
        assert record.requests == server.counters.requests <= ProbeLimits().requests
        if personality.usage == "yes":
            assert record.input_tokens == server.counters.input_tokens
            assert record.output_tokens == server.counters.output_tokens


@pytest.mark.parametrize("seed", ["yes", "ignored"])
@pytest.mark.parametrize("most", [20, 5])
@pytest.mark.parametrize("n", ["yes", "ignored"])
async def test_every_combination_of_three_quirks(seed: Any, most: int, n: Any) -> None:
    async with OpenAIServer(personality=Personality(seed=seed, most_log_probs=most, n=n)) as server:
        found = (await probe(settings_for(server))).abilities
        truth = {"yes": "yes", "ignored": "no"}
        assert (found.seeds, found.most_log_probs, found.n) == (truth[seed], most, truth[n])


async def test_a_status_proves_nothing() -> None:
    """Every field is accepted with status 200; a probe that looks at the status would call this server able."""
    lazy = Personality(
        n="ignored", seed="ignored", log_probs="ignored", stop="ignored", schema="ignored", prefix=(), completions="ignored"
    )  # fmt: skip
    async with OpenAIServer(personality=lazy) as server:
        found = (await probe(settings_for(server))).abilities
        assert set(server.counters.statuses) == {200}
        assert {found.n, found.seeds, found.log_probs, found.stop, found.schema, found.completion} == {"no"}
        assert found.prefix == "none"


@pytest.mark.parametrize("name", PERSONALITIES)
async def test_engines_do_on_each_server_what_the_record_promises(name: str, tmp_path: Path) -> None:
    """Eight whole samples on every one; a continued prefix and an exact stop on every one that says it continues."""
    personality, _ = PERSONALITIES[name]
    question = (Message("system", "Be brief."), Message("user", "What number comes after 41?"))
    async with OpenAIServer(personality=personality) as server:
        engine = await connect(settings_for(server, cache=str(tmp_path)))
        whole = await engine.generate([Request(ChatPrompt(question), seed=i, max_tokens=40) for i in range(8)])
        assert [r.text for r in whole if isinstance(r, Generation)] == ["The number after 41 is 42"] * 8
        ways = engine.capabilities.continuations
        continues = Continuation.ASSISTANT_PREFIX in ways
        assert continues == (personality.prefix != ())
        if continues:
            begun = ChatPrompt(question, prefix="The number")
            (step,) = await engine.generate([Request(begun, seed=1, max_tokens=40, stop=(" is",))])
            assert isinstance(step, Generation)
            assert (step.text, step.stop_text) == (" after 41", " is")
        counted = server.counters
        low, more = engine.counters(), engine.uncertain()
        paid = counted.output_tokens - (await recorded(settings_for(server, cache=str(tmp_path)))).output_tokens
        if personality.usage == "yes":
            assert low.output_tokens <= paid <= low.output_tokens + more.output_tokens
        await engine.close()


# -- limits, cache, errors ------------------------------------------------------------------------------------------


async def test_the_probe_keeps_to_its_limit() -> None:
    async with OpenAIServer() as server:
        record = await probe(settings_for(server), ProbeLimits(requests=4))
        assert record.requests == server.counters.requests == 4
        assert record.abilities.limits == "yes"
        assert record.abilities.seeds == record.abilities.n == record.abilities.prefix == "unknown"
        assert "limit" in record.notes


async def test_faults_on_the_way_are_tried_again() -> None:
    async with OpenAIServer(personality=Personality(faults=first(2, Fault("status", status=503)))) as server:
        record = await probe(settings_for(server))
        assert record.abilities == Abilities(**ABLE)
        assert record.requests == server.counters.requests


async def test_records_are_kept_and_forgotten(tmp_path: Path) -> None:
    async with OpenAIServer() as server:
        settings = settings_for(server, cache=str(tmp_path))
        one = await recorded(settings)
        assert await recorded(settings) == one
        assert server.counters.requests == one.requests, "the second comes from the cache"
        assert one.date == datetime.date.today().isoformat()
        await recorded(replace(settings, probe="always"))
        assert server.counters.requests == 2 * one.requests
        await recorded(replace(settings, api="responses"))
        assert server.counters.requests > 2 * one.requests, "another interface is another record"
        assert forget(settings)
        assert not forget(settings)


def test_old_and_broken_records_are_not_used(tmp_path: Path) -> None:
    path = place(tmp_path, "http://x", "m", "generic", "chat")
    record = Probed(
        address="http://x", model="m", preset="generic", api="chat", date="2026-01-01", abilities=Abilities()
    )
    save(path, record)
    assert load(path, datetime.date(2026, 1, 31)) == record
    assert load(path, datetime.date(2026, 2, 1)) is None
    assert load(path, datetime.date(2025, 12, 31)) is None
    path.write_text("{")
    assert load(path) is None
    assert load(tmp_path / "nothing.json") is None
    assert [p.name for p in tmp_path.iterdir()] == [path.name], "nothing is left behind by writing"


def test_where_records_lie(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "somewhere")
    assert folder() == Path("somewhere/outthink/probes")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert folder() == Path.home() / ".cache/outthink/probes"
    assert folder("elsewhere") == Path("elsewhere")


async def test_servers_that_cannot_be_probed() -> None:
    async with OpenAIServer(personality=Personality(key="k")) as server:
        with pytest.raises(EngineError) as refused:
            await probe(settings_for(server))
        assert refused.value.status == 401
        gone = settings_for(server)
    with pytest.raises(EngineError, match="cannot be reached"):
        await probe(gone)


async def test_what_is_stated_wins_over_what_was_found(tmp_path: Path) -> None:
    async with OpenAIServer() as server:
        engine = await connect(settings_for(server, cache=str(tmp_path), assume=Abilities(seeds="no")))
        assert not engine.capabilities.seeds
        assert engine.capabilities.log_probs
        await engine.close()
