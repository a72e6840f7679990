"""Where runs are stored: `--store`, else the environment variable OUTTHINK_STORE, else a file in the user's data folder.

A store is named by a URL (`postgresql://host/database`, `sqlite:///path`) or by the path of a SQLite file.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

VARIABLE = "OUTTHINK_STORE"
FILE = "runs.sqlite"


def data_folder(environment: Mapping[str, str] | None = None, platform: str = sys.platform) -> Path:
    """The user's folder for data of this package, by the platform's own rule; it may not exist yet."""
    known = os.environ if environment is None else environment
    if platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    elif platform == "win32":
        base = Path(known.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    else:
        given = known.get("XDG_DATA_HOME", "")
        base = Path(given) if Path(given).is_absolute() else Path.home() / ".local" / "share"
    return base / "outthink"


def store_url(given: str | Path | None = None, environment: Mapping[str, str] | None = None) -> str:
    """The URL of the store that was asked for, or of the default one."""
    known = os.environ if environment is None else environment
    named = str(given or known.get(VARIABLE) or data_folder(known) / FILE)
    if "://" not in named:
        return f"sqlite:///{Path(named).expanduser().absolute()}"
    for short in ("postgresql://", "postgres://"):
        if named.startswith(short):
            return "postgresql+psycopg://" + named.removeprefix(short)
    return named
