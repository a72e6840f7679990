"""The package read as text: its modules, their syntax trees and what they import. Nothing here runs the package."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src"
PACKAGE = "outthink"


@dataclass(frozen=True)
class Module:
    """One source file. `name` is dotted; a package stands under its own name, without `__init__`."""

    path: Path
    name: str

    @property
    def tree(self) -> ast.Module:
        return ast.parse(self.path.read_text(encoding="utf-8"), filename=str(self.path))

    @property
    def is_package(self) -> bool:
        return self.path.name == "__init__.py"

    @property
    def part(self) -> str:
        """The folder (or file) right under the package: `search` of `outthink.search.beam`, '' for the package itself."""
        pieces = self.name.split(".")
        return pieces[1] if len(pieces) > 1 else ""

    @property
    def where(self) -> str:
        return str(self.path.relative_to(ROOT))


@cache
def modules() -> tuple[Module, ...]:
    return tuple(
        Module(path, ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__"))
        for path in sorted((SOURCE / PACKAGE).rglob("*.py"))
    )


def packages() -> list[Module]:
    return [module for module in modules() if module.is_package]


def imports(module: Module) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything the module imports, wherever the import stands.

    `from a import b` counts as `a.b`, because b may be a module; relative imports are made absolute; a constant handed
    to `import_module` or `__import__` counts too.
    """
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = from_base(module, node)
            for alias in node.names:
                yield node.lineno, f"{base}.{alias.name}"
        elif isinstance(node, ast.Call) and called_name(node) in {"import_module", "__import__"} and node.args:
            first = node.args[0]
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield node.lineno, first.value


def from_base(module: Module, node: ast.ImportFrom) -> str:
    """The absolute module of `from ... import`."""
    if node.level == 0:
        return node.module or ""
    pieces = module.name.split(".")
    if not module.is_package:
        pieces = pieces[:-1]
    pieces = pieces[: len(pieces) - (node.level - 1)]
    return ".".join([*pieces, *([node.module] if node.module else [])])


def called_name(node: ast.Call) -> str:
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else ""


@cache
def project_files() -> tuple[Path, ...]:
    """Every file that is, or is about to be, under version control."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    return tuple(path for name in listed.split("\0") if name and (path := ROOT / name).is_file())
