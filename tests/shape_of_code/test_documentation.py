"""Every example in README.md and docs/ is executed, and the site builds."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.needs import NEEDS, need
from tests.shape_of_code.documentation import page_name, pages
from tests.shape_of_code.examples import Page
from tests.shape_of_code.source import ROOT


@pytest.mark.parametrize("path", [pytest.param(path, id=page_name(path)) for path in pages()])
def test_examples_run(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    need(*Page(path, tmp_path).run())


@pytest.mark.parametrize(
    "block",
    [
        "```python\nassert 1 == 2\n```",
        "```python\nimport asyncio\nawait asyncio.sleep(0)\nraise ValueError\n```",
        "```bash\nfalse\n```",
        "```console\n$ outthink no-such-command\n```",
        "```bash\nmake no-such-target\n```",
        "```bash\npip install 'outthink[no-such-extra]'\n```",
        "```toml\nn = = 1\n```",
        "```cobol\nDISPLAY 'x'.\n```",
    ],
)
def test_a_broken_example_fails(block: str, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"# Page\n\n{block}\n")
    with pytest.raises((AssertionError, ValueError)):
        Page(page, tmp_path).run()


def test_marks_above_a_block_are_honoured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(NEEDS, "local-model", lambda: "it is gone")
    page = tmp_path / "page.md"
    page.write_text(
        "<!-- needs: local-model -->\n```python\nraise ValueError\n```\n\n"
        "<!-- file: a.toml -->\n```toml\nn = 1\n```\n\n```bash\ngrep -q 'n = 1' a.toml\n```\n"
    )
    example = Page(page, tmp_path)
    assert example.run() == ["local-model"]
    assert example.ran == 2


def test_the_site_builds_without_a_network(tmp_path: Path) -> None:
    """A dead link, a page without a place in the navigation or a call to the network fails the build."""
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    shutil.copy(ROOT / "zensical.toml", tmp_path)
    nowhere = dict.fromkeys(["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"], "http://127.0.0.1:9")
    done = subprocess.run(
        [Path(sys.executable).with_name("zensical"), "build", "--strict"],
        cwd=tmp_path,
        env={**os.environ, **nowhere},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "build" / "site" / "index.html").exists()
