"""How the commands are run: in this process where that shows all there is to see, in one of their own for signals and tracebacks."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from outthink.cli.main import outthink
from tests.cli.running import Outthink

PLUGIN = '''
"""An engine that takes its time, and says by a file when two of its replies are out."""
import pathlib
from outthink.core.component import EngineSettings
from outthink.engines.scripted import END, Behaviour, ScriptedEngine


class Slow(EngineSettings):
    """Slow replies, one at a time."""

    mark: str = "mark"
    """The file that is written when the third request begins."""

    def open(self):
        seen = set()

        def script(text):
            return {END: 1.0} if text.endswith("42") else {"42": 1.0}

        engine = ScriptedEngine(script, behaviour=Behaviour(call_seconds=0.2, slots=1))
        settle, self_mark = engine.generate, pathlib.Path(self.mark)

        async def generate(requests, *, cut=None):
            replies = []
            for i, request in enumerate(requests):
                if len(seen) == 2:
                    self_mark.write_text("x")
                seen.add(request.seed)
                replies += await settle([request], cut=cut)
            return replies

        engine.generate = generate
        return engine
'''


@pytest.fixture
def cli() -> Outthink:
    """Run a command in this process; standard output and standard error are apart."""

    def run(*arguments: str, stdin: str | None = None) -> Result:
        return CliRunner().invoke(outthink, list(arguments), input=stdin, prog_name="outthink")

    return run


@pytest.fixture
def plugged_in(tmp_path: Path) -> dict[str, str]:
    """An environment in which a plug-in is installed: a module and the metadata of its package."""
    place = tmp_path / "site"
    metadata = place / "slow_engine-1.0.dist-info"
    metadata.mkdir(parents=True)
    (place / "slow_engine.py").write_text(PLUGIN)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: slow-engine\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[outthink.plugins]\nengine.slow = slow_engine:Slow\nverifier.broken = slow_engine:NotThere\n"
    )
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(place), os.environ.get("PYTHONPATH", "")])}
