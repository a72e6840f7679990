"""Markdown read for the tests: sections by heading, fenced blocks by language, the command tree."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import click

from tests.shape_of_code.source import ROOT

DOCS = ROOT / "docs"
HEADING = re.compile(r"^(#{1,6})\s+(.*?)\s*$", re.MULTILINE)
FENCE = re.compile(
    r"^(?P<fence>`{3,}|~{3,})(?P<info>[^\n]*)\n(?P<body>.*?)^(?P=fence)[ \t]*$", re.MULTILINE | re.DOTALL
)


def pages() -> list[Path]:
    """Every page whose examples are executed."""
    return [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]


def page_name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def without_fences(text: str) -> str:
    """The text with its fenced blocks blanked, so that a comment in an example is not taken for a heading."""
    return FENCE.sub(lambda block: "\n" * block.group().count("\n"), text)


def section(text: str, name: str) -> str | None:
    """The part of a page under the heading that is `name` (backticks allowed), down to the next heading of its level."""
    blanked = FENCE.sub(lambda block: re.sub(r"[^\n]", " ", block.group()), text)
    headings = list(HEADING.finditer(blanked))
    for index, heading in enumerate(headings):
        if heading.group(2).strip("`") == name:
            level = len(heading.group(1))
            ends = [later.start() for later in headings[index + 1 :] if len(later.group(1)) <= level]
            return text[heading.end() : ends[0] if ends else len(text)]
    return None


def reference(page: str) -> str:
    return (DOCS / "reference" / page).read_text(encoding="utf-8")


def components(kind: str) -> Mapping[str, type]:
    """The registry's tagged classes of one kind. Imported late: the other tests here need no working package."""
    registry = importlib.import_module("outthink.recipes.registry")
    found: Mapping[str, type] = registry.components(kind)
    return found


def commands() -> Iterator[tuple[str, click.Command]]:
    """Every command with its words after `outthink`, groups before their members, the root itself as ''."""
    module = importlib.import_module("outthink.cli.main")
    groups = [value for value in vars(module).values() if isinstance(value, click.Group)]
    roots = [g for g in groups if not any(g in other.commands.values() for other in groups)]
    assert len(roots) == 1, (
        f"outthink.cli.main should hold exactly one root click.Group; found {[g.name for g in roots]}"
    )
    yield from _below("", roots[0])


def _below(words: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    if command.hidden:
        return
    yield words, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            member = command.get_command(context, name)
            assert member is not None, f"{words} {name} is listed but not there"
            yield from _below(f"{words} {name}".strip(), member)
