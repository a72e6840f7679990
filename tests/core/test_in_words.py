"""What a candidate's content says: texts as they are, conversations line by line, and nothing of what is neither."""

from __future__ import annotations

import numpy as np
import pytest

from outthink.core.task import Message, in_words, is_transcript

TALK = (Message("user", "Which?"), Message("assistant", "This one."))


def test_texts_and_conversations() -> None:
    assert in_words("as it is") == "as it is"
    assert in_words("") == ""
    assert in_words(TALK) == "user: Which?\nassistant: This one."
    # What comes later begins with what was before, so that a family tree shows what each turn added.
    assert (in_words(TALK) or "").startswith(in_words(TALK[:1]) or "?")
    assert is_transcript(TALK)


@pytest.mark.parametrize("content", [(), None, 3.0, np.zeros(2), ("a", "b"), (*TALK, "b"), b"bytes"])
def test_what_is_neither(content: object) -> None:
    assert in_words(content) is None
    assert not is_transcript(content)
