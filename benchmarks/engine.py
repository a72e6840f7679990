"""The embedded engine against the same library's in-process server with one slot: tokens a second, with a shared prefix of 256 tokens.

    .venv/bin/python benchmarks/engine.py [--sequences 1,4,8,16,32] [--repeats 5] [--weights as-shipped] [--price]

Both sides run in this process, one after the other, alternating, on the same file, threads, spin setting and sampler (temperature 0.8, end
tokens forbidden). Warm: the prefix is in the cache on both sides. Cold: the server's prefix cache is off, and ours is given a prefix that
it has not seen. Printed are medians and ranges over the repeats, by the wall clock and by processor time; on a shared machine the second
is the steadier one. `--price` adds what the deterministic mode costs. Goals at 16 sequences: 3.0 times warm, 5 times cold.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from outthink.core.errors import Failure
from outthink.engines import Request, Sampling, TokenPrompt
from outthink.engines.local import Local, LocalEngine
from outthink.engines.local.engine import model_file
from outthink.engines.local.library import let_threads_sleep
from outthink.engines.local.statistics import EngineStatistics
from outthink.engines.local.weights import re_rounded

PREFIX = 256
GOALS = {"warm": 3.0, "cold": 5.0}
TEMPERATURE = 0.8


@dataclass
class Times:
    """Tokens a second of each repeat, by the wall clock and by processor time (of all threads, times the threads)."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)


def prefix_of(number: int) -> tuple[int, ...]:
    """A prefix of 256 ordinary tokens that no other number shares a beginning with."""
    return (5000 + number, *(1000 + (31 * i * i + 7 * i + number) % 9000 for i in range(PREFIX - 1)))


class Server:
    """xllamacpp's own server in this process: one slot."""

    def __init__(self, file: str, threads: int) -> None:
        import xllamacpp

        parameters = xllamacpp.CommonParams()
        parameters.model.path = file
        parameters.n_parallel = 1
        parameters.n_ctx = 4096
        parameters.verbosity = -1
        parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = threads
        self._server = xllamacpp.Server(parameters)

    def run(self, prefix: Sequence[int], n: int, tokens: int, *, warm: bool) -> None:
        """`n` replies, one after the other."""
        for seed in range(n):
            asked = {
                "prompt": list(prefix),
                "n_predict": tokens,
                "temperature": TEMPERATURE,
                "samplers": ["temperature"],
                "ignore_eos": True,
                "cache_prompt": warm,
                "seed": seed,
            }
            reply = self._server.handle_completions(asked)
            reply = json.loads(reply) if isinstance(reply, str) else reply
            if reply.get("usage", {}).get("completion_tokens") != tokens:
                raise SystemExit(f"the server did not generate {tokens} tokens: {reply}")


class Ours:
    """The embedded engine, `n` replies at once."""

    def __init__(self, settings: Local) -> None:
        self.engine = LocalEngine(settings)
        ends = sorted(self.engine.tokenizer.end_tokens)
        self._sampling = Sampling(temperature=TEMPERATURE, logit_bias={str(token): -float("inf") for token in ends})

    def run(self, prefix: Sequence[int], n: int, tokens: int) -> EngineStatistics:
        """`n` replies; what the engine did for them."""
        before = self.engine.statistics
        prompt = TokenPrompt(tuple(prefix))
        requests = [Request(prompt=prompt, seed=s, max_tokens=tokens, sampling=self._sampling) for s in range(n)]
        for reply in asyncio.run(self.engine.generate(requests)):
            if isinstance(reply, Failure) or len(reply.tokens or ()) != tokens:
                raise SystemExit(f"the engine did not generate {tokens} tokens: {reply}")
        return self.engine.statistics - before


def measure(times: Times, tokens: int, threads: int, work: Callable[[], Any]) -> Any:
    """Run `work`, which makes `tokens` tokens, and note how fast."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    times.wall.append(tokens / (time.perf_counter() - wall))
    times.cpu.append(tokens * threads / (time.process_time() - cpu))
    return result


def show(values: Sequence[float]) -> str:
    """Median and range."""
    return f"{statistics.median(values):6.1f} ({min(values):.0f}-{max(values):.0f})"


def compare(ours: Ours, server: Server, sizes: Sequence[int], options: argparse.Namespace, threads: int) -> None:
    """The table of both sides."""
    print(f"{'n':>3} {'':5} {'ours, tokens/s':>22} {'server, tokens/s':>22} {'ratio':>6} {'by processor time':>18}")
    fresh = 0
    for n in sizes:
        for mode in ("warm", "cold"):
            mine, theirs = Times(), Times()
            done = EngineStatistics()
            for _ in range(options.repeats):
                fresh += 1
                prefix = prefix_of(fresh)
                if mode == "warm":
                    ours.run(prefix, 1, 1)
                    server.run(prefix, 1, 1, warm=True)
                total = n * options.tokens
                did = measure(mine, total, threads, partial(ours.run, prefix, n, options.tokens))
                done = EngineStatistics(**{k: getattr(done, k) + getattr(did, k) for k in vars(done)})
                measure(theirs, total, threads, partial(server.run, prefix, n, options.tokens, warm=mode == "warm"))
            ratio = statistics.median(mine.wall) / statistics.median(theirs.wall)
            steady = statistics.median(mine.cpu) / statistics.median(theirs.cpu)
            print(
                f"{n:3} {mode:5} {show(mine.wall):>22} {show(theirs.wall):>22} {ratio:6.2f} {steady:18.2f}", flush=True
            )
            if n == 16:
                print(f"    goal {GOALS[mode]}: {'reached' if ratio >= GOALS[mode] else 'missed'}")
                breakdown(ours, done, n, threads)


def breakdown(ours: Ours, done: EngineStatistics, n: int, threads: int) -> None:
    """Where the time of a step goes. Attention is what a step costs beyond one of the same rows over a prefix of two tokens."""
    steps = max(1, done.steps)
    decode, sampling, python = (ms / steps for ms in (done.decode_ms, done.sampling_ms, done.python_ms))
    short = ours.run((7, 8), n, 8)
    matmul = short.decode_ms / short.steps
    whole = decode + sampling + python
    print(
        f"    a step: matmul {min(matmul, decode):.1f} ms, attention {max(0.0, decode - matmul):.1f} ms, sampling {sampling:.2f} ms "
        f"({sampling / whole:.1%}), Python {python:.2f} ms ({python / whole:.1%}); {threads} threads"
    )


def price(settings: dict[str, Any], options: argparse.Namespace, threads: int) -> None:
    """What determinism costs: one sequence, sixteen, and a prompt of 1,024 tokens, against the default mode in the same run."""
    engines = {
        name: Ours(Local(**settings, deterministic=name == "deterministic")) for name in ("default", "deterministic")
    }
    print("\nprice of the deterministic mode, tokens/s by the wall clock and by processor time")
    for what, n, tokens, prefix in (
        ("1 sequence", 1, 48, 256),
        ("16 sequences", 16, 48, 256),
        ("prompt of 1,024", 1, 1, 1024),
    ):
        times = {name: Times() for name in engines}
        for repeat in range(options.repeats):
            for name, ours in engines.items():
                content = tuple((7 * i + 13 * repeat) % 9000 + 1000 for i in range(prefix))
                total = n * tokens if tokens > 1 else prefix
                if tokens > 1:
                    ours.run(content, 1, 1)
                measure(times[name], total, threads, partial(ours.run, content, n, tokens))
        one, two = times["default"], times["deterministic"]
        print(
            f"{what:16} default {show(one.wall)}, deterministic {show(two.wall)}: "
            f"{statistics.median(two.wall) / statistics.median(one.wall):.2f} of the speed, "
            f"{statistics.median(two.cpu) / statistics.median(one.cpu):.2f} by processor time",
            flush=True,
        )
    for ours in engines.values():
        ours.engine.close_now()


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sequences", default="1,4,8,16,32")
    parser.add_argument("--tokens", type=int, default=64, help="tokens a reply")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--model", default=None, help="a GGUF file for both sides; the embedded model if left out")
    parser.add_argument("--weights", default="q8_0", choices=("as-shipped", "q8_0"), help="for both sides")
    parser.add_argument("--price", action="store_true", help="also measure the deterministic mode")
    options = parser.parse_args()
    # Before either side loads the library: one spin setting for both.
    let_threads_sleep(os.environ)
    file = str(re_rounded(model_file(options.model)) if options.weights == "q8_0" else model_file(options.model))
    settings: dict[str, Any] = {"model": file, "weights": "as-shipped"}
    threads = Local().thread_count()
    ours, server = Ours(Local(**settings)), Server(file, threads)
    load = os.getloadavg()[0]
    print(
        f"{ours.engine.name}\nspin {os.environ.get('GOMP_SPINCOUNT', 'as set')}, load average {load:.1f}, {options.tokens} tokens a reply"
    )
    if load > 1:
        print("the machine is busy: trust the ratios by processor time more than those by the wall clock")
    compare(ours, server, [int(n) for n in options.sequences.split(",")], options, threads)
    ours.engine.close_now()
    if options.price:
        price(settings, options, threads)


if __name__ == "__main__":
    main()
