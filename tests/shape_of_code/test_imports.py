"""Who may import whom. A lazy import inside a function counts like any other: the direction is about knowledge, not time."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.shape_of_code.source import Module, imports, modules

# The folders that each folder may name directly; what those may import is allowed as well.
_BELOW_RECIPES = (
    "replay",
    "search",
    "text",
    "agent",
    "diffusion",
    "laboratory",
    "engines",
    "verify",
    "store",
    "testing",
)
DIRECT: dict[str, tuple[str, ...]] = {
    "numerics": (),
    "core": ("numerics",),
    "search": ("core",),
    "engines": ("core",),
    "store": ("core",),
    "verify": ("engines",),
    "text": ("engines", "verify"),
    "agent": ("engines", "verify"),
    "diffusion": ("engines", "verify"),
    "laboratory": ("engines", "verify"),
    "testing": ("core", "engines"),
    "replay": ("core", "search", "verify", "store"),
    "pipeline": _BELOW_RECIPES,
    "recipes": ("pipeline", *_BELOW_RECIPES),
    "bench": ("recipes",),
    "tune": ("bench",),
    "train": ("bench",),
    "dash": ("core", "store", "replay"),
    "serve": ("recipes", "dash"),
    "demo": ("bench", "tune", "train"),
    "cli": ("demo", "serve", "bench", "tune", "train"),
}
TORCH_HOMES = (
    "outthink.diffusion",
    "outthink.train",
    "outthink.verify.neural",
    "outthink.engines.torch",
    "outthink.tune.with_botorch",
)
TORCH = {"torch", "torchvision", "torchaudio", "transformers", "diffusers"}
PICKLES = {"pickle", "_pickle", "cPickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"}


def allowed(part: str) -> set[str]:
    """The folders that `part` may import, itself included."""
    reached: set[str] = set()
    waiting = [part]
    while waiting:
        one = waiting.pop()
        if one not in reached:
            reached.add(one)
            waiting.extend(DIRECT[one])
    return reached


def parts_imported(module: Module) -> list[tuple[int, str]]:
    """Line and folder for each import of another part of the package; the bare package stands as ''."""
    found = []
    for line, name in imports(module):
        pieces = name.split(".")
        if pieces[0] == "outthink":
            found.append((line, pieces[1] if len(pieces) > 1 else ""))
    return found


def is_facade(module: Module) -> bool:
    """The package itself and the single files beside it, which put the parts together for `import outthink`."""
    return module.part not in DIRECT and (module.name == "outthink" or module.path.parent.name != module.part)


def broken_directions(module: Module) -> list[str]:
    if is_facade(module):
        return [
            f"{module.where}:{line}: the package's own door imports {part!r}, which stands above it"
            for line, part in parts_imported(module)
            if part in {"cli", "demo", "serve", "dash"}
        ]
    reach = allowed(module.part)
    return [
        f"{module.where}:{line}: {module.part!r} imports {part or 'the package itself'!r}; it may import {sorted(reach)}"
        for line, part in parts_imported(module)
        if part not in reach
    ]


def outside(module: Module, banned: set[str]) -> list[str]:
    return [f"{module.where}:{line}: {name}" for line, name in imports(module) if name.split(".")[0] in banned]


def test_every_folder_has_a_place_in_the_direction() -> None:
    folders = {module.part for module in modules() if module.is_package and module.part}
    assert folders <= set(DIRECT), f"say in DIRECT what these may import: {sorted(folders - set(DIRECT))}"


def test_the_direction_has_no_cycle() -> None:
    for part, direct in DIRECT.items():
        for below in direct:
            assert part not in allowed(below), f"{part} and {below} could import each other"


def test_imports_follow_the_direction() -> None:
    broken = [line for module in modules() for line in broken_directions(module)]
    assert not broken, "\n".join(broken)


def test_torch_stays_in_its_four_places() -> None:
    homeless = [
        line
        for module in modules()
        if not any(module.name == home or module.name.startswith(home + ".") for home in TORCH_HOMES)
        for line in outside(module, TORCH)
    ]
    assert not homeless, "\n".join(homeless)


def test_nothing_is_pickled() -> None:
    found = [line for module in modules() for line in outside(module, PICKLES)]
    found += [
        f"{module.where}:{node.lineno}: allow_pickle"
        for module in modules()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.keyword)
        and node.arg == "allow_pickle"
        and not (isinstance(node.value, ast.Constant) and node.value.value is False)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("part", "line"),
    [
        ("search", "from outthink.text import TextProcess"),
        ("search", "def late():\n    import outthink.engines.local"),
        ("core", "from ..verify.exact import Exact"),
        ("text", "import importlib\nimportlib.import_module('outthink.search.beam')"),
        ("numerics", "from outthink import core"),
        ("engines", "import outthink"),
    ],
)
def test_a_wrong_import_is_noticed(part: str, line: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "outthink" / part / "wrong.py"
    path.parent.mkdir(parents=True)
    path.write_text(line)
    monkeypatch.setattr("tests.shape_of_code.source.ROOT", tmp_path)
    assert broken_directions(Module(path, f"outthink.{part}.wrong"))
