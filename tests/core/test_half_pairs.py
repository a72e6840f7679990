"""Half surrogate pairs: what a user wrote is refused, what a model or a tool wrote is mended, and no JSON breaks on what is left."""

from __future__ import annotations

import json
import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outthink.core import Failure, InputError, Message, Result, Stop, Task
from outthink.core.half_pairs import as_json, from_json, mended, mended_all, whole_text
from outthink.core.task import Candidate
from outthink.engines.engine import Cost, Generation, StopReason
from outthink.engines.reply_codec import decode_generation, encode_generation
from outthink.engines.scripted_tokens import ScriptedTokenizer
from outthink.engines.tools import ToolCall

HALF, OTHER = "\ud83d", "\ude00"
FACE = "\N{GRINNING FACE}"
LONE = st.text(st.characters(categories=["L", "Cs"]), max_size=12)


@given(LONE)
def test_what_is_mended_can_be_written_and_is_left_alone_from_then_on(text: str) -> None:
    whole = mended(text)
    whole.encode()
    assert mended(whole) == whole
    assert not any("\ud800" <= c <= "\udfff" for c in whole)
    if not any("\ud800" <= c <= "\udfff" for c in text):
        assert whole == text


def test_halves_that_belong_together_become_their_character() -> None:
    assert mended(f"a{HALF}{OTHER}b{OTHER}c{HALF}") == f"a{FACE}b\ufffdc\ufffd"
    assert mended_all({"a" + HALF: [OTHER, (HALF + OTHER, 1)]}) == {"a\ufffd": ["\ufffd", (FACE, 1)]}


def test_json_of_anything_is_written_and_escaped_halves_are_read() -> None:
    assert json.loads(as_json({"text": HALF, "n": math.nan})) == {"text": "\ufffd", "n": None}
    assert as_json({"text": FACE}) == msgspec.json.encode({"text": FACE})
    assert from_json(b'{"text": "a\\ud83db", "face": "\\ud83d\\ude00"}') == {"text": "a\ufffdb", "face": FACE}
    with pytest.raises(ValueError, match="Expecting value"):
        from_json(b'{"text": ')


def test_a_reply_is_mended_at_the_door_whatever_engine_it_comes_from() -> None:
    call = ToolCall("f" + HALF, '{"x": "' + HALF + '"}', HALF)
    reply = Generation(
        text="a" + HALF,
        stop=StopReason.STOP,
        cost=Cost(),
        stop_text=OTHER,
        reasoning=HALF + OTHER,
        names=("a", HALF),
        tool_calls=(call,),
    )
    assert (reply.text, reply.stop_text, reply.reasoning) == ("a\ufffd", "\ufffd", FACE)
    assert reply.names == ("a", "\ufffd")
    assert reply.tool_calls == (ToolCall("f\ufffd", '{"x": "\ufffd"}', "\ufffd"),)
    assert decode_generation(encode_generation(reply)) == reply
    written = encode_generation(reply).replace("a\ufffd".encode(), b"a\\ud83d")
    assert decode_generation(written).text == "a\ufffd", "a recording that another program wrote"
    tokenizer = ScriptedTokenizer()
    assert tokenizer.decode([tokenizer.id_of(HALF), tokenizer.id_of("ab" + HALF)]) == "\ufffdab\ufffd"


def test_a_question_with_half_a_character_is_refused_before_anything_is_spent() -> None:
    for task in ({"prompt": "a" + HALF}, {"prompt": (Message("user", HALF),)}, {"data": {"tests": ["x" + OTHER]}}):
        with pytest.raises(InputError, match="half of a character"):
            Task(**task)
    whole_text(Task(prompt=FACE).prompt)


def test_a_result_is_written_whatever_a_process_of_another_s_making_left_in_it() -> None:
    result = Result(
        answer="a" + HALF,
        chosen=0,
        candidates=(Candidate(content="a" + HALF),),
        scores=(None,),
        weights=(1.0,),
        by_role={},
        stop=Stop.DONE,
        method="best-of-n",
        seed=0,
        run="r",
        seconds=math.inf,
        steps=1,
        failures=(Failure("ValueError", HALF),),
    )
    again = json.loads(result.to_json())
    assert (again["answer"], again["candidates"][0]["content"]) == ("a\ufffd", "a\ufffd")
    assert again["failures"][0]["message"] == result.failures[0].message == "\ufffd"
    assert again["seconds"] is None
