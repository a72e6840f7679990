"""Scoring endpoints of the scripted server, in the forms of vLLM's `/pooling`, `/classify` and `/score`.

    OpenAIServer(scoring=Scoring(lambda text: [0.0, float(len(text))], mark="<extra_0>"))

The head is a function from the text that a model would have read so far to the numbers it would give there, before any activation. With a
mark there is a row at each of its occurrences, as a server with a pooler of steps gives it; without one, a row for the whole.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from outthink.testing.openai_server.asking import Refused

SCORING_PATHS = {"/pooling": "pooling", "/classify": "classify", "/score": "score", "/v1/score": "score"}


@dataclass(frozen=True)
class Scoring:
    """A scripted reward model.

    Attributes:
        head: text read so far to the head's numbers, one for each class.
        mark: where rows are read; "" for one row of the whole.
    """

    head: Callable[[str], Sequence[float]]
    mark: str = ""

    def document(self, endpoint: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """The reply to one request. Raises `Refused` for a body that these servers do not take."""
        text = rendered(endpoint, body)
        active = body.get("use_activation", True) is not False
        rows = [activated(self.head(part)) if active else list(self.head(part)) for part in self._read(endpoint, text)]
        entry: dict[str, Any] = {"index": 0, "object": endpoint}
        if endpoint == "classify":
            entry |= {"label": None, "probs": rows[0], "num_classes": len(rows[0])}
        elif endpoint == "score":
            entry["score"] = rows[0][-1]
        else:
            entry["data"] = rows if self.mark else rows[0]
        words = len(text.split())
        usage = {"prompt_tokens": words, "total_tokens": words, "completion_tokens": 0}
        return {"object": "list", "model": body.get("model", ""), "data": [entry], "usage": usage}

    def _read(self, endpoint: str, text: str) -> list[str]:
        if not self.mark or endpoint != "pooling":
            return [text]
        pieces = text.split(self.mark)
        return [self.mark.join(pieces[: k + 1]) + self.mark for k in range(len(pieces) - 1)]


def rendered(endpoint: str, body: Mapping[str, Any]) -> str:
    """What the model reads: raw text, a pair, or a conversation with each message on a line of its own."""
    if endpoint == "score":
        if not isinstance(body.get("text_1"), str) or not isinstance(body.get("text_2"), str):
            raise Refused(400, "There must be text_1 and text_2.")
        return f"{body['text_1']}\n{body['text_2']}"
    if isinstance(body.get("input"), str):
        return str(body["input"])
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise Refused(400, "There must be an input or messages.")
    opening = "\nassistant: " if body.get("add_generation_prompt") else ""
    return "\n".join(f"{m['role']}: {m['content']}" for m in messages) + opening


def activated(numbers: Sequence[float]) -> list[float]:
    """A softmax over several classes, a sigmoid of one number."""
    if len(numbers) == 1:
        return [1.0 / (1.0 + math.exp(-numbers[0]))]
    highest = max(numbers)
    powers = [math.exp(number - highest) for number in numbers]
    return [power / sum(powers) for power in powers]
