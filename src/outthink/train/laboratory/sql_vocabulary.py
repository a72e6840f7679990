"""The SQL model's 256 tokens: printable ASCII and the line end, and the words of its small language as one token each.

    ids("SELECT COUNT(*) FROM member")       # four tokens; what is no word of the language goes letter by letter

In the model's file the words are tokens of their own ("user-defined"), which llama.cpp finds in a text before anything else, the longest
first; the letters are a byte-pair vocabulary without merges. No other character can be written.
"""

from __future__ import annotations

import re
from typing import Final

from outthink.agent.episode import Earlier, Turn
from outthink.agent.process import told_of
from outthink.agent.sql_questions import AGGREGATES
from outthink.agent.sql_worlds import CITIES, COLUMNS, DOMAINS, PEOPLE, SORTS, THINGS
from outthink.agent.text_to_sql import handed_in
from outthink.core.errors import InputError, explain
from outthink.laboratory.vocabulary import BYTES, END, SIZE
from outthink.laboratory.vocabulary import names as byte_names
from outthink.search.refine import REQUEST

SCORED: Final = "\nThe answer's score is 0 on a scale from 0 to 1; higher is better."
"""What `outthink.search.feedback.told` adds to the request for an answer without reward."""


def _told_of() -> tuple[str, ...]:
    """The fixed stretches of what a revision is told."""
    whole = told_of(Earlier((Turn("\0", f"{handed_in('')}\0"),), f"{REQUEST}\0"))
    before, between, behind, last = whole.split("\0")
    return (before, between, behind, SCORED, last)


SQL: Final = (
    *(
        "SUBMIT ",
        "SELECT ",
        "COUNT(*)",
        " FROM ",
        " JOIN ",
        " ON ",
        " WHERE ",
        " = ",
        " = '",
        " GROUP BY ",
        " ORDER BY ",
    ),
    *(" DESC LIMIT 1", " HAVING COUNT(*) >= ", " > ", " AND ", ", ", ".id", "_id", "(id, ...) ", "_id, ...)", "_id, "),
    *(f"{name}(" for name in AGGREGATES.values()),
)
ENGLISH: Final = (
    *(
        "How many ",
        "Which ",
        "What is the ",
        "s are from ",
        "s are there for each city?",
        " price of a ",
        " amount of a ",
    ),
    *(" of the kind ", "s have a price above ", " has the highest price?", "s did each ", " have?", "s had at least "),
    *("s did ", " did ", "s from ", " for each kind?", "s of the kind "),
)
SEEN: Final = (
    "\nError: ",
    "no such column: ",
    "no such table: ",
    " | ",
    " rows)",
    " not shown)",
    "NULL",
    "\n(1 rows)",
    "\n(0 rows)",
)


def _words() -> tuple[str, ...]:
    tables = (name for domain in DOMAINS.values() for names in domain for name in names)
    columns = (name for names in COLUMNS.values() for name in names)
    values = (written for value in (*CITIES, *SORTS) for written in (value, value.lower()))
    return tuple(
        dict.fromkeys((*_told_of(), *SQL, *ENGLISH, *SEEN, *tables, *columns, *AGGREGATES, *values, *PEOPLE, *THINGS))
    )


WORDS: Final = _words()
LETTERS: Final = ("\n", *map(chr, range(0x20, 0x7F)))
NORMAL, CONTROL, WORD = 1, 3, 4
"""Token types of GGUF."""

_TOKEN_OF: Final = {text: END + 1 + i for i, text in enumerate((*WORDS, *LETTERS))}
_ANY: Final = re.compile("|".join(map(re.escape, sorted(WORDS, key=len, reverse=True))) + "|[\n\x20-\x7e]")


def ids(text: str) -> list[int]:
    """The tokens of a text. Raises `InputError` for a character that has none."""
    found = _ANY.findall(text)
    if sum(map(len, found)) != len(text):
        raise InputError(
            explain(
                "The SQL model reads ASCII only.",
                got=repr(text[:80]),
                expected="printable ASCII characters and line ends",
                remedy="Write it without other characters.",
            )
        )
    return [_TOKEN_OF[one] for one in found]


def tokens() -> dict[str, list[str] | list[int]]:
    """The vocabulary as metadata of the model's file: 256 tokens and their types."""
    letter = dict(zip(BYTES, byte_names()[SIZE - len(BYTES) :], strict=True))
    texts = [*byte_names()[: END + 1], *WORDS, *(letter[ord(one)] for one in LETTERS)]
    types = [CONTROL] * (END + 1) + [WORD] * len(WORDS) + [NORMAL] * len(LETTERS)
    left = SIZE - len(texts)
    texts += [f"<unused-{i}>" for i in range(left)]
    return {"tokenizer.ggml.tokens": texts, "tokenizer.ggml.token_type": types + [CONTROL] * left}
