"""Replies that must be one of some strings, match a regular expression, or be JSON of a schema, by `llguidance`.

A `Grammar` belongs to a model's vocabulary and is imported when the first constrained request comes. Each request then has its own matcher:
a mask over the vocabulary before each token. When nothing may follow but the end, the engine ends the reply there.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import msgspec
import numpy as np

from outthink.core.errors import EngineError, Incompatible, SettingsError, explain
from outthink.engines.engine import Choice, Constraint, JsonSchema
from outthink.engines.local.backend import LogitArray
from outthink.engines.local.library import INSTALL

BLANK = r"[ \n\t]{0,8}"
"""Blank space between the parts of a JSON reply. Without a bound a small model may write nothing else until its limit."""


class _Vocabulary:
    """The tokenizer as llguidance wants it: bytes of each token, and which of them are control tokens."""

    def __init__(self, pieces: Sequence[bytes], special: Sequence[int], end: int, encode: Any) -> None:
        self.tokens, self.special_token_ids = list(pieces), list(special)
        self.eos_token_id, self.bos_token_id = end, None
        self._encode = encode

    def __call__(self, text: str) -> list[int]:
        return list(self._encode(text))


class Grammars:
    """Compiles constraints for one vocabulary.

    Args:
        pieces: bytes of each token, [vocabulary].
        special: control tokens. `ends`: those that end a reply.
    """

    def __init__(self, pieces: Sequence[bytes], special: Sequence[int], ends: Sequence[int], encode: Any) -> None:
        try:
            import llguidance  # heavy, and only for constrained replies
        except ImportError:
            raise Incompatible(
                explain(
                    "Constrained replies need llguidance.",
                    got="no package 'llguidance'",
                    expected="llguidance>=1.9",
                    remedy=INSTALL,
                )
            ) from None
        self._matcher = llguidance.LLMatcher
        wrapper = llguidance.TokenizerWrapper(_Vocabulary(pieces, special, ends[0], encode))
        self._tokenizer = llguidance.LLTokenizer(wrapper, n_vocab=len(pieces), eos_token=list(ends))
        self._size = len(pieces)
        self._compiled = lru_cache(maxsize=64)(self._compile)

    def matcher(self, constraint: Constraint) -> Matcher:
        """A fresh matcher. Raises `SettingsError` for a constraint that cannot be read."""
        return Matcher(
            self._compiled(msgspec.json.encode(constraint), constraint_text(constraint)).deep_copy(), self._size
        )

    def _compile(self, _key: bytes, grammar: str) -> Any:
        matcher = self._matcher(self._tokenizer, grammar, log_level=0)
        if matcher.is_error():
            raise SettingsError(
                explain(
                    "This constraint cannot be compiled.",
                    got=matcher.get_error().strip()[:300],
                    expected="strings to choose from, a regular expression without look-around, or a JSON schema",
                    remedy="Simplify the constraint.",
                )
            )
        return matcher


def constraint_text(constraint: Constraint) -> str:
    """The constraint as a grammar of llguidance."""
    from llguidance import LLMatcher  # heavy, and only for constrained replies

    if isinstance(constraint, Choice):
        options = " | ".join(json.dumps(option, ensure_ascii=False) for option in constraint.options)
        return str(LLMatcher.grammar_from_lark(f"start: {options}"))
    if isinstance(constraint, JsonSchema):
        return str(LLMatcher.grammar_from_json_schema(constraint.document, overrides={"whitespace_pattern": BLANK}))
    return str(LLMatcher.grammar_from_regex(constraint.pattern))


class Matcher:
    """One reply's place in its grammar."""

    def __init__(self, matcher: Any, size: int) -> None:
        self._matcher, self._size = matcher, size

    def apply(self, row: LogitArray) -> None:
        """Forbid every token that the grammar does not allow next, in place."""
        bits = np.frombuffer(self._matcher.compute_bitmask(), dtype=np.uint8)
        if self._matcher.is_error():
            raise EngineError(f"The constraint could not go on: {self._matcher.get_error().strip()[:300]}")
        allowed = np.unpackbits(bits, bitorder="little")[: self._size]
        row[: self._size][allowed == 0] = -np.inf

    def accept(self, token: int) -> bool:
        """Go on by `token`; whether nothing may follow any more."""
        if not self._matcher.consume_token(token):
            raise EngineError(
                f"The constraint refused a token that it allowed: {self._matcher.get_error().strip()[:300]}"
            )
        return bool(self._matcher.is_stopped())
