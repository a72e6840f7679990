"""A tokenizer for scripted engines: a declared vocabulary, and single characters for everything else.

Ids depend on the text alone, never on the order in which texts were met: control tokens first, then the declared vocabulary in its
order, then one id for every Unicode character. A longer string that a script emits without having declared it gets an id from its hash.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence

from outthink.core.errors import EngineError, explain
from outthink.core.half_pairs import mended
from outthink.core.task import Message
from outthink.engines.engine import Tokenizer

END = "<|end|>"
ASSISTANT = "<|assistant|>"
ROLES = ("<|system|>", "<|user|>", ASSISTANT, "<|tool|>")
CONTROL = (END, *ROLES)

_CHARACTERS = 1 << 24
_UNDECLARED = 1 << 40


class ScriptedTokenizer(Tokenizer):
    """Greedy, longest match first; characters that no declared string covers are tokens of their own.

    The chat template is `<|role|>text` for each message and `<|assistant|>` for the reply to come. A user who writes that markup gets
    plain characters: only `special=True` reads control tokens.
    """

    def __init__(self, vocabulary: Sequence[str] = ()) -> None:
        if "" in vocabulary or set(vocabulary) & set(CONTROL):
            raise EngineError(
                explain(
                    "The vocabulary holds an empty string or a control token.",
                    got=sorted(vocabulary)[:5],
                    expected="strings that stand for text",
                    remedy=f"Leave out '' and {', '.join(CONTROL)}.",
                )
            )
        strings = (*CONTROL, *dict.fromkeys(vocabulary))
        self._text: dict[int, str] = dict(enumerate(strings))
        self._id: dict[str, int] = {text: token for token, text in self._text.items()}
        declared = set(strings[len(CONTROL) :])
        self._declared = _any_of(declared)
        self._any = _any_of({*declared, *CONTROL})

    @property
    def end_tokens(self) -> frozenset[int]:
        return frozenset({self._id[END]})

    def encode(self, text: str, *, special: bool = False) -> tuple[int, ...]:
        tokens: list[int] = []
        at = 0
        for found in (self._any if special else self._declared).finditer(text):
            tokens += [_CHARACTERS + ord(one) for one in text[at : found.start()]]
            tokens.append(self._id[found[0]])
            at = found.end()
        tokens += [_CHARACTERS + ord(one) for one in text[at:]]
        return tuple(tokens)

    def decode(self, tokens: Sequence[int]) -> str:
        return mended("".join("" if token == self._id[END] else self.text_of(token) for token in tokens))

    def chat(self, messages: Sequence[Message], *, prefix: str = "") -> tuple[int, ...]:
        tokens: list[int] = []
        for message in messages:
            marker = f"<|{message.role}|>"
            if marker not in ROLES or not isinstance(message.content, str):
                raise EngineError(
                    explain(
                        "The scripted engine cannot read this message.",
                        got=message.role if marker not in ROLES else type(message.content).__name__,
                        expected="text from system, user, assistant or tool",
                        remedy="Send text only.",
                    )
                )
            tokens.append(self._id[marker])
            tokens.extend(self.encode(message.content))
        return (*tokens, self._id[ASSISTANT], *self.encode(prefix))

    def text_of(self, token: int) -> str:
        """The string of one token, control tokens by their markup. Raises `EngineError` for an id that stands for nothing."""
        known = self._text.get(token)
        if known is not None:
            return known
        if _CHARACTERS <= token <= _CHARACTERS + 0x10FFFF:
            return chr(token - _CHARACTERS)
        raise EngineError(
            explain(
                "The token stands for nothing in this vocabulary.",
                got=token,
                expected="an id that this tokenizer made",
                remedy="Declare the vocabulary when the engine is made, so that ids keep their meaning in another process.",
            )
        )

    def id_of(self, text: str) -> int:
        """The id of a string that is one token. A string that was not declared is remembered, so that it can be decoded."""
        known = self._id.get(text)
        if known is not None:
            return known
        if len(text) == 1:
            return _CHARACTERS + ord(text)
        token = _UNDECLARED + int.from_bytes(
            hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=5).digest(), "little"
        )
        self._text[token], self._id[text] = text, token
        return token


def _any_of(strings: Iterable[str]) -> re.Pattern[str]:
    """The longest of these strings that stands at a place; nowhere where there are none."""
    longest_first = sorted(strings, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")


def reply_of(text: str) -> str:
    """What the assistant has said so far, in a text that a chat prompt became; the whole text when there was no chat."""
    return text.rpartition(ASSISTANT)[2]


def question_of(text: str) -> str:
    """The last user message, in a text that a chat prompt became; "" when there was no chat."""
    asked = text.rpartition("<|user|>")[2] if "<|user|>" in text else ""
    for marker in ROLES:
        asked = asked.partition(marker)[0]
    return asked
