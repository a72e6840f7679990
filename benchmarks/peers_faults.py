"""The tests of reliability on three sides: ours, its-hub 1.2.0 and optillm 0.4.0, against one scripted backend on loopback.

    .venv/bin/python benchmarks/peers_faults.py [--folder build/peers] [--only latency,bill] [--out docs/compare.json]

Each side runs best-of-8 with a judge of the same model, its own code for both, in a process of its own; its-hub and optillm in virtual
environments that are made here (optillm's brings torch: the processor build is asked for, because nothing here uses a graphics card).
What each side says is held against what the backend counted. Settings are the defaults, but for the address, the number of samples, the
longest reply and, where there is one, the limit in flight. optillm is a server: it is asked over HTTP, one request a thread.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import venv
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from peers_faults_backend import JUDGES, TASK, backend

from outthink.testing.openai_server import Fault, OpenAIServer, Personality, every

PEERS = {"its-hub": ["its_hub[lm]==1.2.0"], "optillm": ["torch==2.13.0+cpu", "optillm==0.4.0"]}
SECONDS = 0.2
PATIENCE = 8.0
Outcome = dict[str, Any]


# -- the three sides ------------------------------------------------------------------------------------------------


def plain(**habits: Any) -> Personality:
    """A backend that holds replies to no schema: its-hub's judge asks for one, and reads its verdict without it as well."""
    return Personality(schema="ignored", **habits)


class Side:
    """One library: `ask` runs requests and tells what came of them; None: nothing within the patience of this benchmark."""

    def __init__(self, name: str, python: Path, worker: str) -> None:
        self.name, self._python, self._worker = name, python, Path(__file__).with_name(worker)

    def ask(self, server: OpenAIServer, patience: float = 90.0, **asked: Any) -> Outcome | None:
        body = json.dumps({"url": server.base_url, "what": "solve", **asked})
        command = [str(self._python), str(self._worker), body]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as running:
            if asked.get("probe") == "once" and running.stdout and running.stdin:
                # What a server can do is looked up once, before the clock runs.
                running.stdout.readline()
                server.reset()
                running.stdin.write("go\n")
                running.stdin.flush()
            return self._heard(running, server, patience, asked)

    def _heard(
        self, running: subprocess.Popen[str], server: OpenAIServer, patience: float, asked: Outcome
    ) -> Outcome | None:
        moment: Outcome = {}
        if asked.get("cancel") and running.stdin:
            until_busy(server, asked["cancel"])
            before = server.counters.requests
            running.stdin.write("cancel\n")
            running.stdin.flush()
            moment = noted(server, before)
        try:
            said, errors = running.communicate(timeout=patience)
        except subprocess.TimeoutExpired:
            running.kill()
            return None
        if running.returncode:
            raise SystemExit(f"{self.name} failed: {errors[-2000:]}")
        return {**json.loads(said.splitlines()[-1]), **moment}


class Optillm(Side):
    """optillm's server, asked over HTTP."""

    def __init__(self, python: Path) -> None:
        self.name, self._command = "optillm", python.with_name("optillm")

    def ask(self, server: OpenAIServer, patience: float = 90.0, **asked: Any) -> Outcome | None:
        with self._serving(server) as (address, process):
            if asked.get("what") == "settings":
                return self._settings(address, patience)
            threads = [thread_count(process)]
            ended = threading.Event()

            def watch() -> None:
                while not ended.wait(0.02):
                    threads.append(thread_count(process))

            watching = threading.Thread(target=watch)
            watching.start()
            began = time.perf_counter()
            count = asked.get("requests", 1)
            longest = [asked.get("max_tokens", 8) + (i if asked.get("apart") else 0) for i in range(count)]
            if asked.get("cancel"):
                ended.set()
                return left(address, server)
            with ThreadPoolExecutor(count) as pool:
                results = list(pool.map(lambda most: posted(address, {"max_tokens": most}, patience), longest))
            seconds = time.perf_counter() - began
            ended.set()
            watching.join()
            if all(one is None for one in results):
                return None
            return {"results": results, "seconds": seconds, "threads": max(threads) - threads[0]}

    def _settings(self, address: str, patience: float) -> Outcome:
        fields: dict[str, Outcome] = {
            "n = 0": {"n": 0},
            "n = -3": {"n": -3},
            "temperature = 'hot'": {"temperature": "hot"},
            "misspelt setting": {"temprature": 0.3},
            "budget = -5": {"max_tokens": -5},
        }
        met = {}
        for name, body in fields.items():
            got = posted(address, {"max_tokens": 8, **body}, patience)
            refused = got is None or "error" in got
            met[name] = (
                f"refused: {(got or {}).get('status')} {(got or {}).get('told', '')[:60]}"
                if refused
                else f"accepted: {got}"[:90]
            )
        return {"settings": met}

    @contextmanager
    def _serving(self, server: OpenAIServer) -> Iterator[tuple[str, int]]:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        command = [
            str(self._command),
            "--port",
            str(port),
            "--base-url",
            server.base_url,
            "--approach",
            "bon",
            "--best-of-n",
            "8",
        ]
        # No question goes out to any network from this process: libraries that would ask a model hub are told not to.
        environment = {
            **os.environ,
            "OPENAI_API_KEY": "none",
            "HF_HUB_OFFLINE": "1",
            "TRANSFORMERS_OFFLINE": "1",
            "OPTILLM_API_KEY": "",
        }
        process = subprocess.Popen(
            [*command, "--model", "scripted", "--log", "error"],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        address = f"http://127.0.0.1:{port}/v1/chat/completions"
        try:
            for _ in range(1200):
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1).read()
                    break
                except OSError:
                    time.sleep(0.1)
            else:
                raise SystemExit("optillm's server did not start")
            server.reset()
            yield address, process.pid
        finally:
            process.kill()
            process.wait()


def posted(address: str, fields: Outcome, patience: float) -> Outcome | None:
    """One request to optillm's server; None when nothing came within the patience (the connection is then closed)."""
    body = {"model": "scripted", "messages": [{"role": "user", "content": TASK}], **fields}
    request = urllib.request.Request(address, json.dumps(body).encode(), {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=patience) as reply:
            said = json.load(reply)
    except urllib.error.HTTPError as error:
        return {"error": "HTTPError", "status": error.code, "told": error.read().decode()[:200]}
    except (TimeoutError, urllib.error.URLError):
        return None
    first = said["choices"][0]["message"]["content"] if said.get("choices") else None
    return {"answer": first, "reported": said.get("usage", {}).get("completion_tokens"), "candidates": None}


def thread_count(process: int) -> int:
    """Threads of a process."""
    return len(list(Path(f"/proc/{process}/task").iterdir()))


def until_busy(server: OpenAIServer, calls: int) -> None:
    """Wait until the backend has so many calls."""
    ends = time.monotonic() + 30
    while server.counters.in_flight < calls:
        if time.monotonic() > ends:
            raise SystemExit(f"the backend never had {calls} calls")
        time.sleep(0.002)


def noted(server: OpenAIServer, before: int) -> Outcome:
    """How many calls there were before the cancel, and what is still being answered half a second later."""
    time.sleep(0.5)
    return {"at_cancel": before, "in_flight_after": server.counters.in_flight}


def left(address: str, server: OpenAIServer) -> Outcome:
    """One request to optillm's server whose client closes its connection as soon as the backend has the call."""
    where = urllib.parse.urlsplit(address)
    body = json.dumps({"model": "scripted", "messages": [{"role": "user", "content": TASK}], "max_tokens": 8})
    connection = http.client.HTTPConnection(where.hostname or "", where.port)
    connection.request("POST", where.path, body, {"content-type": "application/json"})
    until_busy(server, 1)
    before = server.counters.requests
    connection.close()
    moment = noted(server, before)
    time.sleep(3.0)
    return {"results": [], **moment}


# -- the tests ------------------------------------------------------------------------------------------------------


def bill(side: Side) -> Outcome:
    """Reported output tokens against those that the backend counted, judge included."""
    with backend(plain()) as server:
        got = side.ask(server) or {}
        (one,) = got["results"]
        return {"reported": one.get("reported"), "counted": server.counters.output_tokens, "error": one.get("error")}


def budget(side: Side) -> Outcome:
    """A cap of 2,000 tokens (output and uncached input): what the backend counted, and whether an answer came."""
    with backend(plain()) as server:
        (one,) = (side.ask(server, tokens=2000) or {})["results"]
        counted = server.counters
        used = counted.input_tokens - counted.cached_input_tokens + counted.output_tokens
        return {
            "counted tokens": used,
            "calls": server.counters.calls,
            "answer": one.get("answer"),
            "stop": one.get("stop", "no cap can be set"),
        }


def latency(side: Side) -> Outcome:
    """Eight samples and eight judgements at 200 ms, with a backend that takes `n` and one that ignores it: seconds, candidates."""
    found: Outcome = {}
    for name, personality in {
        "n taken": plain(first_seconds=SECONDS),
        "n ignored": plain(first_seconds=SECONDS, n="ignored"),
    }.items():
        with backend(personality) as server:
            more = {"probe": "once", "n": True} if side.name == "outthink" else {}
            got = side.ask(server, **more) or {}
            drafts = sum(told.startswith("draft") for told in server.told)
            found[name] = {"seconds": round(got["seconds"], 3), "calls": server.counters.calls, "candidates": drafts}
    return found


def in_flight(side: Side) -> Outcome:
    """Sixteen requests of 8 samples and 8 judgements at 32 calls in flight: seconds by the ideal."""
    with backend(plain(first_seconds=SECONDS)) as server:
        got = side.ask(server, requests=16, limit=32) or {}
        ideal = max(server.counters.calls, 256) / 32 * SECONDS
        return {
            "seconds": round(got["seconds"], 3),
            "ideal": ideal,
            "ratio": round(got["seconds"] / ideal, 2),
            "calls": server.counters.calls,
            "most in flight": server.counters.most_in_flight,
            "threads more": got["threads"],
        }


def salvage(side: Side) -> Outcome:
    """Ten requests; every second call is refused for good (400): how many are answered."""
    with backend(plain(faults=every(2, Fault("status", status=400, text="scripted refusal")))) as server:
        got = side.ask(server, requests=10) or {}
        return {
            "answered": sum(bool(one and one.get("answer")) and "Error" not in one["answer"] for one in got["results"]),
            "of": 10,
            "marked degraded": sum(bool((one or {}).get("degraded")) for one in got["results"]),
            "errors": dict(Counter((one or {}).get("error") for one in got["results"] if (one or {}).get("error"))),
        }


def invented(side: Side) -> Outcome:
    """Backends that give nothing usable: what the caller gets, and whether any of it is content."""
    faults = {
        "400": Fault("status", status=400, text="scripted refusal"),
        "401": Fault("status", status=401, text="scripted refusal"),
        "500": Fault("status", status=500, text="scripted refusal"),
        "not JSON": Fault("not-json"),
        "no choices": Fault("empty-choices"),
    }
    found: Outcome = {}
    for name, fault in faults.items():
        with backend(plain(faults=every(1, fault))) as server:
            got = side.ask(server, patience=60.0)
            one = got["results"][0] if got else None
            if one is None:
                found[name] = "nothing within 60 s"
            elif one.get("error"):
                told = "its words" if fault.text and fault.text in one["told"] else "no words of the backend"
                found[name] = (
                    f"error {one['error']} {one.get('cause', '')}, status {one.get('status')}, {told}".replace(
                        " ,", ","
                    )
                )
            else:
                found[name] = f"content: {one.get('answer')!r}"
    return found


def hanging(side: Side) -> Outcome:
    """A backend that never answers, and a deadline of 2 s where one can be set: seconds until the caller has something."""
    with backend(plain(faults=every(1, Fault("hang")))) as server:
        got = side.ask(server, patience=PATIENCE, seconds=2.0)
        if got is None:
            return {"seconds": f"more than {PATIENCE:g}", "got": "nothing: no deadline can be set for a request"}
        one = got["results"][0] or {}
        return {"seconds": round(got["seconds"], 2), "got": one.get("stop") or one.get("error")}


def cancelled(side: Side) -> Outcome:
    """Cancelled with eight samples in flight (optillm: one call for eight, whose client goes away), then watched for some seconds."""
    with backend(plain(first_seconds=1.0)) as server:
        got = side.ask(server, cancel=1 if side.name == "optillm" else 8) or {}
        return {
            "calls at the cancel": got["at_cancel"],
            "new calls after": server.counters.requests - got["at_cancel"],
            "still in flight 0.5 s later": got["in_flight_after"],
        }


def side_by_side(side: Side) -> Outcome:
    """Fifty requests at once, each with a longest reply of its own: all answered, none with another one's setting, threads."""
    with backend(plain(first_seconds=0.05)) as server:
        got = side.ask(server, requests=50, apart=True, max_tokens=100, limit=64) or {}
        said = [(body, json.dumps(body["messages"][-1])) for body in server.bodies]
        drafts = [body for body, text in said if TASK in text and not any(json.dumps(m)[1:-1] in text for m in JUDGES)]
        seen = Counter(
            int(body.get("max_tokens") or body.get("max_completion_tokens") or 0)
            for body in drafts
            for _ in range(int(body.get("n") or 1))
        )
        return {
            "answered": sum(bool((one or {}).get("answer")) for one in got["results"]),
            "samples with the wrong setting": sum(abs(seen.get(100 + i, 0) - 8) for i in range(50)),
            "threads more": got["threads"],
            "seconds": round(got["seconds"], 2),
        }


def settings(side: Side) -> Outcome:
    """Settings that mean nothing: refused, or taken in silence."""
    with backend(plain()) as server:
        met: Outcome = (side.ask(server, what="settings") or {})["settings"]
        return met


TESTS: dict[str, Callable[[Side], Outcome]] = {
    "bill": bill,
    "budget": budget,
    "latency": latency,
    "in-flight": in_flight,
    "salvage": salvage,
    "invented": invented,
    "hanging": hanging,
    "cancelled": cancelled,
    "side-by-side": side_by_side,
    "settings": settings,
}


# -- running them ---------------------------------------------------------------------------------------------------


def peer_python(folder: Path, name: str) -> Path:
    """A library's own virtual environment, made where it is missing."""
    python = folder / name / "bin" / "python"
    if not python.exists():
        print(f"making a virtual environment with {' '.join(PEERS[name])}", flush=True)
        venv.create(folder / name, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *PEERS[name]], check=True)
    return python


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("build/peers"), help="where the virtual environments lie")
    parser.add_argument("--only", default=",".join(TESTS), help="tests, separated by commas")
    parser.add_argument("--sides", default="outthink,its-hub,optillm")
    parser.add_argument("--out", type=Path, help="write the outcomes as JSON")
    given = parser.parse_args()
    folder: Path = given.folder.absolute()
    sides: dict[str, Callable[[], Side]] = {
        "outthink": lambda: Side("outthink", Path(sys.executable), "peers_faults_ours.py"),
        "its-hub": lambda: Side("its-hub", peer_python(folder, "its-hub"), "peers_faults_its_hub.py"),
        "optillm": lambda: Optillm(peer_python(folder, "optillm")),
    }
    chosen = [sides[name]() for name in given.sides.split(",")]
    found: dict[str, dict[str, Outcome]] = {}
    for test in given.only.split(","):
        for side in chosen:
            found.setdefault(test, {})[side.name] = TESTS[test](side)
            print(f"{test:<13} {side.name:<9} {json.dumps(found[test][side.name])}", flush=True)
    if given.out is not None:
        given.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
