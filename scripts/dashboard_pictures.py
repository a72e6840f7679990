"""Makes the pictures of the dashboard in docs/pictures: solves some runs with the laboratory models and looks at them in Chromium.

    python scripts/dashboard_pictures.py [FOLDER]

Needs `outthink[dev,local,diffusion]`, Chromium, and a font that is pleasant to read (Debian's fonts-inter).
"""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import sync_playwright

COLOURS = 96
OUTTHINK = Path(sys.executable).with_name("outthink")
COUNTDOWN = "9 25 11 2 -> 41"
ORACLE = ["--verifier", "laboratory-oracle"]
BY_VOTE = ["--method", "laboratory", "--set", "algorithm.type=vote", "--n", "24", "--verifier", "none"]
RUNS: tuple[list[str], ...] = (
    ["run", "12+7*3-5", "--method", "laboratory", "--n", "16", "--budget", "tokens=2000"],
    ["run", "3 5 7 -> 22", "--method", "laboratory", "--set", "algorithm.type=beam", "--n", "8", *ORACLE],
    ["run", "91-8*9+7*4-3", *BY_VOTE],
    ["run", COUNTDOWN, "--method", "laboratory", "--set", "algorithm.type=best-of-n", "--n", "32", *ORACLE],
    ["run", "4 21 15 22 -> 24", "--method", "laboratory", "--set", "algorithm.type=best-first", *ORACLE],
    ["run", "14*6-29+8*5", "--method", "laboratory", "--n", "16", "--budget", "tokens=300"],
    ["steer", "--reward", "class:3", "--method", "particle-filter", "--seed", "1", "--budget", "640"],
    ["run", "4 21 15 22 -> 24", "--method", "laboratory", "--n", "8", "--seed", "3", *ORACLE],
    ["run", "37-4*8+6*7", *BY_VOTE, "--budget", "tokens=4000"],
    [
        "run",
        "4 21 15 22 -> 24",
        "--method",
        "laboratory",
        "--set",
        "algorithm.type=tree",
        "--n",
        "16",
        "--budget",
        "tokens=1000",
        *ORACLE,
    ],
)
IMAGES, VOTE, TREE = 6, 8, 9


def solved(store: Path, folder: Path) -> list[str]:
    """The names of the runs."""
    names = []
    for words in RUNS:
        more = ["--out", str(folder / "steered")] if words[0] == "steer" else []
        done = subprocess.run(
            [OUTTHINK, *words, *more, "--store", str(store)], capture_output=True, text=True, check=False
        )
        named = re.search(r"stored as (\S+)", done.stderr)
        if named is None:
            sys.exit(done.stderr)
        names.append(named.group(1))
    return names


def keep(data: bytes, path: Path) -> None:
    """A picture in few colours: an eighth of the size, and no eye sees it."""
    with Image.open(io.BytesIO(data)) as whole:
        whole.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)


def shot(
    browser: Any, address: str, path: Path, *, wide: int, tall: int, scheme: str, part: str = "", ready: str = "main"
) -> None:
    """One picture, of the window or of one part of the page."""
    dense = 2 if wide < 500 else 1
    how = {"viewport": {"width": wide, "height": tall}, "color_scheme": scheme, "device_scale_factor": dense}
    context = browser.new_context(**how)
    page = context.new_page()
    page.goto(address)
    page.wait_for_selector(ready)
    page.wait_for_timeout(2500)  # pictures, and movements that end
    if part == "#what-if":
        page.focus("#samples")
        for _ in range(14):
            page.keyboard.press("ArrowLeft")
        page.evaluate("document.activeElement.blur()")
    if wide < 500 and "runs/" in address:
        page.locator("#search").evaluate("one => window.scrollTo(0, one.offsetTop - 66)")
        page.wait_for_timeout(300)
    keep(page.locator(part).screenshot() if part else page.screenshot(), path)
    context.close()


def main() -> None:
    """Make them all."""
    pictures = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/pictures")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        store = folder / "runs.sqlite"
        names = solved(store, folder)
        command = [OUTTHINK, "ui", "--port", "0", "--store", str(store)]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=dict(os.environ)) as server:
            assert server.stderr is not None
            base = next(found.group(1) for line in server.stderr if (found := re.search(r"(http://\S+/ui/)", line)))
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
                tree, vote, images = (f"{base}runs/{names[i]}" for i in (TREE, VOTE, IMAGES))
                wide: dict[str, Any] = {"wide": 1280, "tall": 860}
                phone: dict[str, Any] = {"wide": 390, "tall": 844}
                drawn = {"ready": "#drawing .chosen"}
                shot(browser, base, pictures / "dashboard-runs.png", scheme="light", **wide)
                shot(browser, tree, pictures / "dashboard-tree.png", scheme="light", **wide, **drawn)
                shot(
                    browser,
                    images,
                    pictures / "dashboard-images-dark.png",
                    scheme="dark",
                    part="#search",
                    **wide,
                    **drawn,
                )
                shot(
                    browser,
                    vote,
                    pictures / "dashboard-what-if.png",
                    scheme="light",
                    part="#what-if",
                    ready="#what-answer .said",
                    **wide,
                )
                shot(browser, tree, pictures / "dashboard-phone.png", scheme="light", **phone, **drawn)
                shot(browser, base, pictures / "dashboard-phone-dark.png", scheme="dark", **phone)
                browser.close()
            server.terminate()


if __name__ == "__main__":
    main()
