"""The embedded engine: requests in, replies out, one model in this process.

    engine = LocalEngine(Local())
    replies = await engine.generate([Request(prompt=TextPrompt("2 + 2 ="), seed=1, max_tokens=8)])
    await engine.close()

Several event loops and threads may use it at once; a thread of its own decodes. See `scheduler` for how work is batched, `promises` for
what is billed, `llama` for what `deterministic` rests on. If unsure, take `Local()` as it is.
"""

from __future__ import annotations

from pathlib import Path

from outthink.core.errors import SettingsError, explain
from outthink.engines.engine import Continuation, EngineCapabilities
from outthink.engines.fingerprint import Fingerprinted, file_digest
from outthink.engines.local import models
from outthink.engines.local.exactness import probe_exactness
from outthink.engines.local.library import load
from outthink.engines.local.llama import CELL_STEP, LlamaBackend, LlamaModel
from outthink.engines.local.parts import Limits, Vocabulary
from outthink.engines.local.scheduler import Scheduler
from outthink.engines.local.serving import ServingEngine
from outthink.engines.local.settings import Local
from outthink.engines.local.tokenizer import LocalTokenizer
from outthink.engines.local.weights import re_rounded

CHECKS = 16384
"""Looks at cells of finished sequences in one step: some 4 ms on two cores, of 75 for 16 rows of the embedded model."""


class LocalEngine(ServingEngine, Fingerprinted):
    """A GGUF model in this process.

    Raises:
        ModelMissing: no library, no model, or a file that is not one; the message says what to type.
        Incompatible: another build of the library, or a model that this engine cannot run (deterministically, if asked).
    """

    def __init__(self, settings: Local | None = None) -> None:
        self.settings = settings or Local()
        file = model_file(self.settings.model)
        models.check_file(file)
        library = load(self.settings.library)
        rounded = re_rounds(self.settings)
        self._model = LlamaModel(library, re_rounded(file) if rounded else file)
        self._tokenizer = LocalTokenizer(self._model)
        self._backend = LlamaBackend(self._model, self.settings, cells=self._cells())
        if self.settings.deterministic:
            path = self._model.path
            subject = (path, path.stat().st_mtime_ns, library.path, self._backend.threads, self._backend.rows)
            probe_exactness(self._backend, self._backend.rows, subject)
        limits = Limits(
            places=self.settings.max_sequences,
            rows=self._backend.rows,
            retained=self.settings.retained,
            context=min(self.settings.context or self._model.context, self._model.context, self._backend.cells),
            # In exact mode forgotten cells stay in use until the cache is cleared, so that forgetting gains nothing.
            checks=None if self.settings.deterministic else CHECKS,
        )
        vocabulary = Vocabulary(self._tokenizer.end_tokens, self._tokenizer.piece)
        scheduler = Scheduler(self._backend, vocabulary, limits)
        name = f"{file.name} as q8_0" if rounded else file.name
        self._name = f"local:{name} {library.build} threads={self._backend.threads}"
        super().__init__(scheduler, self._tokenizer, title="embedded engine", model=file.stem)

    @property
    def name(self) -> str:
        return self._name

    @property
    def fingerprint(self) -> str:
        """Digest of the file that is run: the same model with its weights re-rounded is another one."""
        return file_digest(self._model.path)

    @property
    def tokenizer(self) -> LocalTokenizer:
        return self._tokenizer

    @property
    def capabilities(self) -> EngineCapabilities:
        return EngineCapabilities(
            continuations=(Continuation.TOKENS, Continuation.COMPLETION, Continuation.ASSISTANT_PREFIX),
            exact=self.settings.deterministic,
            seeds=True,
            log_probs=True,
            hidden=True,
            constraints=True,
            context=self._context,
        )

    def _free(self) -> None:
        self._backend.close()
        self._model.close()

    def _cells(self) -> int:
        """Tokens for which the cache has room, in steps that suit the library."""
        cells = int(self.settings.memory * 1e6 / self._model.cell_bytes()) // CELL_STEP * CELL_STEP
        if cells < CELL_STEP:
            raise SettingsError(
                explain(
                    "The cache is too small for this model.",
                    got=f"memory = {self.settings.memory} MB",
                    expected=f"at least {CELL_STEP * self._model.cell_bytes() / 1e6:.1f} MB",
                    remedy="Raise it.",
                )
            )
        return cells


def re_rounds(settings: Local) -> bool:
    """Whether the weights are re-rounded to Q8_0."""
    embedded = settings.model in (None, models.SMOLLM2.name)
    return settings.weights == "q8_0" or (settings.weights == "auto" and embedded)


def model_file(model: str | None) -> Path:
    """The file that a setting means: None for the embedded model, a known name, or a path."""
    if model is None:
        return models.path()
    if any(model == known.name for known in models.KNOWN):
        return models.path(models.known(model))
    return Path(model).expanduser()
