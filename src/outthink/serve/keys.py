"""API keys: made at random, shown once, kept as digests.

    keys = KeyFile(path)
    made = keys.create("laptop")        # made.secret is shown once and stored nowhere
    keys.holder("ot-...")               # whose it is, or None

A key has 256 random bits, so a plain SHA-256 of it cannot be turned back by guessing. The file is readable by its owner alone, and is read
again when it changes: a key that was revoked is refused by a running gateway at once.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from outthink.core.errors import SettingsError, explain
from outthink.serve.quotas import Quota

OPENING = "ot-"


class Key(msgspec.Struct, frozen=True):
    """One key as it is kept.

    Attributes:
        shown: its first characters, for people. `created` is in seconds since 1970.
        quota: what its holder may use. admin: whether it opens the dashboard and the metrics.
    """

    id: str
    name: Annotated[str, Meta(min_length=1, max_length=64)]
    digest: str
    shown: str
    created: float
    quota: Quota = Quota()
    admin: bool = False


@dataclass(frozen=True)
class MadeKey:
    """A key that was just made; `secret` is known here and nowhere else."""

    key: Key
    secret: str


def default_path() -> Path:
    """$OUTTHINK_KEYS, else a file in the user's configuration folder."""
    named = os.environ.get("OUTTHINK_KEYS")
    if named:
        return Path(named)
    folder = os.environ.get("XDG_CONFIG_HOME")
    return (Path(folder) if folder else Path.home() / ".config") / "outthink" / "keys.json"


class KeyFile:
    """The keys in one file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read: tuple[int, int] | None = None
        self._keys: tuple[Key, ...] = ()

    def list(self) -> tuple[Key, ...]:
        """Every key, oldest first. Raises `SettingsError` for a file that is damaged."""
        try:
            state = self.path.stat()
        except FileNotFoundError:
            self._read, self._keys = None, ()
            return ()
        mark = (state.st_mtime_ns, state.st_ino)
        if mark != self._read:
            try:
                self._keys = msgspec.json.decode(self.path.read_bytes(), type=tuple[Key, ...])
            except (OSError, msgspec.DecodeError, SettingsError) as error:
                raise SettingsError(
                    explain(
                        f"The file of API keys cannot be read: {error}.",
                        got=str(self.path),
                        expected="what `outthink keys create` writes",
                        remedy="Restore it, or remove it and make new keys.",
                    )
                ) from None
            self._read = mark
        return self._keys

    def create(self, name: str, *, quota: Quota | None = None, admin: bool = False) -> MadeKey:
        """A new key, written to the file. Raises `SettingsError` for a name that is taken or none."""
        keys = self.list()
        if not 1 <= len(name) <= 64 or not name.isprintable() or any(key.name == name for key in keys):
            raise SettingsError(
                explain(
                    "A key needs a name of its own.",
                    got=name,
                    expected="1 to 64 printable characters that no other key has",
                    remedy="`outthink keys list` shows those in use.",
                )
            )
        secret = OPENING + secrets.token_urlsafe(32)
        key = Key(
            secrets.token_hex(4), name, digest(secret), secret[: len(OPENING) + 4], time.time(), quota or Quota(), admin
        )
        self._write((*keys, key))
        return MadeKey(key, secret)

    def revoke(self, which: str) -> Key:
        """Remove the key of this id or name. Raises `SettingsError` when there is none."""
        keys = self.list()
        found = next((key for key in keys if which in (key.id, key.name)), None)
        if found is None:
            raise SettingsError(
                explain(
                    "There is no such key.",
                    got=which,
                    expected="the id or the name of a key",
                    remedy="`outthink keys list` shows them.",
                )
            )
        self._write(tuple(key for key in keys if key != found))
        return found

    def holder(self, secret: str) -> Key | None:
        """The key that this secret is; None where it is none. Takes the same time whichever key it is."""
        given, found = digest(secret), None
        for key in self.list():
            if hmac.compare_digest(key.digest, given):
                found = key
        return found

    def _write(self, keys: tuple[Key, ...]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Temporary files are made for their owner alone; the name changes in one step, so no reader sees half a file.
        handle, name = tempfile.mkstemp(dir=self.path.parent, prefix=".keys-")
        with os.fdopen(handle, "wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(keys)) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(self.path)
        self._read = None


def digest(secret: str) -> str:
    """What is kept of a key."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
