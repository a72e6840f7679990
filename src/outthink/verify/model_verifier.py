"""The settings that every verifier shares which asks a model: which engine, how it is sampled, how much it may say."""

from __future__ import annotations

from typing import Literal

from outthink.core.component import VerifierSettings
from outthink.core.settings import Count, NonNegativeFloat, Positive
from outthink.engines.local.settings import Local
from outthink.engines.openai.settings import Openai
from outthink.engines.recorded import Recorded
from outthink.engines.scripted_table import Scripted
from outthink.engines.torch.settings import Transformers


class ModelVerifier(VerifierSettings):
    """Base of verifiers that ask a model.

    Attributes:
        engine: an engine of its own; None: the recipe's.
        temperature: of the judge's replies; 0 is greedy.
        max_tokens: of one reply; a reply that reaches it has no verdict.
        candidate_tokens: the longest candidate that is judged, as the engine counts it: tokens, or bytes where it cannot count tokens.
            A longer one fails by itself. Promised to the budget for every candidate, so keep it near what candidates need.
        constrain: hold replies to their form where the engine can ("auto"), "always" (or be refused), or "never".
        seed: of the judge's own randomness; a candidate's judgements follow from this and its text, not from the run's seed.
    """

    engine: Local | Openai | Recorded | Scripted | Transformers | None = None
    temperature: NonNegativeFloat = 0.7
    max_tokens: Positive = 256
    candidate_tokens: Positive = 1024
    constrain: Literal["auto", "always", "never"] = "auto"
    seed: Count = 0
