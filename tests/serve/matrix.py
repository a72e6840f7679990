"""The matrix: twenty fields, six methods, streamed or not; each cell is proved by what the field does.

One script answers all cells; the last message of the user says which part it plays. A proof sends what it needs and looks at the answers,
the same ones whether they came as a document or as a stream.
"""

from __future__ import annotations

import json
import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx2

from outthink.engines.scripted import END, ScriptedEngine
from outthink.engines.scripted_tokens import question_of, reply_of
from outthink.store.store import Store
from outthink.testing.openai_server import LETTERS
from tests.serve.gateways import spelling

STEPPED = {"type": "text", "stepper": {"type": "tokens", "n": 3}, "max_tokens": 60}
JUDGED = {"process": STEPPED, "verifier": {"type": "confidence"}}
METHODS: Mapping[str, dict[str, Any] | None] = {
    "direct": None,
    "vote": {"process": STEPPED, "algorithm": {"type": "vote", "n": 8}},
    "best-of-n": {**JUDGED, "algorithm": {"type": "best-of-n", "n": 6}},
    "particle-filter": {**JUDGED, "algorithm": {"type": "particle-filter", "n": 6}},
    "beam": {**JUDGED, "algorithm": {"type": "beam", "n": 8}},
    "tree": {**JUDGED, "algorithm": {"type": "tree", "n": 12}},
}
"""Recipes by method; direct is the model's own name. Steps of three tokens, so that the methods that go by steps take several."""

SCHEMA = {
    "type": "object",
    "properties": {"colour": {"enum": ["red", "blue"]}, "size": {"type": "integer", "minimum": 1}},
    "required": ["colour", "size"],
    "additionalProperties": False,
}
FORM = {"type": "json_schema", "json_schema": {"name": "thing", "schema": SCHEMA, "strict": True}}
VALID = ('{"colour": "red", "size": 3}', '{"colour": "blue", "size": 4}')
PHRASE = "alpha beta gamma"
TOOLS = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {}}}}
    for name in ("weather", "clock")
]


def script(text: str) -> Mapping[str, float]:
    """The next token of every part."""
    said, part = reply_of(text), question_of(text)
    if part == "recall":
        return spelling(said, text[: len(text) - len(said)].replace("<|", "[").replace("|>", "]"))
    if part == "stutter":
        return {"x": 0.8, "y": 0.2}
    if part == "phrase":
        return spelling(said, PHRASE)
    if part == "form":
        # A third of the replies is not what was asked for, and without being asked there is none at all.
        asked = "JSON" in text[: len(text) - len(said)]
        return (
            spelling(said, *VALID, *VALID, "Sure! A red one.", '{"colour": "green", "size": 3}')
            if asked
            else spelling(said, "a red one")
        )
    if part == "obedient":
        return spelling(said, VALID[0] if "JSON" in text[: len(text) - len(said)] else "a red one")
    if part == "tool":
        system = text[: len(text) - len(said)]
        if "tools: weather, clock; choice: clock" in system:
            return spelling(said, "call clock {}")
        if "tools: weather, clock" in system:
            return spelling(said, 'call weather {"city": "Rome"}', 'call weather {"city":"Rome"}', "call clock {}")
        return spelling(said, "It is sunny.")
    if part == "short":
        return {**{letter: p * 0.8 for letter, p in LETTERS.items()}, END: 0.2}
    return LETTERS


LATE = 0
"""The status of a stream that was refused after it had begun."""


@dataclass
class Said:
    """One reply, however it came. `chunks`: how many pieces each answer came in; `raw`: the document, or the last event."""

    status: int
    texts: list[str] = field(default_factory=list)
    finish: list[str | None] = field(default_factory=list)
    tokens: list[list[dict[str, Any]]] = field(default_factory=list)
    calls: list[list[dict[str, Any]]] = field(default_factory=list)
    chunks: list[int] = field(default_factory=list)
    usage: dict[str, Any] | None = None
    about: dict[str, Any] = field(default_factory=dict)
    kind: str = ""
    raw: dict[str, Any] = field(default_factory=dict)


@dataclass
class Cell:
    """One cell: a method, streamed or not, on one gateway."""

    client: httpx2.AsyncClient
    store: Store
    engine: ScriptedEngine
    method: str
    stream: bool

    @property
    def model(self) -> str:
        """The served name; the model alone for direct."""
        return "m" if self.method == "direct" else self.method

    async def ask(self, part: str = "letters", **fields: Any) -> Said:
        """Send a request and read the reply."""
        messages = fields.pop("messages", [{"role": "user", "content": part}])
        body = {"model": self.model, "messages": messages, **fields}
        if self.stream:
            body.setdefault("stream", True)
        reply = await self.client.post("/v1/chat/completions", json=body)
        if reply.status_code != 200:
            return Said(reply.status_code, raw=reply.json())
        kind = reply.headers["content-type"].partition(";")[0]
        return _streamed(reply.text, kind) if kind == "text/event-stream" else _whole(reply.json(), kind)

    async def text(self, part: str = "letters", **fields: Any) -> str:
        """The text of the only answer."""
        said = await self.ask(part, **fields)
        assert said.status == 200, said.raw
        assert len(said.texts) == 1
        return said.texts[0]


def _whole(document: dict[str, Any], kind: str) -> Said:
    choices = document["choices"]
    assert [choice["index"] for choice in choices] == list(range(len(choices)))
    return Said(
        200,
        [choice["message"]["content"] or "" for choice in choices],
        [choice["finish_reason"] for choice in choices],
        [(choice["logprobs"] or {}).get("content", []) for choice in choices],
        [choice["message"].get("tool_calls", []) for choice in choices],
        [1 for _ in choices],
        document["usage"],
        document["outthink"],
        kind,
        document,
    )


def _streamed(text: str, kind: str) -> Said:
    events = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: ")]
    if events[-1].startswith('{"error":'):
        # On a busy machine a refusal comes after the stream has begun.
        return Said(LATE, raw=json.loads(events[-1]))
    assert events[-1] == "[DONE]", text[-500:]
    chunks = [json.loads(event) for event in events[:-1]]
    n = 1 + max(choice["index"] for chunk in chunks for choice in chunk["choices"])
    said = Said(
        200, [""] * n, [None] * n, [[] for _ in range(n)], [[] for _ in range(n)], [0] * n, None, {}, kind, chunks[-1]
    )
    for chunk in chunks:
        said.usage = chunk.get("usage") or said.usage
        said.about = chunk.get("outthink") or said.about
        for choice in chunk["choices"]:
            i, delta = choice["index"], choice["delta"]
            if delta.get("content"):
                said.texts[i] += delta["content"]
                said.chunks[i] += 1
            said.tokens[i] += (choice.get("logprobs") or {}).get("content", [])
            said.calls[i] += delta.get("tool_calls", [])
            said.finish[i] = choice["finish_reason"] or said.finish[i]
    return said


# -- the proofs -----------------------------------------------------------------------------------------------------

Proof = Callable[[Cell], Awaitable[None]]
SEEDS = range(4)


async def messages(cell: Cell) -> None:
    turns = [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": "two"},
        {"role": "user", "content": [{"type": "text", "text": "recall"}]},
    ]
    told = await cell.text(messages=turns, temperature=0, max_tokens=60)
    assert "[system]be brief[user]one[assistant]two[user]recall".startswith(told[:40])
    assert "two" in told


async def temperature(cell: Cell) -> None:
    greedy = {await cell.text(temperature=0, max_tokens=6, seed=seed) for seed in SEEDS}
    free = {await cell.text(temperature=1.5, max_tokens=6, seed=seed) for seed in SEEDS}
    assert greedy == {"aaaaaa"}
    assert len(free) > 1


async def top_p(cell: Cell) -> None:
    assert {await cell.text(top_p=0.05, max_tokens=6, seed=seed) for seed in SEEDS} == {"aaaaaa"}
    assert {await cell.text(top_p=1.0, max_tokens=6, seed=seed) for seed in SEEDS} != {"aaaaaa"}


async def max_tokens(cell: Cell) -> None:
    for limit in (1, 5):
        said = await cell.ask(max_tokens=limit)
        assert [len(text) for text in said.texts] == [limit]
        assert said.finish == ["length"]


async def max_completion_tokens(cell: Cell) -> None:
    said = await cell.ask(max_completion_tokens=5)
    assert [len(text) for text in said.texts] == [5]
    assert said.finish == ["length"]
    both = await cell.ask(max_completion_tokens=5, max_tokens=6)
    assert both.status == 400


async def n(cell: Cell) -> None:
    before = len(cell.engine.requests)
    said = await cell.ask(n=3, max_tokens=6, seed=5)
    assert len(said.texts) == 3 == len(set(said.texts))
    calls = len(cell.engine.requests) - before
    once = len(cell.engine.requests)
    await cell.ask(max_tokens=6, seed=5)
    # The others come out of the same search; only a direct request has to draw more.
    assert calls <= max(3, len(cell.engine.requests) - once)


async def stop(cell: Cell) -> None:
    assert await cell.text("phrase") == PHRASE
    said = await cell.ask("phrase", stop=" gam")
    assert (said.texts, said.finish) == (["alpha beta"], ["stop"])
    assert await cell.text("phrase", stop=["zzz", "pha b"]) == "al"


async def seed(cell: Cell) -> None:
    first, again, other = [await cell.text(max_tokens=8, seed=seed) for seed in (7, 7, 8)]
    assert first == again
    assert first != other


async def stream(cell: Cell) -> None:
    said = await cell.ask("phrase", stream=cell.stream)
    assert said.texts == [PHRASE]
    assert said.kind == ("text/event-stream" if cell.stream else "application/json")
    assert said.chunks[0] > 1 if cell.stream else said.chunks == [1]


async def stream_options(cell: Cell) -> None:
    before = cell.engine.counters()
    said = await cell.ask("short", max_tokens=6, stream_options={"include_usage": True})
    spent = cell.engine.counters() - before
    assert said.usage is not None
    assert (said.usage["prompt_tokens"], said.usage["completion_tokens"]) == (spent.input_tokens, spent.output_tokens)
    assert (await cell.ask("short", max_tokens=6)).usage is None
    assert (await cell.ask("short", max_tokens=6, stream_options={"include_usage": False})).usage is None


async def logprobs(cell: Cell) -> None:
    said = await cell.ask("short", logprobs=True, n=2, max_tokens=9)
    assert said.status == 200, said.raw
    for text, tokens in zip(said.texts, said.tokens, strict=True):
        assert "".join(token["token"] for token in tokens) == text
        for token in tokens:
            assert math.isclose(token["logprob"], math.log(0.8 * LETTERS[token["token"]]), abs_tol=1e-9)
    assert (await cell.ask("short")).tokens == [[]]


async def presence_penalty(cell: Cell) -> None:
    # ln(0.8 / 0.2) = 1.39 < 2: the first x is held against it, until y is used too; then neither has an advantage.
    assert await cell.text("stutter", temperature=0, max_tokens=8) == "xxxxxxxx"
    assert await cell.text("stutter", temperature=0, max_tokens=8, presence_penalty=2) == "xyxxxxxx"


async def frequency_penalty(cell: Cell) -> None:
    assert await cell.text("stutter", temperature=0, max_tokens=8, frequency_penalty=2) == "xyxyxyxy"
    assert await cell.text("stutter", temperature=0, max_tokens=8, frequency_penalty=0.5) == "xxxyxyxy"


async def logit_bias(cell: Cell) -> None:
    token = cell.engine.tokenizer.encode("y")[0]
    assert await cell.text("stutter", temperature=0, max_tokens=6, logit_bias={str(token): 3}) == "yyyyyy"
    assert await cell.text("stutter", temperature=0, max_tokens=6, logit_bias={str(token): 1}) == "xxxxxx"


async def response_format(cell: Cell) -> None:
    part = "obedient" if cell.method == "direct" else "form"
    for seed in SEEDS:
        assert json.loads(await cell.text(part, response_format=FORM, seed=seed)) in [json.loads(one) for one in VALID]
        assert isinstance(json.loads(await cell.text(part, response_format={"type": "json_object"}, seed=seed)), dict)
    assert await cell.text(part) == "a red one"


async def user(cell: Cell) -> None:
    await cell.text("phrase", user="ada")
    await cell.store.write(lambda connection: None)
    run = cell.store.run("last")
    assert run.task.data["gateway"]["user"] == "ada"
    assert run.result is not None
    assert run.result.answer == PHRASE


async def metadata(cell: Cell) -> None:
    given = {"purpose": "proof", "part": cell.method}
    said = await cell.ask("phrase", metadata=given)
    assert said.raw["metadata"] == given
    await cell.store.write(lambda connection: None)
    assert cell.store.run("last").task.data["gateway"]["metadata"] == given


async def tools(cell: Cell) -> None:
    said = await cell.ask("tool", tools=TOOLS, seed=1)
    assert said.status == 200, said.raw
    assert said.finish == ["tool_calls"]
    (call,) = said.calls[0]
    assert call["type"] == "function"
    assert call["id"]
    function = call["function"]
    assert function["name"] in ("weather", "clock")
    if cell.method == "vote":
        # Two spellings of one call outvote another call that is as likely as either.
        assert (function["name"], json.loads(function["arguments"])) == ("weather", {"city": "Rome"})
    assert await cell.text("tool") == "It is sunny."


async def tool_choice(cell: Cell) -> None:
    forced = await cell.ask("tool", tools=TOOLS, tool_choice={"type": "function", "function": {"name": "clock"}})
    assert [call["function"]["name"] for call in forced.calls[0]] == ["clock"]
    assert await cell.text("tool", tools=TOOLS, tool_choice="none") == "It is sunny."
    assert (await cell.ask("tool", tool_choice="required")).raw["error"]["param"] == "tool_choice"


async def outthink(cell: Cell) -> None:
    if cell.method == "direct":
        sized = await cell.ask("short", max_tokens=6, outthink={"n": 3})
    else:
        sized = await cell.ask("short", max_tokens=6, outthink={"method": "vote", "n": 3})
        assert sized.about["method"] == "vote"
    assert sized.about["candidates"] == 3
    before = cell.engine.counters()
    held = await cell.ask("letters", max_tokens=40, outthink={"budget": {"output_tokens": 45}})
    assert (cell.engine.counters() - before).output_tokens <= 45
    assert held.status in (200, 422, LATE)
    assert (await cell.ask(outthink={"base_url": "http://elsewhere"})).raw["error"]["param"] == "outthink.base_url"


PROOFS: Mapping[str, Proof] = {
    proof.__name__: proof
    for proof in (
        messages,
        temperature,
        top_p,
        max_tokens,
        max_completion_tokens,
        n,
        stop,
        seed,
        stream,
        stream_options,
        logprobs,
        presence_penalty,
        frequency_penalty,
        logit_bias,
        response_format,
        user,
        metadata,
        tools,
        tool_choice,
        outthink,
    )
}
REFUSED = {("stream_options", method, False): "stream_options" for method in METHODS}
"""Cells that are refused, and the field that the refusal names: only a stream has options of one, as at OpenAI."""
