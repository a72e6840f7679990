"""The model's own tokenizer, by the library, and its chat template.

A user's text never becomes control tokens: `encode` reads the template's markup only where `special` is set, and `chat` encodes what people
wrote apart from what the template wrote. The library leaves out characters that a vocabulary cannot write; such texts are refused.
"""

from __future__ import annotations

from outthink.core.errors import EngineError, InputError, explain
from outthink.engines.local.chat import ChatTemplate
from outthink.engines.local.llama import LlamaModel
from outthink.engines.local.vocabulary import PieceTokenizer

PIECE_BYTES = 64
UNCOMMON = "é€😀\x01"
"""What a vocabulary without all bytes cannot write."""


class LocalTokenizer(PieceTokenizer):
    """Tokenizer of an open model. Usable from several threads: the library's vocabulary is only read."""

    def __init__(self, model: LlamaModel) -> None:
        self._ffi, self._lib, self._vocab = model.library.ffi, model.library.lib, model.vocab
        self.size = model.vocabulary
        self._ends = frozenset(t for t in range(self.size) if self._lib.llama_vocab_is_eog(self._vocab, t))
        self._controls = frozenset(t for t in range(self.size) if self._lib.llama_vocab_is_control(self._vocab, t))
        self._pieces: dict[int, bytes] = {}
        self._begin = int(self._lib.llama_vocab_bos(self._vocab))
        self._adds_begin = bool(self._lib.llama_vocab_get_add_bos(self._vocab)) and self._begin >= 0
        self._has_gaps = False
        self._has_gaps = self.decode(self.encode(UNCOMMON)).strip() != UNCOMMON
        source = model.chat_template()
        self.template = (
            None if source is None else ChatTemplate(source, self._mark(self._begin), self._mark(self._end()))
        )

    @property
    def end_tokens(self) -> frozenset[int]:
        return self._ends

    @property
    def controls(self) -> frozenset[int]:
        return self._controls

    @property
    def end(self) -> int:
        return self._end()

    @property
    def opening(self) -> tuple[int, ...]:
        """What the model expects before any raw text: its begin token, or nothing."""
        return (self._begin,) if self._adds_begin else ()

    def encode(self, text: str, *, special: bool = False) -> tuple[int, ...]:
        data = text.encode()
        size = len(data) + 8
        while True:
            buffer = self._ffi.new("llama_token[]", size)
            count = int(self._lib.llama_tokenize(self._vocab, data, len(data), buffer, size, False, special))
            if count >= 0:
                tokens = tuple(buffer[0:count])
                if self._has_gaps and not special:
                    self._check_whole(data, tokens)
                return tokens
            if -count <= size:
                raise EngineError(f"llama.cpp could not tokenize a text of {len(data)} bytes.")
            size = -count

    def _check_whole(self, data: bytes, tokens: tuple[int, ...]) -> None:
        """Refuse a text of which the library has left something out."""
        if sum(len(self.piece(token)) for token in tokens) < len(data):
            raise InputError(
                explain(
                    "This model's vocabulary cannot write all of the text.",
                    got=repr(data.decode()[:200]),
                    expected="characters that the model knows",
                    remedy="Leave the others out, or use another model.",
                )
            )

    def piece(self, token: int) -> bytes:
        found = self._pieces.get(token)
        if found is None:
            found = self._pieces[token] = self._piece(token)
        return found

    def _piece(self, token: int, *, special: bool = False) -> bytes:
        if token < 0 or token >= self.size or (token in self._controls and not special):
            return b""
        size = PIECE_BYTES
        while True:
            buffer = self._ffi.new("char[]", size)
            count = int(self._lib.llama_token_to_piece(self._vocab, token, buffer, size, 0, special))
            if count >= 0:
                return bytes(self._ffi.buffer(buffer, count))
            size = -count

    def _end(self) -> int:
        end = int(self._lib.llama_vocab_eos(self._vocab))
        return end if end in self._ends else min(self._ends, default=-1)

    def _mark(self, token: int) -> str:
        return self._piece(token, special=True).decode("utf-8", "replace")
