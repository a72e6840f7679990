"""The report of a real run: the same figures in HTML, Markdown, CSV and the picture, nothing loaded from elsewhere, nothing typed."""

from __future__ import annotations

import csv
import html
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import numpy as np
import pytest

from outthink.bench import Outcome
from outthink.bench.report import (
    Study,
    figures,
    is_sealed,
    markdown,
    page,
    read_folder,
    study_of,
    write_page,
    write_report,
)
from outthink.core.errors import InputError
from tests.bench.report.browser import opened
from tests.needs import need
from tests.shape_of_code.source import ROOT

DOCUMENTED = ROOT / "docs" / "benchmarks.md"


class Elements(HTMLParser):
    """All tags with their attributes, and whether they are closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


def test_the_page_is_whole_links_within_itself_and_loads_nothing(study: Study) -> None:
    found = Elements(page(study))
    assert not found.wrong
    assert not found.open
    ids = [attributes["id"] for _, attributes in found.found if "id" in attributes]
    links = [str(attributes["href"]) for _, attributes in found.found if "href" in attributes]
    assert len(ids) == len(set(ids))
    assert len(links) > 10
    assert all(link.removeprefix("#") in ids and link.startswith("#") for link in links)
    assert not {"script", "link", "img", "iframe"} & {tag for tag, _ in found.found}
    assert not any("src" in attributes or "onclick" in attributes for _, attributes in found.found)
    assert "b" not in {tag for tag, _ in found.found}, "the name of a set became markup"
    # Every hard or improved question leads to its trace, with what each method answered.
    for one in study.sets:
        assert one.hardest
        assert {o.method for o in one.hardest[0].outcomes} == set(one.of_run)


def test_every_format_has_the_same_figures(study: Study) -> None:
    text, whole = markdown(study), page(study)
    rows = list(csv.DictReader(io.StringIO(figures(study)["methods"])))
    outcomes = study.stored.outcomes
    for row in rows:
        if row["method"].startswith("always"):
            continue
        ids = {name for name, q in study.stored.questions.items() if row["set"] in ("all", q.set)}
        own = [o for o in outcomes if (o.method, o.size) == (row["method"], int(row["size"])) and o.question in ids]
        assert len(own) == int(row["seeds"]) * int(row["questions"])
        assert float(row["right"]) == pytest.approx(np.mean([o.right for o in own]), rel=1e-5)
        assert float(row["tokens"]) == pytest.approx(np.mean([o.tokens for o in own]), rel=1e-5)
        assert float(row["low"]) <= float(row["right"]) <= float(row["high"])
        label, right = f"{row['method']} {row['size']}", f"{100 * float(row['right']):.1f}%"
        assert f"| {label} | {right} |" in text
        assert f'>{label}</th><td class="n">{right}</td>' in whole
    assert {row["set"] for row in rows} == {"all", "sums", "again <b>"}
    # Cost columns stand in every table of methods.
    tables = [line for line in text.splitlines() if line.startswith(("| method |", "| verifier |"))]
    assert len(tables) == 9
    assert all("tokens" in line for line in tables)


def test_bad_rows_are_counted_and_named(study: Study) -> None:
    assert len(study.stored.problems) == 2
    assert "2 bad rows left out." in page(study)
    assert "sums.jsonl:7: no field" in page(study)
    assert "2 bad rows left out." in markdown(study)


def test_warnings_are_on_the_page(study: Study) -> None:
    warned = [line for one in study.sets for line in one.warnings]
    assert any("There are only 10 questions" in line for line in warned)
    assert any("was not run at the method's cost" in line for line in warned)
    whole = html.unescape(page(study))
    assert all(line in whole for line in warned)


def test_files_are_written_and_the_picture_is_one(run_folder: Path, tmp_path: Path) -> None:
    need("matplotlib")
    files = write_report(run_folder, tmp_path / "out")
    names = [file.name for file in files]
    assert names == ["report.html", "report.png", "report.md", "methods.csv", "comparisons.csv", "choices.csv"]
    assert (tmp_path / "out" / "report.png").read_bytes().startswith(b"\x89PNG")
    assert "](report.html#q-" in (tmp_path / "out" / "report.md").read_text()
    with pytest.raises(InputError, match="no such format"):
        write_report(run_folder, tmp_path / "out", ["pdf"])
    with pytest.raises(InputError, match="no folder of a benchmark"):
        write_report(tmp_path)


def test_a_run_that_is_still_going_on_can_be_read(run_folder: Path, tmp_path: Path) -> None:
    """A torn last line is passed over, a broken one is named, what is not whole under any seed is listed and not shown."""
    lines = (run_folder / "outcomes.jsonl").read_bytes().splitlines(keepends=True)
    beams = [i for i, line in enumerate(lines) if b'"method":"beam"' in line]
    kept = [line for i, line in enumerate(lines) if i not in beams[3:]]
    kept[5] = b'{"method": 3}\n'
    (tmp_path / "outcomes.jsonl").write_bytes(b"".join(kept) + b'{"method":"vote","si')
    (tmp_path / "questions.jsonl").write_bytes((run_folder / "questions.jsonl").read_bytes())
    stored = read_folder(tmp_path)
    assert len(stored.outcomes) == len(kept) - 2
    assert [(p.file, p.line) for p in stored.problems] == [("outcomes.jsonl", 6)]
    found = study_of(stored).sets[0]
    assert {name.split()[0] for name in found.unfinished} >= {"beam"}
    assert "beam" not in {row.entry.method for row in found.rows}
    assert "Not whole yet and not shown: beam" in page(study_of(stored))


def test_nothing_that_a_model_wrote_becomes_markup(run_folder: Path, tmp_path: Path) -> None:
    evil = '</code><script>alert("x")</script>'
    lines = (run_folder / "outcomes.jsonl").read_bytes().splitlines()
    rows = [msgspec.json.decode(line, type=Outcome) for line in lines[1:]]
    bad = [msgspec.json.encode(msgspec.structs.replace(row, answer=evil, right=False)) for row in rows]
    (tmp_path / "outcomes.jsonl").write_bytes(b"\n".join([lines[0], *bad]) + b"\n")
    whole = page(study_of(read_folder(tmp_path)))
    assert "alert(" in whole
    assert "<script" not in whole


@pytest.mark.needs("browser")
def test_in_a_real_browser_nothing_is_asked_for_and_the_console_is_silent(run_folder: Path, tmp_path: Path) -> None:
    (file,) = write_report(run_folder, tmp_path, ["html"])
    shown = opened(file, tmp_path)
    assert (shown.console, shown.asked) == ([], [])
    assert "Most improved questions" in shown.dom
    assert shown.dom.count("<svg") == 6
    # The same without the rule that forbids it, so that silence is the page's own; and one that does ask is noticed.
    free = tmp_path / "free.html"
    free.write_text(re.sub(r"<meta http-equiv[^>]*>", "", file.read_text()))
    assert opened(free, tmp_path).asked == []
    loud = '<script>console.error("said")</script><img src="http://elsewhere.invalid/x.png"><h1>'
    free.write_text(free.read_text().replace("<h1>", loud, 1))
    noticed = opened(free, tmp_path)
    assert noticed.asked == ["http://elsewhere.invalid/x.png"]
    assert [line for line in noticed.console if '"said"' in line]


def test_the_page_of_the_documentation_is_what_the_command_writes(study: Study, tmp_path: Path) -> None:
    """Its form is that of a page written now, and its digest says that no figure in it was typed."""
    files = write_page([study], tmp_path / "benchmarks.md", tmp_path / "pictures")
    fresh, kept = files[0].read_text(), DOCUMENTED.read_text()
    assert is_sealed(fresh)
    assert is_sealed(kept), "docs/benchmarks.md was changed by hand; write it anew with `outthink bench report --page`"
    assert not is_sealed(kept.replace("%", "٪", 1))
    assert not is_sealed(re.sub(r"(\d)%", "1%", kept, count=1))

    def form(text: str) -> set[str]:
        """Headings without names, and heads of tables without their baselines."""
        heads = {
            line.split(" | against")[0].rstrip(" |")
            for line in text.splitlines()
            if line.startswith(("| method", "| verifier"))
        }
        return heads | {
            re.split(r"[:\d]| Benchmark ", line)[0] for line in text.splitlines() if line.startswith("#### ")
        }

    assert form(kept) == form(fresh)
    assert kept.startswith(fresh.split("\n\n## ")[0])
    pictures = re.findall(r"\]\((pictures/[^)]*\.svg)\)", kept)
    assert pictures
    for place in pictures:
        drawn = (DOCUMENTED.parent / place).read_text()
        assert drawn.startswith("<svg")
        assert "http://www.w3.org/2000/svg" in drawn
        assert drawn.count("http") == 1, "a picture refers to something elsewhere"
