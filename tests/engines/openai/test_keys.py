"""Keys go to the server and nowhere else."""

from __future__ import annotations

import logging
import pickle
import sys
import types

import msgspec
import pytest

from outthink.core import EngineError, Failure, Message
from outthink.engines import ChatPrompt, Generation, Request
from outthink.engines.openai import Openai, connect
from outthink.engines.openai.secret import Secret, find_key
from outthink.testing.openai_server import Fault, Personality, every
from tests.engines.openai.conftest import pair
from tests.needs import need

KEY = "sk-very-secret-0123456789"
HELLO = Request(ChatPrompt((Message("user", "hello"),)), seed=1, max_tokens=4)


async def test_the_key_reaches_the_server_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    caplog.set_level(logging.DEBUG)
    async with pair(Personality(key=KEY), key_env="MY_KEY") as both:
        (reply,) = await both.engine.generate([HELLO])
        assert isinstance(reply, Generation)
        assert both.server.headers[0]["authorization"] == f"Bearer {KEY}"
        seen = [
            repr(both.engine),
            repr(vars(both.engine)),
            both.engine.name,
            repr(reply),
            repr(both.engine.most([HELLO])),
        ]
        seen += [repr(vars(value)) for value in vars(both.engine).values() if hasattr(value, "__dict__")]
        assert not [text for text in seen if KEY in text]
    assert KEY not in caplog.text
    settings = Openai(model="m", key_env="MY_KEY")
    assert KEY not in repr(settings)
    assert KEY.encode() not in msgspec.json.encode(settings)


@pytest.mark.parametrize("kind", ["status", "error-body"])
async def test_a_server_that_repeats_the_key_cannot_make_us_print_it(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    fault = Fault(kind, status=401, text=f"Incorrect key: {KEY}")  # type: ignore[arg-type]
    async with pair(Personality(key=KEY, faults=every(1, fault)), key_env="MY_KEY") as both:
        (failure,) = await both.engine.generate([HELLO])
        assert isinstance(failure, Failure)
        assert failure.status == 401
        assert "Incorrect key: [key]" in failure.message
        assert KEY not in repr(failure)


async def test_a_wrong_key_is_a_refusal() -> None:
    async with pair(Personality(key=KEY)) as both:
        (failure,) = await both.engine.generate([HELLO])
        assert isinstance(failure, Failure)
        assert failure.status == 401
        assert both.server.counters.calls == 0


def test_a_secret_keeps_itself() -> None:
    secret = Secret(KEY)
    assert KEY not in f"{secret} {secret!r}"
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    assert secret
    assert not Secret("")


def test_where_keys_come_from(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not find_key("", "", "h")
    assert find_key("", "", "h").headers() == {}
    with pytest.raises(EngineError, match="NO_SUCH_KEY"):
        find_key("NO_SUCH_KEY", "", "h")
    ring = types.ModuleType("keyring")
    ring.get_password = lambda service, user: f"{service}/{user}" if user == "h" else None  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "keyring", ring)
    assert find_key("", "outthink", "h").headers() == {"authorization": "Bearer outthink/h"}
    with pytest.raises(EngineError, match="outthink"):
        find_key("", "outthink", "elsewhere")
    monkeypatch.setenv("MY_KEY", f"{KEY}\nexport OTHER=1")
    with pytest.raises(EngineError, match="one line") as refused:
        find_key("MY_KEY", "", "h")
    assert KEY not in str(refused.value)
    monkeypatch.setenv("MY_KEY", KEY)
    assert find_key("MY_KEY", "outthink", "h").headers() == {"authorization": f"Bearer {KEY}"}


async def test_a_presets_key_is_not_sent_to_another_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    async with pair(preset="openai") as both:
        await both.engine.generate([HELLO])
        assert "authorization" not in both.server.headers[0]
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(EngineError, match="OPENAI_API_KEY"):
        await connect(Openai(model="m", preset="openai", probe="never"))


async def test_a_key_from_a_real_keyring_goes_to_the_server_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    need("keyring")
    import keyring
    from keyring.backend import KeyringBackend

    class InMemory(KeyringBackend):
        """A backend of the library, as those of the desktops are, that forgets everything at the end."""

        priority = 1.0  # type: ignore[assignment]

        def __init__(self) -> None:
            super().__init__()
            self.kept: dict[tuple[str, str], str] = {}

        def get_password(self, service: str, username: str) -> str | None:
            return self.kept.get((service, username))

        def set_password(self, service: str, username: str, password: str) -> None:
            self.kept[(service, username)] = password

        def delete_password(self, service: str, username: str) -> None:
            del self.kept[(service, username)]

    before = keyring.get_keyring()
    keyring.set_keyring(InMemory())
    try:
        keyring.set_password("outthink", "127.0.0.1", KEY)
        caplog.set_level(logging.DEBUG)
        async with pair(Personality(key=KEY), keyring="outthink") as both:
            (reply,) = await both.engine.generate([HELLO])
            assert isinstance(reply, Generation)
            assert both.server.headers[0]["authorization"] == f"Bearer {KEY}"
            seen = [repr(vars(both.engine)), repr(reply), *(repr(v) for v in vars(both.engine).values())]
            assert not [text for text in seen if KEY in text]
        assert KEY not in caplog.text
        # Another host's key is not this one's, and none is made up.
        with pytest.raises(EngineError, match="keyring set outthink elsewhere") as refused:
            find_key("", "outthink", "elsewhere")
        assert KEY not in str(refused.value)
        keyring.delete_password("outthink", "127.0.0.1")
        with pytest.raises(EngineError, match="There is no key for"):
            find_key("", "outthink", "127.0.0.1")
    finally:
        keyring.set_keyring(before)
