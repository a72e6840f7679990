"""`outthink ui`: the dashboard over a store of runs, for this machine alone."""

from __future__ import annotations

from pathlib import Path

import click

from outthink.cli.storage import open_store, store_option
from outthink.core.errors import SettingsError, explain

PORT = 8712


@click.command()
@store_option
@click.option(
    "--host", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="Where to listen, on this machine."
)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=PORT, show_default=True, metavar="N", help="0 takes any free one."
)
@click.option(
    "--bench",
    "benches",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="FOLDER",
    help="A folder that `outthink bench run` wrote, or a folder of such folders; may be given again.",
)
def ui(where: str | None, host: str, port: int, benches: tuple[Path, ...]) -> None:
    """Show stored runs in the browser, live while they go on. Nothing is written, and nothing leaves this machine."""
    try:
        from outthink.cli.ui_serving import serve
        from outthink.dash import Readers, application
        from outthink.serve.names import is_loopback
        from outthink.serve.running import bound
    except ImportError as error:
        raise SettingsError(
            explain(
                "The dashboard needs packages that are not installed.",
                got=str(error),
                expected="starlette and uvicorn",
                remedy="pip install 'outthink[serve]'",
            )
        ) from None
    if not is_loopback(host):
        raise SettingsError(
            explain(
                "The dashboard alone asks nobody for a key, so it stays on this machine.",
                got=host,
                expected="127.0.0.1, ::1 or localhost",
                remedy="Elsewhere use `outthink serve`, which shows the same pages at /ui to holders of an admin's key; or forward the "
                "port: ssh -L 8712:127.0.0.1:8712 HOST",
            )
        )
    with open_store(where) as store:
        listening = bound(host, port)
        shown = f"[{host}]" if ":" in host else host
        click.echo(f"outthink: the runs of {store.name}", err=True)
        click.echo(f"outthink: http://{shown}:{listening.getsockname()[1]}/ui/   (Ctrl-C ends it)", err=True)
        serve(application(store, Readers(benches=benches)), listening)
