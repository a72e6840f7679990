"""Answers that are SQL: both queries are run, and what they give is compared (execution accuracy).

Rows are compared as multisets, and in order where the right query orders them. Spelling does not matter, results do; duplicates count,
which a comparison of sets would overlook. The database is open for reading only, in a process that is stopped when a query takes too long.
A query that fails or takes too long is wrong; a right query that does either is an error.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from outthink.bench.tasks.scorers.scorer import Scorer, known, marked_place
from outthink.core.errors import Failure, VerifierError
from outthink.verify.pool import TIMEOUT, workers

_FENCE = re.compile(r"```+[ \t]*(?:sqlite3?|sql)?[ \t]*\n(.*?)(?:```|\Z)", re.DOTALL | re.IGNORECASE)
_BEGINS = re.compile(r"^\s*(?:select|with)\b", re.IGNORECASE | re.MULTILINE)
_QUIET = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|`[^`]*`|\[[^\]]*\]|--[^\n]*|/\*.*?\*/", re.DOTALL)
_WORD = re.compile(r"[()]|[A-Za-z_]\w*")


@dataclass(frozen=True)
class QueryResult(Scorer):
    """Right where the query gives what `gold` gives.

    Attributes:
        database: a file of SQLite, or "" for what `script` makes in memory.
        seconds: of processor time for one query.
    """

    gold: str
    database: str = ""
    script: str = ""
    seconds: float = 5.0

    def mark(self, text: str) -> float:
        query = query_in(text)
        if query is None:
            return 0.0
        ordered = is_ordered(self.gold)
        reply = self._run(query, ordered)
        if isinstance(reply, Failure):
            if reply.kind == TIMEOUT:
                return 0.0
            known(reply, "A query was not run")
        return float("digest" in reply and reply["digest"] == self.gold_digest())

    def gold_digest(self) -> str:
        """What the right query gives. Raises `VerifierError` where it gives nothing."""
        return _gold(self, is_ordered(self.gold))

    def _run(self, query: str, ordered: bool) -> Any:
        arguments = (self.database, self.script, query, ordered)
        return workers().call_and_wait("sql", *arguments, seconds=self.seconds)


@lru_cache(maxsize=20_000)
def _gold(scorer: QueryResult, ordered: bool) -> str:
    arguments = (scorer.database, scorer.script, scorer.gold, ordered)
    reply = known(workers().call_and_wait("sql", *arguments, seconds=scorer.seconds), "The right query was not run")
    if "error" in reply:
        raise VerifierError(f"The right query fails: {reply['error']}")
    return str(reply["digest"])


def query_in(text: str) -> str | None:
    """The query of a text: its last fenced block, else what is marked, else from the first line that begins like one."""
    blocks = [body for body in _FENCE.findall(text) if body.strip()]
    if blocks:
        return str(blocks[-1]).strip().rstrip(";")
    place = marked_place(text)
    if place is not None and _BEGINS.match(place):
        return place.strip().rstrip(";")
    begins = _BEGINS.search(text)
    return None if begins is None else text[begins.start() :].strip().rstrip(";")


def is_ordered(query: str) -> bool:
    """Whether a query orders its result: an ORDER BY outside of all brackets, quotes and comments."""
    depth, before = 0, ""
    for word in _WORD.findall(_QUIET.sub(" ", query)):
        depth += (word == "(") - (word == ")")
        if depth == 0 and before == "order" and word.lower() == "by":
            return True
        before = word.lower()
    return False
