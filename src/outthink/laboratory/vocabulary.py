"""The laboratory model's 256 tokens: every byte that UTF-8 text can hold, and thirteen control tokens, of which two are used.

    ids("3+4=7")                     # one token a byte
    BEGIN, END                       # before a question, after a solution

Any text can be written with them and read back, so nothing is lost in silence. In the model's file they are a byte-pair vocabulary without
merges, which llama.cpp reads by itself; the letters that stand for bytes in it are GPT-2's.
"""

from __future__ import annotations

from typing import Final

CONTROLS: Final = 13
BEGIN: Final = 0
END: Final = 1

BYTES: Final = tuple(byte for byte in range(256) if byte not in (0xC0, 0xC1) and byte < 0xF5)
"""Bytes that occur in UTF-8, in the order of their tokens."""

SIZE: Final = CONTROLS + len(BYTES)

_TOKEN_OF: Final = {byte: CONTROLS + i for i, byte in enumerate(BYTES)}


def ids(text: str) -> list[int]:
    """The tokens of a text."""
    return [_TOKEN_OF[byte] for byte in text.encode()]


def names() -> list[str]:
    """Every token as the model's file writes it, [256]."""
    controls = ["<begin>", "<end>", *(f"<unused-{i}>" for i in range(2, CONTROLS))]
    return controls + [chr(_letter(byte)) for byte in BYTES]


def _letter(byte: int) -> int:
    """GPT-2's printable letter for a byte: itself where it prints, else the next free one from 256 on."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    if byte in printable:
        return byte
    return 256 + [other for other in range(256) if other not in printable].index(byte)
