"""What `outthink demo` does, from the engine to the report.

Exit status: 0 done, 1 refused (the model is missing, the folder cannot be written) or a budget was passed, 130 ended by Ctrl-C; what is
done by then is shown and written all the same.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from outthink.core.cut import Cut
from outthink.core.errors import InputError, OutthinkError, explain
from outthink.core.session import Session
from outthink.demo.page import page
from outthink.demo.plan import Plan, plan
from outthink.demo.processes import parts_of
from outthink.demo.progress import Progress
from outthink.demo.record import environment, record
from outthink.demo.running import Finished, run_all
from outthink.demo.scoring import Summary, summarise
from outthink.demo.table import closing, every_kind
from outthink.engines.engine import Engine

FOLDER = Path("outthink-demo")
INTERRUPTED = 130


def run_demo(quick: bool = False, more: bool = False, out: Path | None = None, seed: int = 1) -> int:
    """Solve, compare, show and write the report to `out` (default: `outthink-demo` in the current folder); the exit status."""
    console = Console(highlight=False)
    try:
        folder = _folder(out)
        engine = _open()
        return asyncio.run(_demonstrate(plan(quick=quick, more=more, seed=seed), engine, folder, console))
    except OutthinkError as error:
        print(f"outthink demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED


async def _demonstrate(planned: Plan, engine: Engine, folder: Path, console: Console) -> int:
    try:
        finished = await demonstrate(planned, engine, console)
    finally:
        await engine.close()
    where = environment(engine)
    summaries = summaries_of(finished)
    if not summaries:
        console.print("Ended before the first problems were done; nothing was written.")
        return INTERRUPTED
    (folder / "report.html").write_text(page(finished, summaries, where), encoding="utf-8")
    (folder / "results.json").write_text(record(finished, summaries, where), encoding="utf-8")
    console.print(every_kind(summaries, finished))
    console.print(closing(finished, where["engine"], str(folder / "report.html")))
    if finished.interrupted:
        return INTERRUPTED
    return 0 if all(summary.held for summary in summaries) else 1


async def demonstrate(planned: Plan, engine: Engine, console: Console) -> Finished:
    """Run the plan on an engine, with progress on the console. Ctrl-C ends it early with what is done."""
    cut = Cut()
    progress = Progress(console, planned)
    session = Session.open(seed=planned.seed, sinks=[progress], cut=cut)
    before = engine.counters()
    try:
        with progress, _interruptible(cut):
            finished = await run_all(planned, lambda kind: parts_of(kind, planned, engine), session, progress)
    finally:
        session.close()
    finished.counted = engine.counters() - before
    return finished


def summaries_of(finished: Finished) -> list[Summary]:
    """The numbers of each kind of which anything is done."""
    return [summarise(kind, finished.solved[kind], finished.seconds[kind], finished.plan) for kind in finished.kinds]


@contextmanager
def _interruptible(cut: Cut) -> Iterator[None]:
    """The first Ctrl-C fires the cut; the handler is gone then, so a second one ends the program."""
    loop = asyncio.get_running_loop()

    def interrupt() -> None:
        loop.remove_signal_handler(signal.SIGINT)
        cut.fire("interrupt")

    loop.add_signal_handler(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)


def _open() -> Engine:
    """The embedded engine. Raises `ModelMissing`, which says how to install what is missing."""
    from outthink.engines.local import Local

    engine = Local().open()
    if not isinstance(engine, Engine):
        raise InputError(f"The embedded engine is no engine but {type(engine).__name__}.")
    return engine


def _folder(out: Path | None) -> Path:
    folder = out if out is not None else FOLDER
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            explain(
                "The report's folder cannot be made.",
                got=str(folder),
                expected="a folder that can be written",
                remedy=f"Give another one with --out ({error.strerror}).",
            )
        ) from None
    return folder
