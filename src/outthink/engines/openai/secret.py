"""Keys: read from the environment or a keyring, held in a wrapper that shows nothing, and taken out of every message."""

from __future__ import annotations

import importlib
import os

from outthink.core.errors import EngineError, explain

HIDDEN = "[key]"


class Secret:
    """A key that does not show itself: not in `repr`, `str` or a format, and it cannot be stored."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def __repr__(self) -> str:
        return "Secret(...)" if self._value else "Secret(none)"

    def __bool__(self) -> bool:
        return bool(self._value)

    def __reduce__(self) -> str:
        raise TypeError("A key is not copied or stored.")

    def scrub(self, text: str) -> str:
        """The text with the key taken out wherever it occurs."""
        value = self._value
        return text.replace(value, HIDDEN) if value else text

    def headers(self) -> dict[str, str]:
        """The header that carries it, for the moment of sending only; none without a key."""
        return {"authorization": f"Bearer {self._value}"} if self._value else {}


def find_key(key_env: str, keyring: str, host: str) -> Secret:
    """The key for a host: the environment variable `key_env` first, then the keyring's service `keyring`; empty where neither is named.

    Raises `EngineError` when one is named and holds nothing, or nothing that can be sent.
    """
    if key_env and (value := os.environ.get(key_env, "").strip()):
        return _sendable(value, host)
    if keyring:
        value = _from_keyring(keyring, host)
        if value:
            return _sendable(value, host)
    if not key_env and not keyring:
        return Secret("")
    places = [f"the environment variable {key_env}"] * bool(key_env) + [f"the keyring's service {keyring}"] * bool(
        keyring
    )
    raise EngineError(
        explain(
            f"There is no key for {host}.",
            got="nothing",
            expected="a key in " + " or in ".join(places),
            remedy=f"Set {key_env}." if key_env else f"Store one: keyring set {keyring} {host}",
        )
    )


def _sendable(value: str, host: str) -> Secret:
    if value.isprintable():
        return Secret(value)
    raise EngineError(
        explain(
            f"The key for {host} cannot be sent.",
            got="one with a line break or a control character",
            expected="one line of text",
            remedy="Set it anew, without what surrounds it.",
        )
    )


def _from_keyring(service: str, host: str) -> str:
    try:
        ring = importlib.import_module("keyring")
    except ModuleNotFoundError:
        raise EngineError(
            explain(
                "The key is to come from a keyring, and no keyring library is installed.",
                got=service,
                expected="the package keyring",
                remedy="pip install 'outthink[keyring]', or use key_env.",
            )
        ) from None
    return str(ring.get_password(service, host) or "").strip()
