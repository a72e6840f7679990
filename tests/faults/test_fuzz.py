"""Junk in, one clear error out: every settings type, the recipe loader and the command line, with hypothesis.

A value is refused with an `OutthinkError`, or it stands in what was built: nothing is dropped, replaced or clamped in silence.
"""

from __future__ import annotations

import importlib
import inspect
import math
import pkgutil
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

import outthink
from outthink.cli.main import outthink as command
from outthink.core.errors import OutthinkError
from outthink.core.settings import Settings
from outthink.recipes import load, presets
from outthink.recipes.registry import registry
from tests.faults.junk import QUICK, junk, numbers, plain_text
from tests.needs import need

HEAVY = ("outthink.diffusion", "outthink.train", "outthink.verify.neural", "outthink.engines.torch")


def every_settings_type(*, heavy: bool = False) -> list[type[Settings]]:
    """Each concrete public settings class: of every module that needs no torch and whatever a recipe can name; or of those that need it."""
    for module in pkgutil.walk_packages(outthink.__path__, "outthink."):
        wanted = module.name.startswith(HEAVY) == heavy
        if (
            wanted
            and not module.name.endswith("__main__")
            and "contracts" not in module.name
            and "inside" not in module.name
        ):
            importlib.import_module(module.name)
    registry()
    found: dict[str, type[Settings]] = {}

    def walk(cls: type[Settings]) -> None:
        for inner in cls.__subclasses__():
            walk(inner)
            own = inner.__module__.startswith("outthink.") and not inner.__name__.startswith("_")
            if own and not inspect.isabstract(inner):
                found[f"{inner.__module__}.{inner.__qualname__}"] = inner

    walk(Settings)
    return [found[name] for name in sorted(found)]


TYPES = every_settings_type()


def near(value: Any) -> st.SearchStrategy[Any]:
    """Values of the same kind as a default, and some of its neighbours."""
    if isinstance(value, bool):
        return st.booleans()
    if isinstance(value, int):
        return st.integers(-2, 12)
    if isinstance(value, float):
        return st.one_of(st.floats(-0.5, 2.5), st.integers(0, 3))
    if isinstance(value, str):
        return st.one_of(st.just(value), plain_text)
    return st.just(value)


def field_values(cls: type[Settings]) -> st.SearchStrategy[dict[str, Any]]:
    """Some fields of the class, given as something; most near their defaults, so that more than one in a row is accepted."""
    given_fields = {}
    for field in msgspec.structs.fields(cls):
        default = field.default_factory() if callable(field.default_factory) else field.default
        given_fields[field.name] = (
            st.one_of(near(default), near(default), junk) if default is not msgspec.NODEFAULT else junk
        )
    return st.fixed_dictionaries({}, optional=given_fields)


def same(kept: Any, given_value: Any) -> bool:
    """Whether a built value says what was given: numbers by value, lists as tuples, tables as settings with at least these fields."""
    if isinstance(kept, msgspec.Struct):
        if isinstance(given_value, msgspec.Struct):
            return kept == given_value
        return isinstance(given_value, dict) and all(
            name == "type" or same(getattr(kept, name), value) for name, value in given_value.items()
        )
    if isinstance(kept, float) and isinstance(given_value, float) and math.isnan(given_value):
        return False
    if isinstance(kept, (list, tuple, set, frozenset)):
        return isinstance(given_value, (list, tuple, set, frozenset)) and (
            len(kept) == len(given_value)
            and (kept == given_value or all(same(k, g) for k, g in zip(kept, given_value, strict=True)))
        )
    if isinstance(kept, dict):
        return (
            isinstance(given_value, dict)
            and kept.keys() == given_value.keys()
            and all(same(kept[name], given_value[name]) for name in kept)
        )
    if isinstance(kept, bool) or isinstance(given_value, bool):
        return kept is given_value
    if isinstance(kept, float) and isinstance(given_value, int):
        # The nearest number of the kind, as for a decimal fraction.
        return kept == float(given_value)
    return bool(kept == given_value)


def test_the_walk_finds_them() -> None:
    names = {cls.__name__ for cls in TYPES}
    assert {"ParticleFilter", "Openai", "Local", "Budget", "Judge", "Text", "Sampling", "HostLimits", "Rubric"} <= names
    assert len(TYPES) > 80


@pytest.mark.parametrize("cls", TYPES, ids=lambda cls: cls.__name__)
def test_a_setting_is_refused_by_name_or_honoured(cls: type[Settings]) -> None:
    refused_or_honoured(cls)


def test_so_are_those_of_the_packages_that_need_torch() -> None:
    need("torch")
    more = [cls for cls in every_settings_type(heavy=True) if cls not in TYPES]
    for cls in more:
        refused_or_honoured(cls)


def refused_or_honoured(cls: type[Settings]) -> None:
    """Each field is given something, and either the class refuses it in our own words or holds it."""
    required = {f.name for f in msgspec.structs.fields(cls) if f.required}

    @given(field_values(cls))
    @QUICK
    def check(fields: dict[str, Any]) -> None:
        try:
            made = cls(**fields)
        except OutthinkError:
            return
        except TypeError:
            assert required - fields.keys(), "only a missing setting may be a TypeError"
            return
        for name, value in fields.items():
            assert same(getattr(made, name), value), (
                f"{cls.__name__}.{name}: given {value!r}, kept {getattr(made, name)!r}"
            )

    check()


tables = st.dictionaries(
    st.one_of(
        st.sampled_from(["engine", "process", "algorithm", "verifier", "answer", "budget", "description", "type"]),
        plain_text,
    ),
    st.one_of(
        junk,
        st.fixed_dictionaries(
            {
                "type": st.sampled_from(
                    ["vote", "best-of-n", "local", "scripted", "text", "numeric", "judge", "nothing"]
                )
            },
            optional={"n": junk, "model": junk, "max_tokens": junk, "tokens": junk},
        ),
        st.fixed_dictionaries({}, optional={"tokens": junk, "seconds": junk, "money": junk, "calls": junk}),
    ),
    max_size=5,
)


@given(tables)
@settings(QUICK, max_examples=400)
def test_a_recipe_is_refused_or_honoured(document: dict[str, Any]) -> None:
    try:
        recipe = load(document)
    except OutthinkError:
        return
    for name, table in document.items():
        kept = getattr(recipe, name)
        assert same(kept, table) or isinstance(table, str), f"{name}: given {table!r}, kept {kept!r}"


@given(
    st.one_of(st.text(max_size=60), st.binary(max_size=20).map(lambda b: b.decode("latin-1"))),
    st.sampled_from(["", "\n", "\n[algorithm]\n"]),
)
@settings(QUICK, max_examples=200)
def test_a_text_that_may_be_a_recipe(text: str, more: str) -> None:
    try:
        recipe = load(text + more)
    except OutthinkError:
        return
    assert text in presets() or "algorithm" in text + more, recipe


METHODS = st.sampled_from(["vote", "best-of-n", "particle-filter", "beam", "adaptive", "refine", "votes", ""])
SETTING = st.sampled_from(
    ["algorithm.n", "process.max_tokens", "budget.tokens", "engine.otherwise", "algorithm.twist", "verifier.x", ""]
)
arguments = st.lists(
    st.one_of(
        st.builds(lambda m: ["--method", m], st.one_of(METHODS, plain_text)),
        st.builds(lambda n: ["--n", str(n)], st.one_of(st.integers(-2, 9), plain_text)),
        st.builds(lambda k, v: ["--set", f"{k}={v}"], st.one_of(SETTING, plain_text), st.one_of(numbers, plain_text)),
        st.builds(
            lambda b: ["--budget", b],
            st.one_of(
                st.sampled_from(["tokens=5", "tokens=1e9", "calls=-1", "money=nan", "seconds=inf", "="]), plain_text
            ),
        ),
        st.builds(lambda s: ["--seed", str(s)], st.one_of(numbers, plain_text)),
        st.builds(
            lambda v: ["--verifier", v], st.one_of(st.sampled_from(["none", "exact", "judge", "function"]), plain_text)
        ),
        st.builds(lambda v: ["--answer", v], st.one_of(st.sampled_from(["none", "numeric", "exact"]), plain_text)),
        st.sampled_from([["--json"], ["--allocate", "marginal"], ["--jsonl"], ["--take-over"], ["--nothing"]]),
    ),
    max_size=4,
)


@given(st.one_of(st.just("what is 6 times 7?"), plain_text), arguments)
@settings(QUICK, max_examples=150)
def test_the_command_line_never_shows_a_traceback(question: str, flags: list[list[str]]) -> None:
    """In a dry run on a scripted model: exit 0 with what would run, or 1 or 2 with one message."""
    line = [
        "run",
        "--dry-run",
        "--model",
        "scripted",
        "--no-store",
        *(word for flag in flags for word in flag),
        "--",
        question,
    ]
    done = CliRunner().invoke(command, line, prog_name="outthink")
    assert done.exception is None or isinstance(done.exception, SystemExit), (line, done.exception, done.exc_info)
    assert done.exit_code in (0, 1, 2), (line, done.exit_code)
    if done.exit_code:
        assert done.stderr.strip(), line
        assert "Traceback" not in done.stderr
        return
    given_n = [flag[1] for flag in flags if flag[0] == "--n"]
    if given_n and "--json" not in done.stdout and "algorithm.n" not in str(flags):
        shown = done.stdout
        assert f"n = {int(given_n[-1])}" in shown or f'"n":{int(given_n[-1])}' in shown, (line, shown)
