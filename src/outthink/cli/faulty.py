"""`outthink doctor --faulty`: the promises held against servers that go wrong, as a table; or those servers, kept up for other clients."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from outthink.bench.promises import Kept

WIRE = 0.005
"""Real seconds to look for data on the sockets before the virtual clock jumps."""


def faulty_backend(names: Sequence[str], *, serve: bool, port: int, as_json: bool, asked: bool) -> None:
    """Examine, or with `serve` keep up, the misbehaviours of these names; all without names.

    Raises `InputError`; exits with 1 on a broken promise.
    """
    from outthink.core.errors import InputError, explain

    if not asked or (port and not serve):
        raise InputError(
            explain(
                "These options belong to the faulty backend.",
                got="--port without --serve" if asked else "--only, --serve or --port without --faulty",
                expected="--faulty, and --serve for ports",
                remedy="outthink doctor --faulty --serve --port 9000",
            )
        )
    if serve:
        _serve(names, port, as_json)
        return
    kept = _examined(names)
    if as_json:
        import msgspec

        click.echo(json.dumps(msgspec.to_builtins(kept), ensure_ascii=False))
    else:
        _show(kept)
    if any(one.broken for one in kept):
        raise click.exceptions.Exit(1)


def _examined(names: Sequence[str]) -> list[Kept]:
    from outthink.bench.promises import examined
    from outthink.testing.openai_server import FaultyBackend, opinionated_model
    from outthink.testing.virtual_clock import run_virtual

    async def work() -> list[Kept]:
        async with FaultyBackend(names, script=opinionated_model) as backend:
            return [await examined(backend, name) for name in backend.misbehaviours]

    return run_virtual(work(), wire=WIRE)


def _show(kept: list[Kept]) -> None:
    rows = [("server", "what it does", "outcome", "bill", "seconds", "promises")]
    for one in kept:
        verdict = "kept" if not one.broken else "BROKEN"
        rows.append((one.name, one.says, one.outcome, one.bill, f"{one.seconds:.2f}", verdict))
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    broken = [one for one in kept if one.broken]
    for one in broken:
        for line in one.broken:
            click.echo(f"{one.name}: {line}")
    click.echo(
        f"\n{len(kept) - len(broken)} of {len(kept)} kept: bill, budget, deadline, answers that a server gave, survivors used, "
        "causes told. Seconds are virtual."
    )


def _serve(names: Sequence[str], port: int, as_json: bool) -> None:
    from outthink.testing.openai_server import FaultyBackend, opinionated_model

    async def work() -> None:
        async with FaultyBackend(names, script=opinionated_model, port=port) as backend:
            addresses = {name: backend.base_url(name) for name in backend.misbehaviours}
            if as_json:
                click.echo(json.dumps(addresses))
            else:
                width = max(map(len, addresses))
                for name, address in addresses.items():
                    click.echo(f"{name.ljust(width)}  {address}  {backend.misbehaviours[name].says}")
                click.echo("Counters: GET /counters beside /v1. Ctrl-C ends them.")
            await asyncio.Event().wait()

    try:
        asyncio.run(work())
    except KeyboardInterrupt:
        # The way in which this command is meant to end.
        return
