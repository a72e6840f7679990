"""What every test run shares: what a test needs is looked for before it runs, and the seconds of each test folder are printed
at the end, so that a slow folder is seen."""

from __future__ import annotations

import os
import signal
import tempfile
from collections import defaultdict
from pathlib import Path

import pytest


class FolderSeconds:
    """Sums the durations that pytest reports (set-up, call and tear-down) by test folder.

    Under xdist the reports of all workers arrive at the controller, so the sums are seconds of work, not of waiting:
    with two workers the run takes about half their total.
    """

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.tests: defaultdict[str, set[str]] = defaultdict(set)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        path = report.nodeid.split("::")[0]
        folder = path.rpartition("/")[0] or "."
        self.seconds[folder] += report.duration
        self.tests[folder].add(report.nodeid)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not self.seconds:
            return
        terminalreporter.section("work per test folder (summed over workers)")
        for folder, seconds in sorted(self.seconds.items(), key=lambda item: -item[1]):
            terminalreporter.write_line(
                f"{seconds:8.1f} s {seconds / 60:6.2f} min {len(self.tests[folder]):5d} tests  {folder}"
            )


STORE = tempfile.TemporaryDirectory(prefix="outthink-tests-")


def pytest_configure(config: pytest.Config) -> None:
    # No test, and no command that a test runs, writes into the store of whoever runs the tests.
    os.environ["OUTTHINK_STORE"] = str(Path(STORE.name) / "runs.sqlite")
    # A shell without job control starts what is in its background with Ctrl-C ignored, and so would be all that tests start.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if hasattr(config, "workerinput"):
        # Two workers with two threads each on two cores wait for each other at every barrier of the arithmetic.
        os.environ.setdefault("OMP_NUM_THREADS", "1")
    else:  # xdist's workers print nothing
        config.pluginmanager.register(FolderSeconds(), "folder-seconds")
    # Only here, for it imports numpy, which reads OMP_NUM_THREADS once.
    from tests.needs import VARIABLE, demanded

    demanded(os.environ.get(VARIABLE, ""))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    from tests.needs import need

    for mark in item.iter_markers("needs"):
        need(*mark.args)
    if item.get_closest_marker("local_model"):
        need("local-model")
