"""1 for a candidate whose JSON document a schema accepts, 0 for one it does not, or that has no document.

Needs `pip install outthink[schema]`. The schema stands in the settings, or in the task's data under "schema". Schemas hold regular
expressions, so validation runs in a worker process with a time limit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Self

import msgspec
import numpy as np

from outthink.core.component import Parts
from outthink.core.cost import Cost
from outthink.core.errors import Failure, Incompatible, explain
from outthink.core.settings import PositiveFloat
from outthink.core.task import Candidate, Task
from outthink.core.verifier import LogMap, ScoreKind, Scores, ScoreSpec
from outthink.verify.extract import last_json
from outthink.verify.extras import require
from outthink.verify.json_fields import compact
from outthink.verify.live_settings import LiveVerifier
from outthink.verify.pool import workers


class JsonSchemaValid(LiveVerifier):
    """Whether the last JSON document of the text is valid.

    Attributes:
        document: the JSON schema; empty: the task's own, `task.data["schema"]`.
        seconds: processor seconds for one candidate.
    """

    document: dict[str, Any] = msgspec.field(default_factory=dict)
    seconds: PositiveFloat = 2.0

    @property
    def spec(self) -> ScoreSpec:
        return ScoreSpec(kind=ScoreKind.OUTCOME, partial=False, log_map=LogMap.PROBABILITY, local=False)

    def most(self, task: Task) -> Cost:
        """Also refuses, before anything is spent, a task without a schema."""
        self._schema(task)
        return Cost(verifier_calls=1)

    def build(self, parts: Parts) -> Self:
        require("jsonschema", extra="schema", needed_by="the verifier 'json-schema-valid'")
        return self

    async def score(self, candidates: Sequence[Candidate], task: Task) -> Scores:
        schema = self._schema(task)
        judged = await asyncio.gather(*[self._judge(str(c.content), schema) for c in candidates])
        values = np.array([np.nan if isinstance(said, Failure) else float(said == "") for said in judged])
        failures = {i: said for i, said in enumerate(judged) if isinstance(said, Failure)}
        notes = tuple("" if isinstance(said, Failure) else said for said in judged)
        return Scores(values, notes, Cost(verifier_calls=len(candidates)), failures)

    async def _judge(self, text: str, schema: dict[str, Any]) -> str | Failure:
        document = last_json(text)
        if document is None:
            return "no JSON document"
        # Plain numbers again: the exact ones are ours, and what the schema sees is what the text says.
        plain = msgspec.json.decode(compact(document))
        reply: str | Failure = await workers().call("schema-error", plain, schema, seconds=self.seconds)
        return reply

    def _schema(self, task: Task) -> dict[str, Any]:
        schema = self.document or task.data.get("schema")
        if not isinstance(schema, Mapping) or not schema:
            raise Incompatible(
                explain(
                    "There is no JSON schema to check against.",
                    got=type(schema).__name__,
                    expected="a schema in the settings, or in the task's data under 'schema'",
                    remedy="Set document in [verifier], or give Task(data={'schema': ...}).",
                )
            )
        return dict(schema)
