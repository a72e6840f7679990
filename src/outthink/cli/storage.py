"""The store that a command works on: `--store`, the variable OUTTHINK_STORE, or a file in the user's data folder."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    from outthink.store import Store


def store_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds `--store`."""
    return click.option(
        "--store",
        "where",
        metavar="URL",
        help="Where runs are stored: the path of a SQLite file, or postgresql://...  [default: $OUTTHINK_STORE, else a file in the "
        "user's data folder]",
    )(command)


def open_store(where: str | None) -> Store:
    """The store; closed by whoever asked. Raises `StoreError`."""
    from outthink.store import Store

    return Store.open(where)


def open_or_warn(where: str | None) -> Store | None:
    """The store for a run; None, with a warning, where nobody named one and the default cannot be opened."""
    from outthink.store import Store, StoreError
    from outthink.store.location import VARIABLE

    try:
        return Store.open(where)
    except StoreError as error:
        if where is not None or os.environ.get(VARIABLE):
            raise
        click.echo(f"outthink: this run is not stored: {error}", err=True)
        return None


def plain(text: object) -> str:
    """A text in one line, without anything that a terminal would obey; of bytes and arrays what they are."""
    if isinstance(text, bytes):
        return f"a picture, {len(text)} bytes" if text.startswith(b"\x89PNG") else f"{len(text)} bytes"
    if (shape := getattr(text, "shape", None)) is not None:
        return f"an array {list(shape)}"
    line = " ".join(str(text).split())
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in line)


def short(text: object, most: int = 60) -> str:
    """The same, at most so many characters."""
    line = plain(text)
    return line if len(line) <= most else line[: most - 1] + "…"
