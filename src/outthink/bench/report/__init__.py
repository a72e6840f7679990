"""The report of a benchmark: one HTML file, Markdown, CSV and a picture, all from the same figures.

    write_report("bench-runs/laboratory", Path("report"))

`outthink bench report FOLDER` is this from the command line. The folder may be of a run that is still going on.
"""

from outthink.bench.report.figures import figures
from outthink.bench.report.markdown import markdown
from outthink.bench.report.page import page
from outthink.bench.report.stored import StoredBench, read_folder
from outthink.bench.report.study import Row, SetStudy, Study, study_of
from outthink.bench.report.writing import FORMATS, is_sealed, write_page, write_report, written

__all__ = [
    "FORMATS",
    "Row",
    "SetStudy",
    "StoredBench",
    "Study",
    "figures",
    "is_sealed",
    "markdown",
    "page",
    "read_folder",
    "study_of",
    "write_page",
    "write_report",
    "written",
]
