"""Runs the examples of one page in order, in one temporary folder and one Python namespace.

Languages: `python` runs here (top-level `await` allowed). `bash` and `console` run `outthink ...` with the script of this
environment and must exit with 0; in `console` the lines after `$` are commands and the rest is output, which is not
compared. Commands in `ONLY_HELP` install something or run for minutes: they are run with `--help`, which shows that they
exist. `make TARGET` must exist in the Makefile and `pip install outthink[EXTRA]` in pyproject.toml; neither is run.
`toml` and `json` must parse. `text` is prose. Any other language fails, so that nothing escapes.

Comments on the line above a block: `<!-- needs: local-model -->`, or another name of tests/needs.py, leaves the block out
where that is lacking; `<!-- file: NAME -->` writes the block into the folder for the examples after it.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

from sybil import Document, Example, Region
from sybil.parsers.markdown.lexers import FencedCodeBlockLexer

from tests.needs import NEEDS
from tests.shape_of_code.source import ROOT

COMMENT = re.compile(r"<!--\s*(needs|file):\s*([\w./-]+)\s*-->\s*\Z")
LANGUAGES = r"[^\n`]*"
ONLY_HELP = re.compile(r"^(outthink (?:demo|models install|serve|tune countdown|ui))\b.*$", re.MULTILINE)
TIMEOUT_SECONDS = 120


class Page:
    """One Markdown page as a sybil document; `run` executes its examples and returns the needs of those that were left out."""

    def __init__(self, path: Path, folder: Path) -> None:
        self.folder = folder
        self.left_out: list[str] = []
        self.ran = 0
        self.document = Document.parse(str(path), self._regions)
        self.document.namespace["__name__"] = "__main__"

    def run(self) -> list[str]:
        for example in self.document.examples():
            example.evaluate()
        return self.left_out

    def _regions(self, document: Document) -> list[Region]:
        lexer = FencedCodeBlockLexer(LANGUAGES)
        return [
            Region(
                block.start,
                block.end,
                (block.lexemes["language"].strip(), str(block.lexemes["source"])),
                self._evaluate,
            )
            for block in lexer(document)
        ]

    def _evaluate(self, example: Example) -> None:
        language, source = example.parsed
        where = f"{example.path}:{example.line}"
        comments = dict(comment_above(example))
        if "file" in comments:
            (self.folder / comments["file"]).write_text(source, encoding="utf-8")
        if (needed := comments.get("needs")) and NEEDS[needed]():
            self.left_out.append(needed)
            return
        self.ran += 1
        if language == "python":
            run_python(source, example)
        elif language in {"bash", "console"}:
            run_shell(source, language, where, self.folder)
        elif language == "toml":
            tomllib.loads(source)
        elif language == "json":
            json.loads(source)
        else:
            assert language == "text", (
                f"{where}: no way to check {language!r}; use python, bash, console, toml, json or text"
            )


def comment_above(example: Example) -> list[tuple[str, str]]:
    """The marks right above a block, nearest first; several may stand on lines of their own."""
    before = example.document.text[: example.start].rstrip()
    marks = []
    while mark := COMMENT.search(before):
        marks.append((mark.group(1), mark.group(2)))
        before = before[: mark.start()].rstrip()
    return marks


def run_python(source: str, example: Example) -> None:
    padded = "\n" * example.line + source  # so that a traceback shows the page's own line numbers
    code = compile(padded, example.path, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    if code.co_flags & inspect.CO_COROUTINE:
        asyncio.run(eval(code, example.namespace))
    else:
        exec(code, example.namespace)


def run_shell(source: str, language: str, where: str, folder: Path) -> None:
    if language == "console":
        source = "\n".join(line[2:] for line in source.splitlines() if line.startswith("$ "))
        assert source, f"{where}: a console block shows commands after '$ '"
    kept = "\n".join(line for line in source.splitlines() if not checked_only(line, where))
    runnable = ONLY_HELP.sub(r"\1 --help", kept)
    if not runnable.strip():
        return
    script = Path(sys.executable).with_name("outthink")
    assert script.exists() or "outthink" not in runnable, (
        f"{script} is not installed; run `make test`, which installs the package"
    )
    environment = {**os.environ, "PATH": f"{script.parent}{os.pathsep}{os.environ['PATH']}", "NO_COLOR": "1"}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", runnable],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"{where}: exit status {done.returncode}\n{runnable}\n{done.stdout}\n{done.stderr}"


def checked_only(line: str, where: str) -> bool:
    """Whether this line is one that would install or build something: then its names are checked and it is not run."""
    words = shlex.split(line, comments=True) if line.startswith(("make", "pip ", "git clone")) else []
    if not words:
        return False
    if words[0] == "make":
        makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
        for target in [word for word in words[1:] if "=" not in word]:
            assert re.search(rf"^{re.escape(target)}:", makefile, re.MULTILINE), f"{where}: no `make {target}`"
    if words[0] == "pip":
        extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
            "optional-dependencies"
        ]
        for named in re.findall(r"outthink\[([\w,-]+)\]", line):
            assert set(named.split(",")) <= set(extras), f"{where}: pyproject.toml has no such extra: {named}"
    return True
