"""Hugging Face causal language models in this process, served by the embedded engine's scheduler.

    engine = TransformersEngine(Transformers(model="models/my-model"))
    replies = await engine.generate([Request(prompt=TextPrompt("2 + 2 ="), seed=1, max_tokens=8)])
    await engine.close()

Batching, shared prefixes, bills, limits and sampling are the embedded engine's own (`outthink.engines.local`); here are the model, its
cache and its tokenizer. If unsure, give `model` alone: replies are then exact up to rounding that depends on what else is in the batch,
which can change a token where two are nearly as likely. `deterministic` removes that and costs a forward for every single token.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import torch
import transformers

from outthink.core.errors import ModelMissing, SettingsError, explain
from outthink.engines.engine import Continuation, EngineCapabilities
from outthink.engines.fingerprint import Fingerprinted
from outthink.engines.local.exactness import probe_exactness
from outthink.engines.local.parts import Limits, Vocabulary
from outthink.engines.local.scheduler import Scheduler
from outthink.engines.local.serving import ServingEngine
from outthink.engines.torch.backend import TorchBackend
from outthink.engines.torch.fitness import check_fitness
from outthink.engines.torch.settings import Transformers
from outthink.engines.torch.tokenizer import TransformersTokenizer
from outthink.engines.torch.weights import Weights, place_of

FEWEST_CELLS = 64


class TransformersEngine(ServingEngine, Fingerprinted):
    """A Hugging Face causal language model in this process.

    Raises:
        ModelMissing: no such model, or no tokenizer beside it.
        Incompatible: a model or tokenizer that this engine cannot run (deterministically, if asked).
    """

    def __init__(self, settings: Transformers) -> None:
        self.settings = settings
        self._weights: Weights | None = Weights(settings)
        weights = self._weights
        tokenizer = TransformersTokenizer(tokenizer_of(settings), weights.ends(), weights.vocabulary)
        cells, context = self._sizes(weights)
        self._backend = TorchBackend(
            weights,
            cells=cells,
            sequences=max(settings.max_sequences + settings.retained, 5),
            context=context,
            exact=settings.deterministic,
        )
        check_fitness(weights, self._backend, settings.model)
        if settings.deterministic:
            subject = (
                place_of(settings.model),
                settings.revision,
                weights.device,
                weights.dtype,
                torch.get_num_threads(),
            )
            probe_exactness(self._backend, settings.step_tokens, subject)
        limits = Limits(
            places=settings.max_sequences, rows=settings.step_tokens, retained=settings.retained, context=context
        )
        scheduler = Scheduler(self._backend, Vocabulary(tokenizer.end_tokens, tokenizer.piece), limits)
        called = Path(settings.model).name
        version = f" {settings.revision}" if settings.revision else ""
        versions = f"torch {torch.__version__} transformers {transformers.__version__}"
        self._fingerprint = f"tensors:{weights.fingerprint()}"
        self._name = (
            f"transformers:{called}{version} weights {weights.fingerprint()} "
            f"{versions} {weights.device} {str(weights.dtype).removeprefix('torch.')}"
        )
        super().__init__(scheduler, tokenizer, title="engine for Hugging Face models", model=called)

    @property
    def name(self) -> str:
        return self._name

    @property
    def fingerprint(self) -> str:
        """Digest of the beginning of every tensor."""
        return self._fingerprint

    @property
    def forwards(self) -> int:
        """How often the model was run."""
        return self._backend.forwards

    @property
    def capabilities(self) -> EngineCapabilities:
        return EngineCapabilities(
            continuations=(Continuation.TOKENS, Continuation.COMPLETION, Continuation.ASSISTANT_PREFIX),
            exact=self.settings.deterministic,
            seeds=True,
            log_probs=True,
            hidden=True,
            constraints=importlib.util.find_spec("llguidance") is not None,
            context=self._context,
        )

    def _free(self) -> None:
        self._backend.close()
        self._weights = None
        if torch.cuda.is_initialized():
            torch.cuda.empty_cache()  # what was freed goes back to the device, for other programs

    def _sizes(self, weights: Weights) -> tuple[int, int]:
        """Cells of the cache, as many as `memory` holds and can be used, and the longest text."""
        settings = self.settings
        cells = int(settings.memory * 1e6 / weights.cell_bytes())
        if cells < FEWEST_CELLS:
            raise SettingsError(
                explain(
                    "The cache is too small for this model.",
                    got=f"memory = {settings.memory} MB",
                    expected=f"at least {FEWEST_CELLS * weights.cell_bytes() / 1e6:.3f} MB",
                    remedy="Raise it.",
                )
            )
        context = min(settings.context or weights.context, weights.context, cells)
        return min(cells, max(FEWEST_CELLS, context * (settings.max_sequences + settings.retained))), context


def tokenizer_of(settings: Transformers) -> Any:
    """The tokenizer beside a model. Raises `ModelMissing`."""
    try:
        return transformers.AutoTokenizer.from_pretrained(
            place_of(settings.model), revision=settings.revision or "main", trust_remote_code=False
        )
    except (OSError, ValueError) as error:
        raise ModelMissing(
            explain(
                "There is no tokenizer beside the model.",
                got=f"{settings.model}: {str(error).strip()[:300]}",
                expected="tokenizer.json in the same folder",
                remedy="Save the model's tokenizer there.",
            )
        ) from error
