"""Text to SQL with execution feedback: an agent runs queries, sees what they give, and hands one in.

    environment = TextToSql(question_on("library", seed=3))
    process = AgentProcess(engine, environment)

Actions are `RUN query` and `SUBMIT query`. A query that fails is answered in the words of SQLite. The reward is execution accuracy: 1 where
the query that was handed in gives what the right query gives, as multisets of rows, in order where the question asks for one; else 0.
An episode that hands nothing in earns nothing. Queries run in a killable process on a database that is open for reading only.

With `shows_result` what a query gives is seen when it is handed in, too: too late for this episode, and what a revision is told of it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from outthink.agent.environment import Environment, Observation, Reward
from outthink.core.errors import Failure, InputError, VerifierError
from outthink.core.task import Task
from outthink.verify.pool import TIMEOUT, workers

SHOWN = 5
SECONDS = 2.0

_ACTION = re.compile(r"\s*(RUN|SUBMIT)\b[:\s]*(.*)", re.DOTALL | re.IGNORECASE)
_FENCE = re.compile(r"```\w*\n?|```")


class TextToSql(Environment):
    """One question on one database. `task.data` has `tables` (shown), `script` (makes the database) and `ordered`.

    `task.reference` is a right query, which the agent never sees; without one, episodes cannot be rewarded.

    Attributes:
        seconds: of processor time for one query.
        shows_result: whether what a query gives is seen when it is handed in. shown: rows that are seen of a result.
    """

    def __init__(self, task: Task, *, seconds: float = SECONDS, shows_result: bool = False, shown: int = SHOWN) -> None:
        missing = [name for name in ("tables", "script", "ordered") if name not in task.data]
        if missing:
            raise InputError(
                f"Task {task.id!r} is no question on a database: it lacks {', '.join(missing)}. "
                "Make one with outthink.agent.question_on, or give data with tables, script and ordered, and a right query."
            )
        self.task = task
        self.rewarded = task.reference is not None
        self.seconds = seconds
        self.shows_result = shows_result
        self.shown = shown
        self._right: str | None = None

    @property
    def instructions(self) -> str:
        return (
            "You answer questions with SQLite queries. Write one action and nothing else:\n"
            "RUN followed by a query shows its first rows.\nSUBMIT followed by a query hands in your answer and ends the task."
        )

    @property
    def opening(self) -> str:
        return f"{self.task.data['tables']}\n\n{self.task.question}"

    async def observe(self, actions: Sequence[str]) -> Observation | Failure:
        word, query = _read(actions[-1])
        if word == "SUBMIT":
            seen = await self._seen(query) if self.shows_result else ""
            return seen if isinstance(seen, Failure) else Observation(handed_in(seen), done=True)
        if word != "RUN":
            return Observation("That is no action. Write RUN or SUBMIT, followed by a query.")
        seen = await self._seen(query)
        return seen if isinstance(seen, Failure) else Observation(seen)

    async def _seen(self, query: str) -> str | Failure:
        """What a query gives, in words."""
        reply = await self._run(query, self.shown)
        if isinstance(reply, Failure):
            return f"The query was stopped after {self.seconds:g} seconds." if reply.kind == TIMEOUT else reply
        return told(reply)

    async def reward(self, actions: Sequence[str]) -> Reward | Failure:
        query = self.answer(actions)
        if query is None:
            return Reward(0.0, {"submitted": 0.0, "runs": 0.0, "right": 0.0}, "Nothing was handed in.")
        reply = await self._run(query, 0)
        if isinstance(reply, Failure) and reply.kind != TIMEOUT:
            return reply
        if isinstance(reply, Failure) or "error" in reply:
            return Reward(0.0, {"submitted": 1.0, "runs": 0.0, "right": 0.0}, "The query fails or takes too long.")
        right = await self._right_digest()
        if isinstance(right, Failure):
            return right
        same = float(reply["digest"] == right)
        note = "The query gives what is right." if same else "The query runs, and gives something else."
        return Reward(same, {"submitted": 1.0, "runs": 1.0, "right": same}, note)

    def answer(self, actions: Sequence[str]) -> str | None:
        """The query that was handed in."""
        word, query = _read(actions[-1]) if actions else ("", "")
        return query if word == "SUBMIT" else None

    async def _right_digest(self) -> str | Failure:
        if self._right is None:
            if self.task.reference is None:
                raise InputError(f"Task {self.task.id!r} has no right query to compare with. Give it a reference.")
            reply = await self._run(self.task.reference, 0)
            if isinstance(reply, Failure):
                return reply
            if "error" in reply:
                raise VerifierError(f"The right query of task {self.task.id!r} fails: {reply['error']}")
            self._right = str(reply["digest"])
        return self._right

    async def _run(self, query: str, shown: int) -> Any:
        data = self.task.data
        return await workers().call(
            "sql", "", data["script"], query, bool(data["ordered"]), shown, seconds=self.seconds
        )


def _read(action: str) -> tuple[str, str]:
    """The word of an action and its query; ("", "") for what is none."""
    found = _ACTION.match(_FENCE.sub("", action))
    if found is None:
        return "", ""
    return found.group(1).upper(), found.group(2).strip().rstrip(";").strip()


def handed_in(seen: str) -> str:
    """What is seen when a query is handed in that gives what `seen` says; "" for nothing said."""
    return f"Your query was handed in.\n{seen}".rstrip()


def told(reply: dict[str, Any]) -> str:
    """A result of `outthink.verify.sqlite_in_worker` in words."""
    if "error" in reply:
        return f"Error: {reply['error']}"
    lines = [" | ".join(row) for row in (reply["columns"], *reply["head"])]
    more = reply["rows"] - len(reply["head"])
    return "\n".join([*lines, f"({reply['rows']} rows{f', {more} not shown' if more else ''})"])
