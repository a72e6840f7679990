"""Text to SQL with execution feedback: an agent runs queries, sees what they give, and hands one in.

    environment = TextToSql(question_on("library", seed=3))
    process = AgentProcess(engine, environment)

Actions are `RUN query` and `SUBMIT query`. A query that fails is answered in the words of SQLite. The reward is execution accuracy: 1 where
the query that was handed in gives what the right query gives, as multisets of rows, in order where the question asks for one; else 0.
An episode that hands nothing in earns nothing. Queries run in a killable process on a database that is open for reading only.
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

    `task.reference` is a right query, which the agent never sees.

    Attributes:
        seconds: of processor time for one query.
    """

    def __init__(self, task: Task, *, seconds: float = SECONDS) -> None:
        missing = [name for name in ("tables", "script", "ordered") if name not in task.data]
        if missing or task.reference is None:
            raise InputError(
                f"Task {task.id!r} is no question on a database: it lacks {', '.join(missing) or 'a reference'}. "
                "Make one with outthink.agent.question_on, or give data with tables, script and ordered, and a right query."
            )
        self.task = task
        self.seconds = seconds
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
            return Observation("Your query was handed in.", done=True)
        if word != "RUN":
            return Observation("That is no action. Write RUN or SUBMIT, followed by a query.")
        reply = await self._run(query, SHOWN)
        if isinstance(reply, Failure):
            if reply.kind == TIMEOUT:
                return Observation(f"The query was stopped after {self.seconds:g} seconds.")
            return reply
        return Observation(_told(reply))

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
            reply = await self._run(self.task.reference or "", 0)
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


def _told(reply: dict[str, Any]) -> str:
    if "error" in reply:
        return f"Error: {reply['error']}"
    lines = [" | ".join(row) for row in (reply["columns"], *reply["head"])]
    more = reply["rows"] - len(reply["head"])
    return "\n".join([*lines, f"({reply['rows']} rows{f', {more} not shown' if more else ''})"])
