"""Reports written to files: HTML, Markdown, CSV and PNG of one run, and a page of the documentation from several.

write_report("bench-runs/laboratory", Path("report"))
write_page([study], Path("docs/benchmarks.md"), pictures=Path("docs/pictures"))
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from pathlib import Path

from outthink.bench.report import plot
from outthink.bench.report.figures import figures
from outthink.bench.report.markdown import Around, markdown
from outthink.bench.report.page import page
from outthink.bench.report.picture import write_picture
from outthink.bench.report.stored import read_folder
from outthink.bench.report.study import Study, study_of
from outthink.bench.report.svg_file import as_file
from outthink.core.errors import InputError, explain
from outthink.verify.extras import require

FORMATS = ("html", "md", "csv", "png")
FRONT = """# Benchmarks

Which method is worth its cost, on which task: every method on the same questions, at the same total cost, with intervals over questions.
Every figure on this page is computed from stored runs and written by `outthink bench report FOLDER --page docs/benchmarks.md`; nothing is
typed, and its last line is a digest that a test compares. [How it is computed](reference/replay.md) stands elsewhere; `make bench` makes
the runs again."""
SEAL = "<!-- sha256 of everything above: {} -->"


def write_report(
    folder: str | Path, out: Path | None = None, formats: Sequence[str] = FORMATS, *, seed: int = 0
) -> list[Path]:
    """Write the report of a run, whole or not; what was written. `out`: a folder, by default `report` inside the run's own.

    Raises `InputError` for a folder without outcomes or that cannot be written, `Incompatible` for PNG without matplotlib.
    """
    unknown = sorted(set(formats) - set(FORMATS))
    if unknown:
        raise InputError(
            explain(
                "There is no such format.", got=unknown[0], expected=", ".join(FORMATS), remedy="Name some of these."
            )
        )
    if "png" in formats:
        require("matplotlib", extra="bench", needed_by="reports as PNG")
    study = study_of(read_folder(folder), seed=seed)
    place = Path(folder) / "report" if out is None else out
    try:
        return written(study, place, formats)
    except OSError as error:
        raise InputError(
            explain(
                f"The report cannot be written: {error.strerror or error}.",
                got=str(place),
                expected="a folder that can be written to",
                remedy="Name another with --out.",
            )
        ) from None


def written(study: Study, place: Path, formats: Sequence[str] = FORMATS) -> list[Path]:
    """The files of a report in the folder `place`."""
    place.mkdir(parents=True, exist_ok=True)
    files: list[Path] = []

    def keep(name: str, text: str) -> None:
        (place / name).write_text(text, encoding="utf-8")
        files.append(place / name)

    if "html" in formats:
        keep("report.html", page(study))
    drawn = place / "report.png"
    if "png" in formats and write_picture(study, drawn):
        files.append(drawn)
    if "md" in formats:
        # The one picture shows all sets, so it stands once, under the first.
        first = study.sets[0].name if study.sets else ""
        shown = {first: [("report.png", "accuracy against tokens, and the Pareto frontier, of every set")]}
        around = Around(pictures=shown if drawn in files else {}, traces="report.html" if "html" in formats else "")
        keep("report.md", markdown(study, around) + "\n")
    if "csv" in formats:
        for name, text in figures(study).items():
            keep(f"{name}.csv", text)
    return files


def write_page(studies: Sequence[Study], file: Path, pictures: Path) -> list[Path]:
    """One Markdown page of several runs, sealed against changes by hand, with its pictures; what was written."""
    pictures.mkdir(parents=True, exist_ok=True)
    files = [file]
    parts = [FRONT]
    for study in studies:
        shown: dict[str, list[tuple[str, str]]] = {}
        for one in study.sets:
            for kind, (picture, caption) in zip(("curves", "frontier"), plot.pictures(one), strict=True):
                if picture is None:
                    continue
                place = pictures / f"benchmark-{_plain(study.stored.name)}-{_plain(one.name)}-{kind}.svg"
                place.write_text(as_file(one, picture), encoding="utf-8")
                files.append(place)
                shown.setdefault(one.name, []).append((Path(os.path.relpath(place, file.parent)).as_posix(), caption))
        parts.append(markdown(study, Around(level=2, pictures=shown)))
    file.write_text(sealed("\n\n".join(parts)), encoding="utf-8")
    return files


def sealed(text: str) -> str:
    """The text with a digest of itself as its last line."""
    return f"{text}\n\n{SEAL.format(hashlib.sha256(text.encode()).hexdigest())}\n"


def is_sealed(text: str) -> bool:
    """Whether nothing was changed since it was sealed."""
    return sealed(text.rstrip("\n").rpartition("\n\n")[0]) == text


def _plain(name: str) -> str:
    return re.sub(r"[^0-9a-z-]+", "-", name.lower())
