"""One program against its tests, each in a box of its own; this side hands on what they say to each other.

The tests call the program's functions through stand-ins, and get plain data back (`outthink.verify.inside`). So the program never holds the
tests, their results or the secret with which these are reported, and nothing that it defines, overrides, prints or ends can make a test
pass: all it can do is answer. What it answers is compared where it cannot reach.
"""

from __future__ import annotations

import hmac
import json
import secrets
import threading
import time
from dataclasses import dataclass
from typing import Any

from outthink.core.errors import Failure
from outthink.verify.sandbox import Box, BoxGone, Limits

BROKEN = "SandboxError"


@dataclass(frozen=True)
class Tests:
    """What is asked of a program.

    Attributes:
        source: the tests' own code, with an `assert` for each.
        names: the program's names that the tests may call, the tested function first.
        before: code that comes before both, such as helpers and imports of the task.
        check: the name of a function in `source` that is given the tested function; "" where the tests simply run.
    """

    __test__ = False  # no test of this project's own

    source: str
    names: tuple[str, ...]
    before: str = ""
    check: str = ""


@dataclass(frozen=True)
class Verdict:
    """How many tests passed, and what became of the first that did not. `failure`: why nothing is known."""

    passed: int = 0
    total: int = 0
    note: str = ""
    failure: Failure | None = None

    @property
    def right(self) -> bool:
        """Whether there were tests, and all passed."""
        return 0 < self.total == self.passed

    @property
    def share(self) -> float:
        """The share that passed, 0 where none could be run."""
        return self.passed / self.total if self.total else 0.0


class Examination:
    """Runs once; may be given up from another thread."""

    def __init__(self, program: str, tests: Tests, limits: Limits) -> None:
        self._program, self._tests, self._limits = program, tests, limits
        self._lock = threading.Lock()
        self._boxes: list[Box] = []
        self._gone = threading.Event()

    def run(self) -> Verdict:
        """The verdict. Blocks; takes at most the limits' seconds by the clock for each side, and what starting takes."""
        try:
            with self._opened("candidate_side", {"program": self._program}) as candidate:
                deadline = time.monotonic() + self._limits.wall_seconds
                try:
                    loaded = _document(candidate.receive(deadline))
                except BoxGone as gone:
                    return Verdict(note=f"The program did not get as far as its tests: {gone}.")
                if "raised" in loaded:
                    return Verdict(note=f"The program raised {loaded['raised']}: {loaded.get('said', '')}"[:400])
                return self._tested(candidate, deadline)
        except BoxGone as error:
            return Verdict(failure=Failure(BROKEN, str(error)))

    def give_up(self) -> None:
        """Nobody waits any more: end both sides."""
        self._gone.set()
        with self._lock:
            for box in self._boxes:
                box.kill()

    def _opened(self, side: Any, order: dict[str, Any]) -> Box:
        if self._gone.is_set():
            raise BoxGone("nobody waits for it any more")
        box = Box(side, self._limits, order)
        with self._lock:
            self._boxes.append(box)
        if self._gone.is_set():
            box.kill()
        return box

    def _tested(self, candidate: Box, deadline: float) -> Verdict:
        tests, secret = self._tests, secrets.token_hex(16)
        order = {"before": tests.before, "tests": tests.source, "names": list(tests.names), "check": tests.check}
        gone = ""
        with self._opened("tests_side", {**order, "secret": secret}) as asking:
            over, asked = deadline + self._limits.wall_seconds, 0
            try:
                while True:
                    said = asking.receive(over)
                    document = _document(said)
                    if "secret" in document:
                        return self._reported(document, secret, gone)
                    answer, asked = b"", asked + 1
                    if not gone:
                        try:
                            candidate.send(said, deadline)
                            answer = candidate.receive(deadline)
                        except BoxGone as error:
                            gone = str(error)
                            candidate.kill()
                    # The tests go on when the program is gone, so that they are all counted.
                    asking.send(answer if not gone else {"raised": "gone", "said": gone}, over)
            except BoxGone as error:
                if not asked:
                    raise
                # What the program answered may have brought them down: no way out of a test that it does not pass.
                return Verdict(note=f"The tests did not come to their end: {error}.")

    def _reported(self, document: dict[str, Any], secret: str, gone: str) -> Verdict:
        if not hmac.compare_digest(str(document["secret"]), secret):
            raise BoxGone("the tests' report does not bear the secret of this run")
        passed, total = int(document["passed"]), int(document["total"])
        if total == 0:
            return Verdict(failure=Failure("VerifierError", "The tests assert nothing, so that nothing is known."))
        said = [f"{passed} of {total} tests passed"]
        said += [f"the program: {gone}"] if gone else []
        said += [f"first failure: {document['first']}"] if document["first"] else []
        return Verdict(passed, total, "; ".join(said))


def _document(said: bytes) -> dict[str, Any]:
    """What a side said, as a document. Raises `BoxGone` for anything else."""
    try:
        document = json.loads(said)
    except (ValueError, RecursionError):
        raise BoxGone("it said something that is no message") from None
    if not isinstance(document, dict):
        raise BoxGone("it said something that is no message")
    return document
