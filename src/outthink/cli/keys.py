"""`outthink keys`: the API keys of the gateway."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from outthink.cli.lazy import Group

if TYPE_CHECKING:
    from outthink.serve.keys import KeyFile


@click.group(
    cls=Group,
    members={
        "create": "outthink.cli.keys:create",
        "list": "outthink.cli.keys:list_",
        "revoke": "outthink.cli.keys:revoke",
    },
)
def keys() -> None:
    """Make, list and revoke the gateway's API keys."""


def _file_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--keys",
        "path",
        type=click.Path(path_type=Path),
        metavar="PATH",
        help="The file of API keys.  [default: $OUTTHINK_KEYS, else a file in the user's configuration folder]",
    )(command)


def _file(path: Path | None) -> KeyFile:
    from outthink.serve.keys import KeyFile, default_path

    return KeyFile(path or default_path())


@click.command()
@click.argument("name")
@click.option("--requests-per-minute", type=int, metavar="N", help="Requests begun in any 60 seconds.")
@click.option("--tokens-per-minute", type=int, metavar="N", help="Tokens of searches at work in any 60 seconds.")
@click.option("--searches", type=int, metavar="N", help="Searches at work at once.")
@click.option("--money-per-day", type=float, metavar="AMOUNT", help="In the price file's currency, each day in UTC.")
@click.option("--admin", is_flag=True, help="The key opens the dashboard and the metrics too.")
@_file_option
def create(
    name: str,
    requests_per_minute: int | None,
    tokens_per_minute: int | None,
    searches: int | None,
    money_per_day: float | None,
    admin: bool,
    path: Path | None,
) -> None:
    """Make a key called NAME and show it, this once. Quotas hold over all gateways on one store."""
    from outthink.serve.quotas import Quota

    quota = Quota(
        requests_per_minute=requests_per_minute,
        tokens_per_minute=tokens_per_minute,
        searches=searches,
        money_per_day=money_per_day,
    )
    made = _file(path).create(name, quota=quota, admin=admin)
    click.echo(made.secret)
    click.echo(f"outthink: key {made.key.id} ({name}); it is kept as a digest and not shown again", err=True)


@click.command("list")
@_file_option
def list_(path: Path | None) -> None:
    """The keys, without what they are."""
    found = _file(path).list()
    for key in found:
        made = time.strftime("%Y-%m-%d %H:%M", time.gmtime(key.created))
        more = [f"{name}={value:g}" for name, value in key.quota.limits.items()] + ["admin"] * key.admin
        click.echo("  ".join([key.id, made, f"{key.shown}...", key.name, *more]))
    click.echo(f"{len(found)} keys", err=True)


@click.command()
@click.argument("key")
@_file_option
def revoke(key: str, path: Path | None) -> None:
    """Revoke KEY, named by its id or its name; running gateways refuse it at once."""
    gone = _file(path).revoke(key)
    click.echo(f"outthink: revoked {gone.id} ({gone.name})", err=True)
