"""Settings of the embedded engine: `[engine] type = "local"`.

    Local()                                        # the installed SmolLM2, all cores, a cache of 384 MB
    Local(model="models/other.gguf", deterministic=True)

If unsure, leave everything alone. `memory` bounds the cache and nothing else; when it is full, work waits or is computed again, and never
fails. `deterministic` makes a request's tokens independent of whatever runs beside it, bit for bit; docs say what it costs.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta

from outthink.core.component import EngineSettings
from outthink.core.errors import SettingsError, explain
from outthink.core.settings import Positive

if TYPE_CHECKING:
    from outthink.engines.local.engine import LocalEngine

EXACT_ROWS = 63
"""Tokens in one exact decode step. From 64 on the library's attention changes to kernels that round differently."""

ROWS = 256
"""Tokens in one decode step otherwise: those kernels read a prompt a fifth faster."""

SEQUENCES = 254
"""Sequences in one cache: what the library can hold, less the two that deterministic decoding keeps for itself."""


class Local(EngineSettings):
    """The embedded engine: a GGUF model in this process.

    Attributes:
        model: path of a GGUF file, or the name of a known model; None for the embedded one.
        weights: "q8_0" re-rounds weights that are stored as Q4_1, which makes batches and prompts faster (see `weights`); "auto" does so
            for the embedded model and leaves every other file as it is.
        library: path of another libllama; None for the installed wheel's.
        threads: of the arithmetic; None for OMP_NUM_THREADS where the user has set it, else as many as this process may use.
        memory: megabytes (10^6 bytes) for the cache of keys and values.
        context: the longest prompt and reply together, in tokens; None for the model's own, as far as `memory` reaches.
        max_sequences: requests served at once; further ones wait.
        retained: finished sequences that are kept so that their continuation is free: the last ones used, in at most half of the cache and
            not many more cells than were running together, because every cell in use slows down every step.
        step_tokens: the most tokens in one decode step: how finely long prompts are cut between other requests' tokens; None for 256, or
            63 when deterministic.
        deterministic: whether a request gives the same tokens whatever runs beside it.
    """

    model: str | None = None
    weights: Literal["auto", "as-shipped", "q8_0"] = "auto"
    library: str | None = None
    threads: Positive | None = None
    memory: Annotated[float, Meta(gt=0.0)] = 384.0
    context: Positive | None = None
    max_sequences: Annotated[int, Meta(ge=1, le=128)] = 32
    retained: Annotated[int, Meta(ge=0, le=222)] = 192
    step_tokens: Annotated[int, Meta(ge=2, le=2048)] | None = None
    deterministic: bool = False

    def check(self) -> None:
        if self.max_sequences > self.rows():
            raise SettingsError(
                explain(
                    "Each sequence needs a place in every decode step.",
                    got=f"max_sequences = {self.max_sequences}, step_tokens = {self.rows()}",
                    expected="max_sequences <= step_tokens",
                    remedy="Raise step_tokens or lower max_sequences.",
                )
            )
        if self.max_sequences + self.retained > SEQUENCES:
            raise SettingsError(
                explain(
                    "The library has a limit on sequences.",
                    got=f"max_sequences + retained = {self.max_sequences + self.retained}",
                    expected=f"at most {SEQUENCES} together",
                    remedy="Lower `retained`.",
                )
            )
        if self.deterministic and self.rows() > EXACT_ROWS:
            raise SettingsError(
                explain(
                    "Deterministic decoding needs small steps.",
                    got=f"step_tokens = {self.step_tokens}",
                    expected=f"step_tokens <= {EXACT_ROWS}",
                    remedy="Leave step_tokens out.",
                )
            )

    def open(self) -> LocalEngine:
        """A new engine; the caller closes it. Raises `ModelMissing` or `Incompatible`."""
        from outthink.engines.local.engine import LocalEngine  # only who opens one needs it

        return LocalEngine(self)

    def rows(self) -> int:
        """The most tokens in one decode step."""
        return self.step_tokens or (EXACT_ROWS if self.deterministic else ROWS)

    def thread_count(self) -> int:
        """Threads of the arithmetic: as set, else the user's OMP_NUM_THREADS, else the cores that this process may run on."""
        wished = os.environ.get("OMP_NUM_THREADS", "")
        return self.threads or (int(wished) if wished.isdecimal() and int(wished) > 0 else len(os.sched_getaffinity(0)))
