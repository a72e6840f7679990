"""llama.cpp as a `Backend`: one model, one context, one cache that all sequences share.

All sequences live in one unified cache with flash attention on. Its kernel for small batches walks through the cells in order and skips
those that are not a row's own, so a row's arithmetic depends on the order of its own cells and on nothing else: not on the rows beside
it, not on where the cells lie, not on how a prompt was cut into steps. Measured bit for bit on Q4_0, Q4_1 and Q8_0, this holds for steps of
2 to 63 rows; `probe_exactness` measures it again when a deterministic engine opens. What breaks it, and what exact mode does about it:

- a step of one row takes other kernels: a row of a scratch sequence is added;
- cells that are freed are used again, out of order: freed cells are first handed to a graveyard sequence, so that the library keeps
  writing at the end; `reclaims` is False and the scheduler clears the cache when too much of it is dead.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from outthink.core.errors import EngineError, Incompatible, ModelMissing, explain
from outthink.engines.local.backend import StepBatch, StepOutput, TokenArray
from outthink.engines.local.declarations import FLASH_ATTENTION_ON
from outthink.engines.local.library import Library
from outthink.engines.local.settings import EXACT_ROWS, Local

SCRATCH, GRAVEYARD = 0, 1
"""Sequence ids that exact mode keeps for itself, after all others."""

NARROW = 512
"""Width of the residual stream below which a decode is cut to the rows that the faster attention takes."""

CELL_STEP = 256


class LlamaModel:
    """An open GGUF file: its sizes, its vocabulary and its metadata."""

    def __init__(self, library: Library, path: Path) -> None:
        self.library, self.path = library, path
        self._lib = library.lib
        parameters = self._lib.llama_model_default_params()
        self.handle = self._lib.llama_model_load_from_file(str(path).encode(), parameters)
        if self.handle == library.ffi.NULL:
            raise ModelMissing(
                explain(
                    f"llama.cpp cannot read the model {path.name!r}.",
                    got=f"{path} ({path.stat().st_size} bytes)",
                    expected="a whole GGUF file of an architecture that this build knows",
                    remedy="Fetch the file again, or leave the path out for the embedded model.",
                )
            )
        self.vocab = self._lib.llama_model_get_vocab(self.handle)
        self.vocabulary = int(self._lib.llama_vocab_n_tokens(self.vocab))
        self.width = int(self._lib.llama_model_n_embd(self.handle))
        self.context = int(self._lib.llama_model_n_ctx_train(self.handle))
        self._refuse_unfit()

    def metadata(self, key: str) -> str | None:
        """One scalar of the file's metadata as text; None where it has none."""
        size = 256
        while True:
            buffer = self.library.ffi.new("char[]", size)
            length = int(self._lib.llama_model_meta_val_str(self.handle, key.encode(), buffer, size))
            if length < 0:
                return None
            if length < size:
                return str(self.library.ffi.string(buffer).decode("utf-8", "replace"))
            size = length + 1

    def chat_template(self) -> str | None:
        """The Jinja template for conversations; None where the file has none."""
        text = self._lib.llama_model_chat_template(self.handle, self.library.ffi.NULL)
        return None if text == self.library.ffi.NULL else str(self.library.ffi.string(text).decode())

    def cell_bytes(self) -> int:
        """Bytes of the cache for one token, keys and values in half precision."""
        architecture = self.metadata("general.architecture") or ""
        heads = int(self.metadata(f"{architecture}.attention.head_count") or 1)
        shared = int(self.metadata(f"{architecture}.attention.head_count_kv") or heads)
        head = self.width // heads
        keys = int(self.metadata(f"{architecture}.attention.key_length") or head)
        values = int(self.metadata(f"{architecture}.attention.value_length") or head)
        return int(self._lib.llama_model_n_layer(self.handle)) * shared * (keys + values) * 2

    def close(self) -> None:
        """Free the weights."""
        if self.handle is not None:
            self._lib.llama_model_free(self.handle)
            self.handle = None

    def _refuse_unfit(self) -> None:
        lib, reason = self._lib, ""
        if lib.llama_model_has_encoder(self.handle):
            reason = "it has an encoder"
        elif lib.llama_model_is_recurrent(self.handle) or lib.llama_model_is_hybrid(self.handle):
            reason = "it is recurrent, so that a prefix cannot be shared or shortened"
        elif lib.llama_model_n_swa(self.handle) > 0:
            reason = "it attends through a sliding window, so that old tokens are forgotten"
        if reason:
            self.close()
            raise Incompatible(
                explain(
                    f"The embedded engine cannot run {self.path.name!r}.",
                    got=reason,
                    expected="a decoder with full attention",
                    remedy="Serve it with llama.cpp's own server and use it as `openai:NAME`.",
                )
            )


class LlamaBackend:
    """A context of `model` for the sequences, cells and threads that `settings` ask for."""

    def __init__(self, model: LlamaModel, settings: Local, *, cells: int) -> None:
        self.model, self.exact = model, settings.deterministic
        self._ffi, self._lib = model.library.ffi, model.library.lib
        self.sequences = settings.max_sequences + settings.retained
        self.rows = settings.rows()
        self.reclaims = not self.exact
        self._hidden_on = False
        self._context = self._open(settings, cells)
        self._memory = self._lib.llama_get_memory(self._context)
        # The scratch row takes a cell for the length of one step.
        self.cells = int(self._lib.llama_n_ctx(self._context)) - 1
        self._batch = self._lib.llama_batch_init(self.rows, 0, 1)
        self._tokens = self._column("token", np.dtype(np.int32))
        self._positions = self._column("pos", np.dtype(np.int32))
        self._wanted = self._column("logits", np.dtype(np.int8))
        self._column("n_seq_id", np.dtype(np.int32))[:] = 1
        self._sequence_ids = np.zeros(self.rows, dtype=np.int32)
        ids = self._ffi.cast("llama_seq_id *", self._sequence_ids.ctypes.data)
        self._first_ids = [self._batch.seq_id[i] for i in range(self.rows)]
        for i in range(self.rows):
            self._batch.seq_id[i] = ids + i

    @property
    def vocabulary(self) -> int:
        return self.model.vocabulary

    @property
    def threads(self) -> int:
        """Threads that the context really uses."""
        return int(self._lib.llama_n_threads(self._context))

    def decode(self, batch: StepBatch) -> StepOutput:
        count, asked = len(batch.tokens), int(batch.wanted.sum())
        self._hidden(batch.hidden)
        self._tokens[:count] = batch.tokens
        self._positions[:count] = batch.positions
        self._sequence_ids[:count] = batch.sequences
        self._wanted[:count] = batch.wanted
        total = count
        if self.exact:
            if count == 1:
                self._tokens[1], self._positions[1], self._wanted[1] = 0, 0, 0
                self._sequence_ids[1] = self.sequences + SCRATCH
                total = 2
            if asked == 1:
                # The last layers run over the rows with logits only; one row alone would take other kernels.
                spare = int(np.argmin(self._wanted[:total]))
                self._wanted[spare] = 1
        wanted = np.flatnonzero(self._wanted[:total])
        self._batch.n_tokens = total
        result = self._lib.llama_decode(self._context, self._batch)
        if total > count:
            # It was written last, so that its cell is the next one to be written again: no order is disturbed.
            self._lib.llama_memory_seq_rm(self._memory, self.sequences + SCRATCH, -1, -1)
        if result != 0:
            raise EngineError(f"llama.cpp could not decode a step of {count} tokens: it returned {result}.")
        # With hidden states on, the library gives logits of every row.
        rows = total if batch.hidden else len(wanted)
        logits = self._view(self._lib.llama_get_logits(self._context), rows, self.vocabulary)
        hidden = (
            self._view(self._lib.llama_get_embeddings(self._context), rows, self.model.width) if batch.hidden else None
        )
        chosen = np.flatnonzero(batch.wanted)
        places = chosen if batch.hidden else np.searchsorted(wanted, chosen)
        if len(places) < rows:
            logits = logits[places]
            hidden = None if hidden is None else hidden[places]
        return StepOutput(logits, hidden)

    def share(self, source: int, target: int, length: int) -> None:
        if length > 0:
            self._lib.llama_memory_seq_cp(self._memory, source, target, 0, length)

    def shorten(self, sequence: int, length: int) -> None:
        self._forget(sequence, length)

    def clear(self) -> None:
        self._lib.llama_memory_clear(self._memory, False)

    def close(self) -> None:
        if self._context is not None:
            for i, ids in enumerate(self._first_ids):
                self._batch.seq_id[i] = ids
            self._lib.llama_batch_free(self._batch)
            self._lib.llama_free(self._context)
            self._context = None

    def _open(self, settings: Local, cells: int) -> Any:
        parameters = self._lib.llama_context_default_params()
        parameters.n_ctx = cells
        parameters.n_batch = self.rows
        # In a narrow model attention is most of a step, and its kernel for 64 rows and more costs twice as much.
        parameters.n_ubatch = self.rows if self.model.width >= NARROW else min(self.rows, EXACT_ROWS)
        parameters.n_seq_max = self.sequences + 2
        parameters.n_outputs_max = max(self.rows, self.sequences + 2)
        parameters.n_outputs_max_per_seq = self.rows
        parameters.n_threads = parameters.n_threads_batch = settings.thread_count()
        parameters.flash_attn_type = FLASH_ATTENTION_ON
        parameters.kv_unified = True
        context = self._lib.llama_init_from_model(self.model.handle, parameters)
        if context == self._ffi.NULL:
            raise EngineError(
                explain(
                    "llama.cpp could not open a context.",
                    got=f"{cells} tokens, about {cells * self.model.cell_bytes() / 1e6:.0f} MB",
                    expected="enough free memory",
                    remedy="Lower `memory`.",
                )
            )
        return context

    def _hidden(self, on: bool) -> None:
        if on != self._hidden_on:
            self._lib.llama_set_embeddings(self._context, on)
            self._hidden_on = on

    def _forget(self, sequence: int, length: int) -> None:
        if self.exact:
            self._lib.llama_memory_seq_cp(self._memory, sequence, self.sequences + GRAVEYARD, length, -1)
        self._lib.llama_memory_seq_rm(self._memory, sequence, length, -1)

    def _column(self, name: str, kind: np.dtype[Any]) -> TokenArray:
        buffer = self._ffi.buffer(getattr(self._batch, name), self.rows * kind.itemsize)
        return np.frombuffer(buffer, dtype=kind)

    def _view(self, pointer: Any, rows: int, width: int) -> Any:
        if rows == 0:
            return np.empty((0, width), dtype=np.float32)
        return np.frombuffer(self._ffi.buffer(pointer, rows * width * 4), dtype=np.float32).reshape(rows, width)
