"""What a probe found, kept on disk by server and model with its date, in the user's cache folder."""

from __future__ import annotations

import datetime
import hashlib
import os
import tempfile
from pathlib import Path

import msgspec

from outthink.core.settings import Count, Settings
from outthink.engines.openai.abilities import Abilities

MOST_DAYS = 30


class Probed(Settings):
    """One probe's result.

    Attributes:
        address, model, preset, api: what was probed, and how it was spoken to.
        date: the day of the probe, as in 2026-11-23.
        abilities: what was found; "unknown" where the replies allow no conclusion.
        notes: for each ability, the evidence in a few words.
        requests, input_tokens, output_tokens: what the probe cost; tokens as reported, or at most so many where nothing was reported.
    """

    address: str
    model: str
    preset: str
    api: str
    date: str
    abilities: Abilities
    notes: dict[str, str] = msgspec.field(default_factory=dict)
    requests: Count = 0
    input_tokens: Count = 0
    output_tokens: Count = 0

    def age_days(self, today: datetime.date | None = None) -> int:
        """How old the record is, in days."""
        return ((today or datetime.date.today()) - datetime.date.fromisoformat(self.date)).days


def folder(setting: str = "") -> Path:
    """Where records lie: the folder that was set, else `outthink/probes` in the user's cache folder."""
    if setting:
        return Path(setting).expanduser()
    base = os.environ.get("XDG_CACHE_HOME", "").strip()
    return (Path(base) if base else Path.home() / ".cache") / "outthink" / "probes"


def place(where: Path, address: str, model: str, preset: str, api: str) -> Path:
    """The file of one server and model."""
    digest = hashlib.blake2b("\n".join((address, model, preset, api)).encode(), digest_size=12).hexdigest()
    return where / f"{digest}.json"


def load(path: Path, today: datetime.date | None = None) -> Probed | None:
    """The record in a file; None when there is none, it is older than `MOST_DAYS` days, or an older version of this package wrote it."""
    try:
        record = msgspec.json.decode(path.read_bytes(), type=Probed)
        age = record.age_days(today)
    except (OSError, ValueError):
        # msgspec's errors are ValueErrors. A record that cannot be read is made again.
        return None
    return record if 0 <= age <= MOST_DAYS else None


def save(path: Path, record: Probed) -> None:
    """Write the record; a reader sees the old one or the new one, never a part. Raises `OSError`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".probe-")
    with os.fdopen(handle, "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(record), indent=2))
    Path(name).replace(path)
