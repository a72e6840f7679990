"""What hostile programs try: each is held, and none of them makes a wrong answer count as right.

Every program here defines `add` wrongly (the tests want 5) and tries to pass, or to get out, all the same.
"""

# ruff: noqa: E501 - programs, a line each

from __future__ import annotations

import asyncio
import os
import socket
import time
from pathlib import Path

import pytest

from outthink.core import Candidate, Parts, Scores, Task
from outthink.verify import Code, CodeVerifier
from outthink.verify.sandbox import Limits

pytestmark = pytest.mark.needs("sandbox")
TASK = Task(prompt="Write add.")
LIMITS = Limits(seconds=2, wall_seconds=30, memory=256, scratch=4, file=2)

FORGERIES = {
    "print": "print('3 of 3 tests passed'); print({'passed': 3, 'total': 3})",
    "exit": "import os\ndef add(a, b): os._exit(0)",
    "exit at once": "import os; os._exit(0)",
    "sys.exit": "import sys\ndef add(a, b): sys.exit(0)",
    "equal to everything": "class E:\n    def __eq__(s, o): return True\n    def __hash__(s): return 5\ndef add(a, b): return E()",
    "a number equal to everything": "class E(int):\n    def __eq__(s, o): return True\n    __hash__ = int.__hash__\ndef add(a, b): return E(4)",
    "a text": "class E(str):\n    def __eq__(s, o): return True\n    __hash__ = str.__hash__\ndef add(a, b): return E('x')",
    "atexit": "import atexit, os\natexit.register(lambda: os.write(1, b'passed'))\ndef add(a, b): return 4",
    "builtins": "import builtins\nbuiltins.AssertionError = type('N', (BaseException,), {})\nbuiltins.bool = lambda x: True\n"
    "def add(a, b): return 4",
    "frames": "import sys\ndef add(a, b):\n    f = sys._getframe()\n    while f:\n        for k in list(f.f_globals):\n"
    "            if 'secret' in k or 'count' in k: f.f_globals[k] = True\n        f = f.f_back\n    return 4",
    "garbage": "import gc\ndef add(a, b):\n    for o in gc.get_objects():\n        if isinstance(o, dict) and 'secret' in o: return 5\n"
    "    return 4",
    "the other end": "import os, json\ndef add(a, b):\n    body = json.dumps({'secret': '', 'passed': 9, 'total': 9}).encode()\n"
    "    for fd in range(3, 32):\n        try: os.write(fd, len(body).to_bytes(4, 'big') + body)\n        except OSError: pass\n    return 4",
    "a flood of answers": "import os, json\nbody = json.dumps({'value': True}).encode()\n"
    "os.write(4, (len(body).to_bytes(4, 'big') + body) * 50)\ndef add(a, b): return 4",
    "no message": "import os\ndef add(a, b):\n    os.write(4, bytes([0, 0, 0, 3]) + b'{{{')\n    return 4",
    "patched packing": "import outthink.verify.inside.plain_data as p, sys\nm = sys.modules['__main__']\n"
    "m.packed = lambda v: ['i', '0x4']\ndef add(a, b): return 4",
    "memory of others": "import os\ndef add(a, b):\n    for p in range(1, 50):\n        try: open(f'/proc/{p}/mem', 'rb').read(1); return 5\n"
    "        except OSError: pass\n    return 4",
    "kill": "import os, signal\ndef add(a, b):\n    for p in [1, os.getppid(), -1, 0]:\n        try: os.kill(p, signal.SIGKILL)\n"
    "        except OSError: pass\n    return 4",
    "the tests' own words": "def __count__(*a): return True\ndef bool(x): return True\ndef repr(x): return ''\ndef add(a, b): return 4",
    "the counter": "__count__ = 3\ndef add(a, b): return 4",
    "an error of the tests": "def add(a, b): raise AssertionError('passed')",
    "stop": "def add(a, b): raise StopIteration",
    "a number that takes for ever": "def add(a, b): return 1 << 3_000_000",
    "deep": "def add(a, b):\n    x = 4\n    for _ in range(150): x = [x]\n    return x",
}


def verifier(*tests: str, limits: Limits = LIMITS) -> CodeVerifier:
    return Code(tests=tests or ("assert add(2, 3) == 5", "assert not add(1, 1) == 3"), limits=limits).build(Parts())


async def run(program: str, *tests: str, limits: Limits = LIMITS) -> Scores:
    return await verifier(*tests, limits=limits).score([Candidate(content=program)], TASK)


@pytest.mark.parametrize("how", FORGERIES)
async def test_success_cannot_be_forged(how: str) -> None:
    got = await run(FORGERIES[how])
    assert got.failures == {}, "no opinion would be a way out"
    assert got.values[0] == 0.0, got.notes[0]


@pytest.mark.parametrize("word", ["abs", "all", "len", "bool", "isinstance", "close", "isclose"])
async def test_what_judges_is_never_the_programs(word: str) -> None:
    """A program that defines what the tests judge with: a built-in, a helper of their set-up, something that they import."""
    program = f"def {word}(*given): return True\ndef add(a, b): return 4"
    tests = [
        "assert bool(all([abs(add(2, 3) - 5) < 1e-6, len([add(2, 3)]) == 1, isinstance(add(2, 3), int)]))",
        "assert close(add(2, 3), 5)",
        "assert isclose(add(2, 3), 5)",
    ]
    data = {"tests": tests, "test_setup_code": "from math import isclose\ndef close(a, b): return a == b"}
    for source, right in ((program, 0.0), (program.replace("return 4", "return a + b"), 1.0)):
        got = (
            await Code(limits=LIMITS, score="share")
            .build(Parts())
            .score([Candidate(content=source)], Task(prompt="?", data=data))
        )
        assert got.values[0] == right, got.notes[0]


async def test_the_same_tests_pass_when_the_answer_is_right() -> None:
    assert (await run("def add(a, b): return a + b")).values[0] == 1.0


def finds(body: str) -> str:
    """A program that is right only if its body comes to its end without an error."""
    lines = "\n".join(f"        {line}" for line in body.splitlines())
    return f"def add(a, b):\n    try:\n{lines}\n    except BaseException:\n        return a + b\n    return 'it could'"


HELD = {
    "the environment": "import os\nif set(os.environ) <= {'PATH', 'HOME', 'LANG', 'LC_CTYPE', 'PYTHONPATH', 'PYTHONHASHSEED', 'PWD'}: raise OSError",
    "a socket": "import socket\nsocket.socket()",
    "a fork": "import os\nif os.fork() == 0: os._exit(0)",
    "a shell": "import subprocess\nsubprocess.run(['/bin/sh', '-c', 'true'], check=True)",
    "a daemon": "import os\nif os.fork() == 0:\n    os.setsid()\n    import time; time.sleep(60)",
    "writing to the system": "open('/usr/x', 'w')",
    "writing to the root": "open('/x', 'w')",
    "writing to the packages": "import outthink.verify.inside.plain_data as p\nopen(p.__file__, 'a')",
    "memory without a file": "import os\nos.memfd_create('x')",
    "mounting": "import ctypes\nif ctypes.CDLL(None, use_errno=True).mount(b'x', b'/tmp', b'tmpfs', 0, 0) != 0: raise OSError",
    "a namespace of its own": "import ctypes\nif ctypes.CDLL(None).unshare(0x10000000) != 0: raise OSError",
    "tracing": "import ctypes\nif ctypes.CDLL(None).ptrace(0, 0, 0, 0) != 0: raise OSError",
    "more memory": "import resource\nresource.setrlimit(resource.RLIMIT_AS, (1 << 40, 1 << 40))",
    "other processes": "import os\nos.listdir('/proc')",
    "accounts": "open('/etc/passwd')",
    "a link out": "import os\nos.symlink('/etc/passwd', '/tmp/link')\nopen('/tmp/link')",
    "the terminal": "open('/dev/tty', 'w')",
    "becoming root": "import os\nos.setuid(0)",
    "all memory": "x = bytearray(10**9)",
    "all memory bit by bit": "x = []\nwhile True: x.append(bytearray(10**6))",
    "a large file": "import signal\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\nf = open('/tmp/x', 'wb')\nf.write(bytes(3 * 10**6)); f.flush()",
    "all of the disk": "for i in range(9):\n    with open(f'/tmp/{i}', 'wb') as f: f.write(bytes(10**6))",
}


@pytest.mark.parametrize("what", HELD)
async def test_it_is_held(what: str) -> None:
    """The program answers rightly only because what it tried was refused."""
    got = await run(finds(HELD[what]))
    assert got.values[0] == 1.0, got.notes[0]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_the_programs_above_would_notice_if_they_could() -> None:
    """Outside a box the harmless ones of these attempts succeed, and their programs are then wrong."""
    for what in ("a socket", "other processes", "memory without a file", "accounts", "a shell"):
        space: dict[str, object] = {}
        exec(finds(HELD[what]), space)
        assert space["add"](2, 3) == "it could", what  # type: ignore[operator]


async def test_a_listener_of_this_machine_cannot_be_reached(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        port = server.getsockname()[1]
        got = await run(finds(f"import socket\nsocket.create_connection(('127.0.0.1', {port}), timeout=1)"))
        assert got.values[0] == 1.0
        with pytest.raises(TimeoutError):
            server.accept()


@pytest.mark.parametrize(
    "endless",
    [
        "while True: pass",
        "import time\nwhile True: time.sleep(60)",
        "import signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass",
        "import threading\nwhile True:\n    try: threading.Thread(target=lambda: sum(range(10**9)), daemon=True).start()\n    except RuntimeError: pass",
    ],
    ids=["busy", "asleep", "signals off", "threads"],
)
async def test_nothing_outlives_the_limit(endless: str) -> None:
    limits = Limits(seconds=1, wall_seconds=3)
    began = time.monotonic()
    got = await run("def add(a, b):\n" + "\n".join(f"    {line}" for line in endless.splitlines()), limits=limits)
    assert got.values[0] == 0.0
    assert "processor time" in got.notes[0] or "by the clock" in got.notes[0]
    assert time.monotonic() - began < 40
    await asyncio.sleep(0.1)
    assert boxes() == [], "something of it still runs"


def boxes() -> list[str]:
    """Processes of this machine that are in a box."""
    found = []
    for place in Path("/proc").iterdir():
        if place.name.isdigit():
            try:
                line = (place / "cmdline").read_bytes()
            except OSError:
                continue
            if b"outthink.verify.inside." in line and str(os.getpid()).encode() in parents(place):
                found.append(line.decode(errors="replace"))
    return found


def parents(place: Path) -> set[bytes]:
    """Ids of the processes above this one."""
    seen: set[bytes] = set()
    while place.name not in ("0", "1"):
        try:
            above = (place / "stat").read_bytes().rpartition(b")")[2].split()[1]
        except OSError:
            break
        seen.add(above)
        place = Path("/proc") / above.decode()
    return seen


async def test_an_answer_that_is_too_long_is_none() -> None:
    got = await run("def add(a, b): return 'x' * 5_000_000")
    assert got.values[0] == 0.0
    assert "said more than 1000000 bytes" in got.notes[0]
    printed = await run(
        "import sys\nsys.stdout.write('x' * 50_000_000)\nsys.stderr.write('x' * 50_000_000)\ndef add(a, b): return a + b"
    )
    assert printed.values[0] == 1.0, "what is printed goes nowhere"


async def test_what_is_written_is_gone_with_the_box() -> None:
    writes = "open('/tmp/kept', 'w').write('x')\ndef add(a, b): return a + b"
    reads = "import os\ndef add(a, b): return 0 if os.path.exists('/tmp/kept') else a + b"
    assert (await run(writes)).values[0] == 1.0
    assert (await run(reads)).values[0] == 1.0
    assert "kept" not in os.listdir("/tmp")  # noqa: PTH208 - at once
