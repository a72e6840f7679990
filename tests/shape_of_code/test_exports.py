"""Each package lists what it exports, and everything listed says what it is for."""

from __future__ import annotations

import ast
import importlib
import inspect

import pytest

from tests.needs import need
from tests.shape_of_code.source import PACKAGE, Module, from_base, packages

OPTIONAL = {name: name for name in ("botorch", "diffusers", "ray", "torch", "transformers")} | {
    "starlette": "serve",
    "uvicorn": "serve",
}
"""Packages that a module may ask for where it is imported, and the need that each belongs to."""
PACKAGES = [pytest.param(module, id=module.name) for module in packages()]


def listed(module: Module) -> list[str]:
    for node in module.tree.body:
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        if any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets):
            assert node.value is not None
            return list(ast.literal_eval(node.value))
    raise AssertionError(f"{module.where} has no __all__")


def visible(module: Module) -> set[str]:
    """Public names that the file itself defines or takes from elsewhere in this package, type-checking imports included."""
    names: set[str] = set()
    conditional = [inner for node in module.tree.body if isinstance(node, ast.If) for inner in node.body]
    for node in [*module.tree.body, *conditional]:
        if isinstance(node, ast.ImportFrom) and from_base(module, node).split(".")[0] == PACKAGE:
            names |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
    return {name for name in names if not name.startswith("_")}


def load(module: Module) -> object:
    try:
        return importlib.import_module(module.name)
    except ModuleNotFoundError as error:
        if error.name in OPTIONAL:
            need(OPTIONAL[error.name])
        raise


def says_nothing(name: str, value: object) -> bool:
    """Whether a class or function lacks a docstring of its own; plain values cannot carry one."""
    if not (inspect.isclass(value) or inspect.isroutine(value)):
        return False
    documentation = value.__doc__
    return not documentation or documentation.startswith(f"{name}(")  # what dataclass writes by itself


@pytest.mark.parametrize("module", PACKAGES)
def test_all_is_what_is_exported(module: Module) -> None:
    names = listed(module)
    assert len(names) == len(set(names)), (
        f"{module.where}: listed twice: {sorted(n for n in names if names.count(n) > 1)}"
    )
    unlisted = visible(module) - set(names)
    assert not unlisted, f"{module.where}: exported but not in __all__: {sorted(unlisted)}"
    loaded = load(module)
    missing = [name for name in names if not hasattr(loaded, name)]
    assert not missing, f"{module.where}: in __all__ but not there: {missing}"


@pytest.mark.parametrize("module", PACKAGES)
def test_public_names_have_docstrings(module: Module) -> None:
    loaded = load(module)
    silent = [name for name in listed(module) if says_nothing(name, getattr(loaded, name))]
    assert not silent, f"{module.where}: no docstring: {silent}"
    assert ast.get_docstring(module.tree), f"{module.where}: a package begins with a short essay"
