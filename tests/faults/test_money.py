"""Money: dated prices with sources, your own before ours, old ones said to be old, and unknown never zero."""

from __future__ import annotations

import datetime
import math
from pathlib import Path

import pytest

from outthink.core import Budget, Incompatible, Parts, SettingsError, Task
from outthink.engines.openai import Openai, OpenAIEngine, connect
from outthink.engines.prices import OLD, Listed, listed, read, shipped
from outthink.testing.openai_server import Personality
from outthink.verify import ScoringServer
from tests.faults.searching import METHODS, search

OWN = b"""
["api.openai.com"."gpt-5.4-mini"]
input = 0.1
output = 0.2
as_of = 2026-11-20
source = "our contract"
["models.example"."small"]
input = 1
output = 2
as_of = 2026-01-01
source = "our contract"
"""


@pytest.fixture(autouse=True)
def _no_own_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("OUTTHINK_PRICES", raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", "none")


def test_every_price_has_its_day_and_its_source() -> None:
    for host, models in shipped().items():
        assert "." in host
        for one in models.values():
            assert one.source.startswith("https://")
            assert datetime.date(2026, 1, 1) <= one.as_of <= datetime.date(2026, 11, 23)
            assert one.output >= one.input > (one.cached_input or 0.0)


def test_your_own_file_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = listed("api.openai.com", "gpt-5.4-mini")
    assert ours is not None
    (tmp_path / "own.toml").write_bytes(OWN)
    monkeypatch.setenv("OUTTHINK_PRICES", str(tmp_path / "own.toml"))
    own = listed("api.openai.com", "gpt-5.4-mini")
    assert own is not None
    assert (own.input, own.source) == (0.1, "our contract") != (ours.input, ours.source)
    assert listed("api.openai.com", "gpt-5.4") == shipped()["api.openai.com"]["gpt-5.4"]
    assert listed("models.example", "small") is not None
    assert listed("models.example", "large") is None
    monkeypatch.setenv("OUTTHINK_PRICES", str(tmp_path / "nowhere.toml"))
    with pytest.raises(SettingsError, match="no such file"):
        listed("api.openai.com", "gpt-5.4")


@pytest.mark.parametrize("text", [b"[x", b"[a.b]\ninput = -1", b'[a.b]\ninput = 1\noutput = 1\nsource = ""', b"\xff"])
def test_a_bad_file_is_refused_by_name(text: bytes) -> None:
    with pytest.raises(SettingsError, match="price file 'mine'"):
        read(text, "mine")


def test_a_price_of_more_than_ninety_days_ago_warns() -> None:
    one = Listed(input=1.0, output=2.0, as_of=datetime.date(2026, 8, 1), source="here")
    assert one.notice(one.as_of + OLD) == ()
    (notice,) = one.notice(one.as_of + OLD + datetime.timedelta(days=1))
    assert notice.what == "prices"
    assert "2026-08-01, 91 days old" in notice.instead
    assert "here" in notice.instead


async def opened(**settings: object) -> OpenAIEngine:
    return await connect(Openai(**{"model": "small", "probe": "never", **settings}))  # type: ignore[arg-type]


async def test_runs_say_that_a_price_is_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own.toml").write_bytes(OWN)
    monkeypatch.setenv("OUTTHINK_PRICES", str(tmp_path / "own.toml"))
    old = await opened(base_url="https://models.example/v1")
    assert [one.what for one in old.adaptations if one.what == "prices"] == ["prices"]
    given = await opened(base_url="https://models.example/v1", prices={"input": 3.0, "output": 4.0})
    assert all(one.what != "prices" for one in given.adaptations)
    for engine in (old, given):
        await engine.close()


def test_unknown_is_unknown_and_not_zero() -> None:
    done = search(METHODS["best-of-n with a judge"], prices=None)
    assert done.result is not None
    assert math.isnan(done.result.cost.money)
    with pytest.raises(Incompatible, match="what a call costs in money is not known"):
        raise search(METHODS["vote"], prices=None, budget=Budget(money=1.0)).failed or AssertionError("it went on")


def test_the_money_of_a_bill_is_its_tokens_by_their_price() -> None:
    done = search(METHODS["particle filter with a reward model"], Personality())
    counted = done.counters
    uncached = counted.input_tokens - counted.cached_input_tokens
    expected = (uncached + counted.cached_input_tokens * 0.5 + counted.output_tokens * 4.0) / 1e6
    assert done.low.money == pytest.approx(expected)


def test_a_reward_server_without_prices_is_not_free() -> None:
    assert math.isnan(ScoringServer(model="m").build(Parts()).most(Task(prompt="x")).money)
