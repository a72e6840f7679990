"""Settings of the engine for Hugging Face models: `[engine] type = "transformers"`.

    Transformers(model="models/my-model")                       # a folder with weights and tokenizer, on CUDA where there is one
    Transformers(model="Qwen/Qwen3-0.6B", deterministic=True)   # a name of the hub, fetched by transformers itself

If unsure, give `model` alone. `memory` bounds the cache and nothing else; when it is full, work waits or is computed again, and never
fails. `deterministic` computes one token at a time, so that a request's tokens are the same bit for bit, whatever runs beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta

from outthink.core.component import EngineSettings
from outthink.core.errors import ModelMissing, SettingsError, explain
from outthink.core.settings import Positive

if TYPE_CHECKING:
    from outthink.engines.torch.engine import TransformersEngine

INSTALL = "Install it with `pip install 'outthink[local-torch]'`."
PACKAGES = ("torch", "transformers", "tokenizers")


class Transformers(EngineSettings):
    """A Hugging Face causal language model in this process.

    Attributes:
        model: a folder with weights (safetensors) and a fast tokenizer, or a name of the hub. Code that a model brings is never run.
        revision: which version of a model of the hub; None for its main one.
        device: "auto" for the first CUDA device where there is one, else the processor; or any name that torch knows.
        dtype: of weights and cache. "auto": bfloat16 on CUDA, float32 elsewhere.
        memory: megabytes (10^6 bytes) for the cache of keys and values.
        context: the longest prompt and reply together, in tokens; None for the model's own, as far as `memory` reaches.
        max_sequences: requests served at once; further ones wait.
        retained: finished sequences that are kept so that their continuation is free, as far as memory allows.
        step_tokens: the most tokens in one step: how finely long prompts are cut between other requests' tokens.
        deterministic: whether a request gives the same tokens whatever runs beside it.
    """

    model: Annotated[str, Meta(min_length=1)]
    revision: str | None = None
    device: Annotated[str, Meta(min_length=1)] = "auto"
    dtype: Literal["auto", "bfloat16", "float16", "float32"] = "auto"
    memory: Annotated[float, Meta(gt=0.0)] = 1000.0
    context: Positive | None = None
    max_sequences: Annotated[int, Meta(ge=1, le=512)] = 32
    retained: Annotated[int, Meta(ge=0, le=1024)] = 96
    step_tokens: Annotated[int, Meta(ge=2, le=8192)] = 256
    deterministic: bool = False

    def check(self) -> None:
        if self.max_sequences > self.step_tokens:
            raise SettingsError(
                explain(
                    "Each sequence needs a place in every step.",
                    got=f"max_sequences = {self.max_sequences}, step_tokens = {self.step_tokens}",
                    expected="max_sequences <= step_tokens",
                    remedy="Raise step_tokens or lower max_sequences.",
                )
            )

    def open(self) -> TransformersEngine:
        """A new engine; the caller closes it. Raises `ModelMissing` or `Incompatible`."""
        try:
            from outthink.engines.torch.engine import TransformersEngine  # imports torch
        except ModuleNotFoundError as error:
            if error.name not in PACKAGES:
                raise
            raise ModelMissing(
                explain(
                    "Hugging Face models need torch and transformers, which are not installed.",
                    got=f"no package {error.name!r}",
                    expected="torch and transformers",
                    remedy=INSTALL,
                )
            ) from None
        return TransformersEngine(self)
