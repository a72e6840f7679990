"""`outthink serve`: the gateway on a socket."""

from __future__ import annotations

from pathlib import Path

import click

from outthink.cli.storage import open_store, store_option
from outthink.core.errors import SettingsError, explain

PORT = 8711


@click.command()
@click.option(
    "--recipes",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="The TOML file of models, recipes, ceilings and limits.  [default: the embedded model alone]",
)
@click.option("--host", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="Where to listen.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=PORT, show_default=True, metavar="N", help="0 takes any free one."
)
@click.option(
    "--require-key",
    is_flag=True,
    help="Ask for an API key on loopback too, as with --keys; elsewhere one is always asked for.",
)
@click.option("--keys", "key_file", type=click.Path(path_type=Path), metavar="PATH", help="The file of API keys.")
@store_option
@click.option("--no-store", is_flag=True, help="Keep no runs, no accounts and no answers for clients that ask again.")
@click.option("--check", is_flag=True, help="Read the configuration, say what would be served, and end.")
def serve(
    recipes: Path | None,
    host: str,
    port: int,
    require_key: bool,
    key_file: Path | None,
    where: str | None,
    no_store: bool,
    check: bool,
) -> None:
    """Serve search behind OpenAI's API: models and recipes of a TOML file, or the embedded model."""
    try:
        from outthink import serve as gateways
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("outthink"):
            raise
        raise SettingsError(
            explain(
                "The gateway needs packages that are not installed.",
                got=str(error),
                expected="starlette, uvicorn, jsonschema and prometheus-client",
                remedy="pip install 'outthink[serve]'",
            )
        ) from None
    from outthink.serve.keys import default_path
    from outthink.serve.names import is_loopback

    settings = gateways.load_configuration(recipes) if recipes is not None else None
    # Whoever names a file of keys wants them to be asked for.
    asked = require_key or key_file is not None or not is_loopback(host)
    keys = gateways.KeyFile(key_file or default_path()) if asked else None
    if check:
        gateway = gateways.Gateway(settings)
        for name in gateway.catalogue.names():
            click.echo(name)
        return
    store = None if no_store else open_store(where)
    try:
        gateway = gateways.Gateway(settings, keys=keys, store=store)
        gateways.check_exposure(host, gateway)
        listening = gateways.bound(host, port)
        shown = f"[{host}]" if ":" in host else host
        click.echo(f"outthink: serving http://{shown}:{listening.getsockname()[1]}/v1", err=True)
        click.echo(f"outthink: models such as {', '.join(gateway.catalogue.names()[:4])}", err=True)
        click.echo(f"outthink: API keys are {'asked for' if asked else 'not asked for on this machine'}", err=True)
        gateways.serve(gateway, listening)
    finally:
        if store is not None:
            store.close()
