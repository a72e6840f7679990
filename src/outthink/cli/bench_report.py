"""`outthink bench report`: a run as one HTML file, Markdown, CSV and PNG, or several runs as one page of documentation."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import click

from outthink.core.errors import InputError


@click.command()
@click.argument("folders", metavar="FOLDERS", nargs=-1, required=True, type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Where to write; of several runs, each in a folder of its own there.  [default: report, inside the run's folder]",
)
@click.option(
    "--format",
    "formats",
    metavar="NAMES",
    help="html, md, csv, png, with commas between.  [default: all; png where matplotlib is installed]",
)
@click.option(
    "--page",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="PATH",
    help="Write one Markdown page of all FOLDERS instead, with pictures in the folder pictures beside it.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the resamples behind the intervals.")
def report(folders: tuple[Path, ...], out: Path | None, formats: str | None, page: Path | None, seed: int) -> None:
    """What the runs in FOLDERS show, whole or still going on: accuracy against cost, comparisons at equal cost, warnings, traces."""
    if page is not None:
        if out is not None or formats is not None:
            raise click.UsageError(
                "--page writes Markdown with pictures beside it: it takes neither --out nor --format."
            )
        _page(folders, page, seed)
        return
    from outthink.bench.report import FORMATS, write_report

    if formats is None:
        wanted = [name for name in FORMATS if name != "png" or find_spec("matplotlib") is not None]
        if "png" not in wanted:
            click.echo("outthink: no PNG, which needs matplotlib: pip install 'outthink[bench]'", err=True)
    else:
        wanted = [name.strip() for name in formats.split(",") if name.strip()]
    for folder in folders:
        place = out / folder.name if out is not None and len(folders) > 1 else out
        for file in write_report(folder, place, wanted, seed=seed):
            click.echo(file)


def _page(folders: tuple[Path, ...], page: Path, seed: int) -> None:
    from outthink.bench.report import read_folder, study_of, write_page

    studies = [study_of(read_folder(folder), seed=seed) for folder in folders]
    try:
        files = write_page(studies, page, page.parent / "pictures")
    except OSError as error:
        raise InputError(f"The page cannot be written to {str(page)!r}: {error.strerror}.") from None
    for file in files:
        click.echo(file)
