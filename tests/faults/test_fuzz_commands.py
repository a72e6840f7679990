"""Every command of the command line, found by walking it, with words that it may or may not understand: one message, no traceback, no hang.

The words come from what each command says of itself, so that a new command is under this as soon as it exists. A command that acts
(trains, runs a benchmark, installs) is given one word that it must refuse, so that it never begins; what keeps a command from acting
stands in `HELD`.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import click
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from outthink.cli.main import outthink as root
from tests.faults.junk import QUICK, numbers, plain_text

PATIENCE_SECONDS = 20
Path_ = tuple[str, ...]

HELD: Mapping[Path_, list[str]] = {
    ("run",): ["--dry-run", "--model", "scripted", "--no-store"],
    ("steer",): ["--dry-run", "--no-store"],
    ("serve",): ["--check"],
    ("bench", "run"): ["--tasks", "no such task"],
    ("train", "digits"): ["--seed=-1"],
    ("train", "laboratory"): ["--steps=none"],
    ("train", "laboratory-sql"): ["--steps=none"],
    ("train", "laboratory-value"): ["--steps=none"],
    ("train", "head"): ["--task", "no such task"],
    ("models", "install"): ["no such model"],
    ("demo",): ["--seed=-1"],
    ("ui",): ["--port=-1"],
}
"""Words that come last with a command: it only looks, or refuses."""

NEVER: Mapping[Path_, set[str]] = {("doctor",): {"--faulty", "--serve"}, ("bench", "estimate"): {"--pilot"}}
"""Options that make a command act, with tests of their own."""

URLS = st.sampled_from(
    ["", "x", "http://", "http://127.0.0.1:9/v1", "ftp://x/v1", "http://[", "http://127.0.0.1:99999"]
)
ENDED = (0, 1, 2, 3)

# What a system can pass: no zero byte, and bytes that are no UTF-8 as lone surrogates.
word = st.one_of(
    plain_text.map(lambda text: text.replace("\x00", "").encode("utf-8", "replace").decode()), st.just("a\udcff")
)


def leaves(command: click.Command, path: Path_ = ()) -> Iterator[tuple[Path_, click.Command]]:
    """Every command that is no group."""
    if not isinstance(command, click.Group):
        yield path, command
        return
    with click.Context(command) as context:
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from leaves(inner, (*path, name))


COMMANDS = dict(leaves(root))


def value_of(parameter: click.Parameter) -> st.SearchStrategy[str]:
    """A word for a parameter: often of its kind."""
    if "--base-url" in parameter.opts:
        return URLS
    kind = parameter.type
    if isinstance(kind, click.Choice):
        return st.one_of(st.sampled_from([str(one) for one in kind.choices]), word)
    if isinstance(kind, click.types.IntParamType | click.types.FloatParamType):
        return st.one_of(numbers.map(str), word)
    return word


def words_of(path: Path_, command: click.Command) -> st.SearchStrategy[list[str]]:
    """Some options, then arguments; options are written in one word so that a value may begin with a dash."""
    options, arguments = [], []
    for parameter in command.params:
        name = max(parameter.opts, key=len)
        if isinstance(parameter, click.Argument):
            most = 3 if parameter.nargs == -1 else 1
            arguments.append(st.lists(value_of(parameter), max_size=most))
        elif name in NEVER.get(path, set()):
            continue
        elif getattr(parameter, "is_flag", False):
            options.append(st.just(name))
        else:
            options.append(value_of(parameter).map(lambda value, name=name: f"{name}={value}"))
    chosen = st.lists(st.one_of(*options, st.just("--nothing")), max_size=4) if options else st.just([])
    return st.tuples(chosen, *arguments).map(
        lambda parts: [*parts[0], *HELD.get(path, []), "--", *(word for part in parts[1:] for word in part)]
    )


@contextmanager
def alarm(line: list[str]) -> Iterator[None]:
    """Nothing hangs: a command that takes too long is interrupted, and that is a failure."""

    def ring(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"{line} took more than {PATIENCE_SECONDS} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(PATIENCE_SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_no_command_shows_a_traceback(path: Path_, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = tmp_path / "a" / "b"
    here.mkdir(parents=True)
    monkeypatch.chdir(here)
    for name in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "HOME"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))

    @given(words_of(path, COMMANDS[path]))
    @settings(QUICK, max_examples=25)
    def check(words: list[str]) -> None:
        line = [*path, *words]
        with alarm(line):
            done = CliRunner().invoke(root, line, prog_name="outthink")
        assert done.exception is None or isinstance(done.exception, SystemExit), (line, done.exception)
        assert done.exit_code in ENDED, (line, done.exit_code)
        if done.exit_code:
            assert done.stderr.strip(), (line, "it says why")
            assert "Traceback" not in done.output
        if path in ACTING:
            assert done.exit_code in (1, 2), (line, "it must have refused")

    check()


ACTING = {path for path, held in HELD.items() if not {"--dry-run", "--check"} & set(held)}


def test_the_table_names_commands_that_exist() -> None:
    assert set(HELD) | set(NEVER) <= set(COMMANDS), sorted((set(HELD) | set(NEVER)) - set(COMMANDS))
    assert len(COMMANDS) > 20
