"""What a request asks for, whichever of the three interfaces it came through: checked, within the ceilings, and nothing left out.

`Ask` is what the interfaces read their bodies into. `Options` is the field `outthink` of a body: the one place where a request may choose
a method, its size and its budget. The text of a prompt never does.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from outthink.core.cost import Budget
from outthink.core.settings import Positive, Settings
from outthink.core.task import Message
from outthink.engines.tools import Tools
from outthink.serve.configuration import Ceilings
from outthink.serve.documents import Form
from outthink.serve.refusal import refused

MOST_STOPS = 4
MOST_METADATA = 16
MOST_USER = 512


class Options(Settings):
    """The field `outthink` of a request.

    Attributes:
        method: in place of the recipe's own, for this request.
        n: the size of its search.
        budget: limits, at most the server's.
        progress: how a stream tells what the search is doing: "none", as SSE "comments", which every client skips, or as SSE "events" named
            outthink.progress, for clients that read them.
    """

    method: str | None = None
    n: Positive | None = None
    budget: Budget = Budget()
    progress: Literal["none", "comments", "events"] = "none"


@dataclass(frozen=True)
class Ask:
    """One request.

    Attributes:
        prompt: a conversation, or raw text that is to be continued.
        n: answers wanted, from one search.
        sampling: settings of `Sampling` by name; only those that were given.
        max_tokens, seed: None where the request says nothing.
        form: the JSON that the answer must be.
        prompt_field, limit_field: what the interface calls `prompt` and `max_tokens`, for refusals.
        repeated: what the reply says again of the request, as it was sent.
    """

    model: str
    prompt: str | tuple[Message, ...]
    n: int = 1
    stream: bool = False
    include_usage: bool = False
    sampling: dict[str, Any] = field(default_factory=dict)
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    log_probs: bool = False
    form: Form | None = None
    tools: Tools | None = None
    user: str = ""
    metadata: dict[str, str] = field(default_factory=dict)
    options: Options = field(default_factory=Options)
    prompt_field: str = "messages"
    limit_field: str = "max_tokens"
    repeated: dict[str, Any] = field(default_factory=dict)

    def check(self, ceilings: Ceilings) -> None:
        """Raises `Refusal` for what is out of bounds."""
        if self.n > ceilings.answers:
            raise refused("n", f"At most {ceilings.answers} answers are given to one request here.")
        if self.max_tokens is not None and self.max_tokens > ceilings.max_tokens:
            raise refused(self.limit_field, f"A reply has at most {ceilings.max_tokens} tokens here.")
        if self.options.n is not None and self.options.n > ceilings.n:
            raise refused("outthink.n", f"A search has at most {ceilings.n} members here.")
        most = ceilings.budget.limits()
        for name, value in self.options.budget.limits().items():
            if name in most and value > most[name]:
                raise refused(f"outthink.budget.{name}", f"A request may spend at most {most[name]:g} here.")
        if len(self.stop) > MOST_STOPS or not all(self.stop):
            raise refused("stop", f"Up to {MOST_STOPS} strings, none of them empty.")
        if len(self.user) > MOST_USER:
            raise refused("user", f"At most {MOST_USER} characters.")
        if len(self.metadata) > MOST_METADATA or any(len(k) > 64 or len(v) > 512 for k, v in self.metadata.items()):
            raise refused(
                "metadata", f"At most {MOST_METADATA} pairs, names of 64 and values of 512 characters at most."
            )
        bias = self.sampling.get("logit_bias", {})
        if any(not key.isascii() or not key.isdigit() for key in bias) or any(abs(v) > 100 for v in bias.values()):
            raise refused("logit_bias", "Token ids as text, and values from -100 to 100.")


def least(*budgets: Budget) -> Budget:
    """The tightest limit of each column."""
    limits: dict[str, float] = {}
    for budget in budgets:
        for name, value in budget.limits().items():
            limits[name] = min(limits.get(name, value), value)
    whole: dict[str, Any] = {
        name: value if name in ("seconds", "money") else int(value) for name, value in limits.items()
    }
    return Budget(**whole)
