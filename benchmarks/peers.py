"""A particle filter of 8 members over 6 steps of 20 tokens: ours on the embedded engine, against its-hub 1.2.0 over HTTP.

    .venv/bin/python benchmarks/peers.py [--runs 3] [--venv FOLDER]

its-hub runs in a virtual environment of its own (made here), against llama.cpp's HTTP server from the same wheel that the embedded engine
uses: same file, same threads, 8 slots of 4,096 tokens with a cache each (its best setting here), prompt cache on. It runs as released, and
helped: without the assistant prefix that this server repeats in its replies and that its-hub takes for new text. Both sides draw at
temperature 0.8, resample at every step (multinomial), and are judged by the same cheap function of the text. Runs alternate; failures are
printed and not timed.

Goals: at least 5 times faster, and prompt tokens processed at most 1.1 times the ideal (every distinct prompt token once).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
import venv
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from outthink.core import Budget, LogMap, Message, Result, Search, Session, Task
from outthink.engines import Sampling
from outthink.engines.local import Local, LocalEngine
from outthink.engines.local.engine import model_file
from outthink.engines.local.weights import re_rounded
from outthink.search import Incremental, ParticleFilter
from outthink.text import TextProcess, Tokens
from outthink.verify import as_verifier

N, STEPS, TOKENS = 8, 6, 20
QUESTION = "Write a story about a lighthouse keeper who finds a message in a bottle."
PEER = "its_hub[lm]==1.2.0"
SERVER = """
import sys, time, xllamacpp
p = xllamacpp.CommonParams()
p.model.path = sys.argv[1]
p.n_ctx, p.n_parallel, p.port, p.verbosity = 8 * 4096, 8, 0, 0
p.cpuparams.n_threads = p.cpuparams_batch.n_threads = int(sys.argv[2])
p.kv_unified = sys.argv[3] == "unified"
p.endpoint_metrics = True
server = xllamacpp.Server(p)
print(server.listening_address, flush=True)
time.sleep(3600)
"""


@dataclass(frozen=True)
class Measured:
    """One run: wall-clock seconds, tokens generated, prompt tokens computed."""

    seconds: float
    generated: int
    prompt: int

    @property
    def rate(self) -> float:
        """Generated tokens a second."""
        return self.generated / self.seconds


def score(text: str) -> float:
    """A probability that follows from the text: cheap, and the same on both sides."""
    return 0.2 + 0.6 * (zlib.crc32(text.encode()) % 1000) / 1000


async def ours(engine: LocalEngine, question: str, seed: int) -> tuple[Measured, Result]:
    """One run of ours."""
    judge = as_verifier(score, kind="step-reward", partial=True, low=0.0, high=1.0, log_map=LogMap.ODDS)
    method = ParticleFilter(n=N, ess_threshold=1, resampling="multinomial", twist=Incremental())
    before = engine.statistics

    def process(task: Task) -> TextProcess:
        return TextProcess(
            engine,
            task,
            stepper=Tokens(n=TOKENS),
            max_tokens=STEPS * TOKENS,
            sampling=Sampling(temperature=0.8),
            log_probs=False,
        )

    session = Session.open(seed=seed, budget=Budget(tokens=100_000))
    began = time.perf_counter()
    result = await Search(process, method, judge).solve(Task(prompt=question), session)
    seconds = time.perf_counter() - began
    session.close()
    did = engine.statistics - before
    return Measured(seconds, result.cost.output_tokens, did.prefilled + did.recomputed), result


@contextmanager
def server(path: Path, threads: int, cells: str) -> Iterator[str]:
    """The library's HTTP server in a process of its own."""
    command = [sys.executable, "-c", SERVER, str(path), str(threads), cells]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as running:
        try:
            address = next((line.strip() for line in running.stdout or () if line.startswith("http")), "")
            if not address:
                raise SystemExit("the server did not start")
            yield address
        finally:
            running.kill()


def metrics(url: str) -> dict[str, float]:
    """The server's own counters."""
    with urllib.request.urlopen(f"{url}/metrics", timeout=10) as reply:
        lines = reply.read().decode().splitlines()
    return {
        name: float(value) for name, _, value in (line.partition(" ") for line in lines if not line.startswith("#"))
    }


def theirs(python: Path, url: str, question: str, mode: str) -> Measured | None:
    """One run of its-hub; None when it failed."""
    before = metrics(url)
    worker = Path(__file__).with_name("peers_its_hub.py")
    command = [str(python), str(worker), url, question, str(N), str(STEPS), str(TOKENS), mode]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode:
        print(f"its-hub failed: {done.stderr.strip().splitlines()[-1:]}")
        return None
    after, said = metrics(url), json.loads(done.stdout.splitlines()[-1])
    prompt = int(after["llamacpp:prompt_tokens_total"] - before["llamacpp:prompt_tokens_total"])
    return Measured(said["seconds"], said["generated"], prompt)


def peer_python(folder: Path) -> Path:
    """its-hub's own virtual environment."""
    python = folder / "bin" / "python"
    if not python.exists():
        print(f"making a virtual environment with {PEER}")
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "-q", PEER], check=True)
    return python


def spread(values: Sequence[float], digits: int = 2) -> str:
    """Median and range."""
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def report(mine: Sequence[Measured], peers: dict[str, list[Measured]], ideal: int) -> int:
    """Print both sides and the ratios; the exit status is 1 when a goal is missed."""
    for name, runs in {"outthink, embedded": mine, **{f"its-hub, {mode}": r for mode, r in peers.items()}}.items():
        print(
            f"{name:<20} {len(runs)} runs  seconds {spread([m.seconds for m in runs])}  "
            f"generated {spread([m.generated for m in runs], 0)}  prompt tokens computed {spread([m.prompt for m in runs], 0)}  "
            f"tokens/s {spread([m.rate for m in runs], 0)}"
        )
    seconds = statistics.median(m.seconds for m in mine)
    faster = {mode: statistics.median(m.seconds for m in runs) / seconds for mode, runs in peers.items()}
    share = statistics.median(m.prompt for m in mine) / ideal
    print(
        f"\nfaster than its-hub as released: {faster['released']:.1f} times; helped: {faster['helped']:.1f} times; goal 5"
    )
    print(f"prompt tokens computed: {share:.2f} of the ideal {ideal}; goal at most 1.1")
    return int(min(faster.values()) < 5 or share > 1.1)


async def compare(runs: int, folder: Path, threads: int) -> int:
    """Alternate both sides."""
    python = peer_python(folder)
    engine = Local(threads=threads, weights="q8_0").open()
    path = re_rounded(model_file(None))
    with server(path, threads, "split") as url:
        peers: dict[str, list[Measured]] = {"released": [], "helped": []}
        mine: list[Measured] = []
        # The first run of each side warms it up and is not counted.
        for run in range(runs + 1):
            # Each run asks something new, so that nobody finds the whole prompt in a cache.
            question = f"Story {run + 1}. {QUESTION}"
            measured, result = await ours(engine, question, run)
            found = {mode: theirs(python, url, question, mode) for mode in peers}
            if run:
                mine.append(measured)
                for mode, one in found.items():
                    if one is not None:
                        peers[mode].append(one)
            print(f"run {run}: ours {measured.seconds:.2f} s ({result.stop.value}), its-hub {found}", flush=True)
    ideal = len(engine.tokenizer.chat([Message("user", f"Story 1. {QUESTION}")]))
    await engine.close()
    return report(mine, peers, ideal)


def main(argv: Sequence[str] | None = None) -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--venv", type=Path)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    given = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(compare(given.runs, given.venv or Path(folder), given.threads))


if __name__ == "__main__":
    raise SystemExit(main())
