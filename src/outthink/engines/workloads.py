"""What kinds of work ask of an engine: features that must be there, features that help, and settings to propose (sheet 16, table B).

What the registry cannot tell (stop strings, continuing a text, log-probabilities, seeds) is a question for the probe; each workload names
those questions, and `missing` answers them for a server that was probed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from outthink.engines.openai.abilities import Abilities

Workload = Literal[
    "best-of-n", "step-wise", "guided", "weighted", "scoring", "budget-forcing", "interactive", "offline", "no-gpu"
]


@dataclass(frozen=True)
class Question:
    """Something that only a probe can tell: what is needed, whether the abilities have it, and what to do without it."""

    need: str
    has: Callable[[Abilities], bool]
    without: str


@dataclass(frozen=True)
class Demand:
    """One workload.

    Attributes:
        must: groups of features; of each group at least one must be there.
        helps: features that are good to have.
        weights: of the survey's axes in the ranking; 1 where none is given.
        settings: what to set.
    """

    title: str
    must: tuple[tuple[str, ...], ...] = ()
    helps: tuple[str, ...] = ()
    weights: Mapping[str, float] = field(default_factory=dict)
    settings: tuple[str, ...] = ()
    questions: tuple[Question, ...] = ()
    hardware: str = ""


def _continues(able: Abilities) -> bool:
    return able.completion == "yes" or able.prefix not in ("none", "unknown")


CONTINUES = Question(
    "continues a text that was begun",
    _continues,
    "Use methods of whole answers, such as 'best-of-n' and 'vote', or the embedded engine.",
)
STOPS = Question(
    "ends replies at stop strings and says which",
    lambda able: able.stop == "yes" and able.tells_stop == "yes",
    "Stop strings are found by outthink, which closes the stream: a few more tokens, billed as an interval.",
)
SAMPLES = Question(
    "gives several samples in one request, or repeats them by seed",
    lambda able: able.n == "yes" or able.seeds == "yes",
    "Samples come one a request and cannot be repeated.",
)
LOG_PROBS = Question(
    "returns log-probabilities of the model itself",
    lambda able: able.log_probs == "yes" and able.log_prob_law == "raw",
    "Sample at temperature 1 with everything neutral, or choose a method without weights.",
)
SCHEMA = Question(
    "holds replies to a JSON schema", lambda able: able.schema == "yes", "Check replies with a verifier instead."
)
NEUTRAL = "Sample at temperature 1, top_p 1, top_k off, min_p 0, no penalties; every setting is sent."

DEMANDS: Mapping[Workload, Demand] = {
    "best-of-n": Demand(
        "Best-of-N and voting",
        must=(("prefix cache", "prompt cache", "continuous batching"),),
        helps=("prefix cache", "prompt cache", "continuous batching"),
        settings=("Send all samples at once; as many slots as samples.", "A seed a sample keeps runs repeatable."),
        questions=(SAMPLES,),
    ),
    "step-wise": Demand(
        "Particle filters, beams and trees over steps",
        helps=("prefix cache",),
        settings=("Switch the prefix cache on.", "Make steps longer than a cache block.", "Send siblings together."),
        questions=(CONTINUES, STOPS),
    ),
    "guided": Demand(
        "Constrained replies",
        must=(("guided decoding",),),
        settings=("Exactly one kind of constraint in a request.",),
        questions=(SCHEMA,),
    ),
    "weighted": Demand(
        "Importance-weighted and tempered sampling",
        settings=(NEUTRAL,),
        questions=(LOG_PROBS,),
    ),
    "scoring": Demand(
        "Scoring and perplexity",
        helps=("continuous batching",),
        settings=("A reply limit of 1 token.",),
        questions=(LOG_PROBS,),
    ),
    "budget-forcing": Demand(
        "Cutting and extending thought",
        settings=("Continue the reply with the assistant's prefix or as raw text.",),
        questions=(CONTINUES,),
    ),
    "interactive": Demand(
        "One user waiting",
        helps=("speculative decoding", "quantisation"),
        weights={"latency": 2.0},
        settings=("Few slots.", "Speculative decoding on."),
    ),
    "offline": Demand(
        "Thousands of items",
        must=(("continuous batching",), ("chunked prefill",)),
        helps=("data parallelism", "tensor parallelism"),
        weights={"throughput": 2.0},
        settings=("A large batch.", "Speculative decoding off."),
    ),
    "no-gpu": Demand(
        "A machine without a GPU",
        helps=("quantisation",),
        settings=("A quantised model; llama.cpp or Ollama first, or the embedded engine.",),
        hardware="cpu",
    ),
}


def missing(workload: Workload, able: Abilities) -> list[Question]:
    """What a probed server lacks for a workload; "unknown" counts as lacking."""
    return [question for question in DEMANDS[workload].questions if not question.has(able)]
