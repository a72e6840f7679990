"""The report of a benchmark: one HTML file, Markdown, CSV and a picture, all from the same figures.

    written = write_report("bench-runs/laboratory", out="report")

`outthink bench report FOLDER` is this from the command line. The folder may be of a run that is still going on.
"""

from outthink.bench.report.page import page
from outthink.bench.report.stored import StoredBench, read_folder
from outthink.bench.report.study import Row, SetStudy, Study, study_of

__all__ = ["Row", "SetStudy", "StoredBench", "Study", "page", "read_folder", "study_of"]
