"""A page opened in the real browser: what it shows, what stands on its console, and whom it asks for anything."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tests.needs import CHROMIUM

ITS_OWN = ("google.com", "googleapis.com", "gstatic.com", "gvt1.com")
"""Hosts that the browser asks by itself whatever page it shows; the resolver is told to find none of them."""


@dataclass(frozen=True)
class Opened:
    """The page after loading. `asked`: addresses that were asked for, the browser's own aside."""

    dom: str
    console: list[str]
    asked: list[str]


def opened(page: Path, folder: Path, width: int = 1280) -> Opened:
    """Load a file and wait until it is done."""
    assert CHROMIUM is not None
    record = folder / "requests.json"
    done = subprocess.run(
        [
            CHROMIUM,
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-extensions",
            "--no-first-run",
            "--host-resolver-rules=MAP * ~NOTFOUND",
            f"--user-data-dir={folder / 'profile'}",
            f"--window-size={width},900",
            "--enable-logging=stderr",
            f"--log-net-log={record}",
            "--dump-dom",
            page.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    asked = {
        str(event["params"]["url"])
        for event in json.loads(record.read_text())["events"]
        if isinstance(event.get("params"), dict) and "url" in event["params"]
    }
    strange = [url for url in sorted(asked) if not (urlsplit(url).hostname or "").endswith(ITS_OWN)]
    return Opened(done.stdout, re.findall(r"CONSOLE:?\(?\d*\)?\] (.*)", done.stderr), strange)
