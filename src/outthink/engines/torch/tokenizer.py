"""A Hugging Face tokenizer as this project wants it: no tokens added in silence, no markup read in a user's text, bytes of every token.

Only fast tokenizers are taken, because their parts can be looked at. What the library adds by itself (a begin token, a space before the
first word) is taken out of `encode`; the begin token is `opening`. Whether texts survive is checked when a tokenizer is opened.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import tokenizers

from outthink.core.errors import Incompatible, explain
from outthink.engines.local.chat import ChatTemplate
from outthink.engines.local.vocabulary import PieceTokenizer

SAMPLES = ("a plain text", "naïve – 数学 🙂", " spaces  and\n\nlines\n")
_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")


class TransformersTokenizer(PieceTokenizer):
    """The tokenizer of an open model. Usable from several threads.

    Args:
        source: what `AutoTokenizer` gives. `ends`: tokens that end a reply. `size`: how many logits the model has.

    Raises:
        Incompatible: not a fast tokenizer, or one that does not give texts back as they were.
    """

    def __init__(self, source: Any, ends: frozenset[int], size: int) -> None:
        backend = getattr(source, "backend_tokenizer", None)
        if backend is None:
            raise _unfit(source, "a tokenizer without the parts of a fast one")
        self.size = size
        own_end = source.eos_token_id
        self._ends = ends if own_end is None else ends | {int(own_end)}
        self._end = int(own_end) if own_end is not None else min(self._ends, default=-1)
        added = {int(token): entry for token, entry in source.added_tokens_decoder.items()}
        self._controls = frozenset(token for token, entry in added.items() if entry.special) | self._ends
        parts = _without_additions(json.loads(backend.to_str()))
        self._marked = tokenizers.Tokenizer.from_str(json.dumps(parts))
        self._plain = tokenizers.Tokenizer.from_str(json.dumps(parts))
        self._plain.encode_special_tokens = True
        self._added: dict[int, bytes] = {token: entry.content.encode() for token, entry in added.items()}
        self._byte_level = "ByteLevel" in _kinds(parts.get("decoder"))
        self._pieces: dict[int, bytes] = {}
        bare, opened = source("a", add_special_tokens=False)["input_ids"], source("a")["input_ids"]
        self._opening = tuple(int(token) for token in opened[: max(0, _find(opened, bare))])
        if isinstance(source.chat_template, str):
            self.template = ChatTemplate(source.chat_template, source.bos_token or "", source.eos_token or "")
        for text in SAMPLES:
            if self.decode(self.encode(text)) != text:
                raise _unfit(source, f"{text!r} became {self.decode(self.encode(text))!r}")

    @property
    def end_tokens(self) -> frozenset[int]:
        return self._ends

    @property
    def controls(self) -> frozenset[int]:
        return self._controls

    @property
    def end(self) -> int:
        return self._end

    @property
    def opening(self) -> tuple[int, ...]:
        return self._opening

    def encode(self, text: str, *, special: bool = False) -> tuple[int, ...]:
        tokenizer = self._marked if special else self._plain
        return tuple(tokenizer.encode(text, add_special_tokens=False).ids)

    def piece(self, token: int) -> bytes:
        found = self._pieces.get(token)
        if found is None:
            found = self._pieces[token] = self._piece(token)
        return found

    def _piece(self, token: int) -> bytes:
        text = self._marked.id_to_token(token) if 0 <= token < self.size else None
        if text is None or token in self._controls:
            return b""
        if token in self._added:
            return self._added[token]
        if self._byte_level:
            return bytes(BYTES[character] for character in text)
        byte = _BYTE.fullmatch(text)
        return bytes([int(byte[1], 16)]) if byte else text.replace("▁", " ").encode()


def _byte_table() -> dict[str, int]:
    """The characters that stand for bytes in byte-level vocabularies: printable ones for themselves, others from U+0100 on."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = sorted(set(range(256)) - set(printable))
    return {chr(byte): byte for byte in printable} | {chr(256 + i): byte for i, byte in enumerate(others)}


BYTES = _byte_table()


def _without_additions(parts: dict[str, Any]) -> dict[str, Any]:
    """The parts of a tokenizer without padding, cutting, and a space put before every text."""
    parts = {**parts, "truncation": None, "padding": None, "post_processor": None}
    normalizer = parts.get("normalizer")
    if normalizer is not None:
        steps = normalizer["normalizers"] if normalizer["type"] == "Sequence" else [normalizer]
        parts["normalizer"] = {"type": "Sequence", "normalizers": [step for step in steps if step["type"] != "Prepend"]}
    splitter = parts.get("pre_tokenizer")
    if splitter is not None:
        steps = splitter["pretokenizers"] if splitter["type"] == "Sequence" else [splitter]
        for step in steps:
            if step["type"] == "Metaspace":
                step["prepend_scheme"] = "never"
            if step["type"] == "ByteLevel":
                step["add_prefix_space"] = False
    return parts


def _kinds(part: Mapping[str, Any] | None) -> set[str]:
    """The kinds of a part and of everything in it."""
    if part is None:
        return set()
    return {part["type"]}.union(*(_kinds(inner) for inner in part.get("decoders", ())))


def _find(tokens: list[int], part: list[int]) -> int:
    """Where `part` begins in `tokens`; -1 where it does not occur."""
    return next((i for i in range(len(tokens) - len(part) + 1) if tokens[i : i + len(part)] == part), -1)


def _unfit(source: Any, got: str) -> Incompatible:
    return Incompatible(
        explain(
            f"The tokenizer {type(source).__name__} cannot be used.",
            got=got,
            expected="a fast tokenizer that gives every text back as it was",
            remedy="Serve the model by another program and use it as `openai:NAME`.",
        )
    )
