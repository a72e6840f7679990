"""The three interfaces on a socket, as the official client sees them."""

from __future__ import annotations

import json
import math

import httpx2
import openai
import pydantic
import pytest

from outthink.engines.openai import Openai, connect
from outthink.engines.scripted import END
from outthink.engines.scripted_tokens import reply_of
from outthink.serve import Configuration
from outthink.testing.openai_server import OpenAIServer
from tests.serve.gateways import FULL, running, saying, scripted, spelling
from tests.serve.matrix import TOOLS
from tests.serve.matrix import script as parts

VOTE = Configuration(models={"m": {}}, recipes={"careful": {"algorithm": {"type": "vote", "n": 8}}})


async def test_a_direct_chat_costs_one_call_and_says_so() -> None:
    engine = scripted(saying("four"))
    async with running({"m": engine}) as on:
        reply = await on.chat("m", "2 + 2?", seed=3)
    assert reply.choices[0].message.content == "four"
    assert reply.choices[0].finish_reason == "stop"
    assert len(engine.requests) == 1
    counted = engine.counters()
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (counted.input_tokens, counted.output_tokens)
    assert reply.usage.by_role["generate"]["calls"] == 1
    assert (reply.outthink["seed"], reply.outthink["method"]) == (3, "direct")
    assert reply.id.startswith("chatcmpl-")
    assert reply._request_id.startswith("req_")


async def test_a_recipe_is_a_search_and_its_bill_is_all_of_it() -> None:
    engine = scripted(saying("four", "four", "five"))
    async with running({"m": engine}, VOTE) as on:
        reply = await on.chat("careful", seed=1)
        pair = await on.chat("vote@m", seed=1, extra_body={"outthink": {"n": 8}})
    assert reply.choices[0].message.content == "four" == pair.choices[0].message.content
    assert reply.outthink["candidates"] == 8 == reply.usage.by_role["generate"]["calls"]
    assert reply.outthink["agreement"] == pair.outthink["agreement"] > 0.5
    assert len(engine.requests) == 16


async def test_a_stream_says_the_same_as_a_document() -> None:
    async with running({"m": scripted(saying("one two three", "four five six"))}) as on:
        whole = await on.chat("m", seed=4)
        stream = await on.chat("m", seed=4, stream=True, stream_options={"include_usage": True})
        chunks = [chunk async for chunk in stream]
    said = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert said == whole.choices[0].message.content
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].choices == []
    assert chunks[-1].usage.completion_tokens == whole.usage.completion_tokens
    assert all(chunk.usage is None for chunk in chunks[:-1])
    assert len({chunk.id for chunk in chunks}) == 1


async def test_completions_continue_raw_text() -> None:
    async with running({"m": scripted(lambda text: spelling(text.removeprefix("2 + 2 ="), " 4.", " 4."))}) as on:
        reply = await on.client.completions.create(model="m", prompt="2 + 2 =", max_tokens=8, logprobs=0)
        stream = await on.client.completions.create(model="m", prompt="2 + 2 =", max_tokens=2, stream=True)
        text = "".join([chunk.choices[0].text async for chunk in stream])
        with pytest.raises(openai.BadRequestError) as refused:
            await on.client.completions.create(model="m", prompt="x", best_of=3)
    assert reply.choices[0].text == " 4."
    assert reply.choices[0].logprobs is not None
    assert reply.choices[0].logprobs.text_offset == [0, 1, 2]
    assert text == " 4"
    assert refused.value.param == "best_of"


async def test_responses_whole_and_streamed() -> None:
    async with running({"m": scripted(saying("one two"))}) as on:
        create = on.client.responses.create
        reply = await create(model="m", instructions="be brief", input="say it", metadata={"a": "b"})
        turns = [{"role": "user", "content": [{"type": "input_text", "text": "say it"}]}]
        events = [event async for event in await create(model="m", input=turns, stream=True)]
        short = await create(model="m", input="say it", max_output_tokens=3, include=["message.output_text.logprobs"])
        with pytest.raises(openai.BadRequestError) as refused:
            await create(model="m", input="x", previous_response_id="resp_1")
    assert reply.output_text == "one two"
    assert reply.metadata == {"a": "b"}
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == "one two"
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[-1].type == "response.completed"
    assert events[-1].response.output_text == "one two"
    assert (short.status, short.output_text) == ("incomplete", "one")
    assert len(short.output[0].content[0].logprobs) == 3
    assert refused.value.param == "previous_response_id"


async def test_models_are_listed_and_found() -> None:
    async with running({"m": scripted(saying("x"))}, VOTE) as on:
        names = [model.id async for model in on.client.models.list()]
        assert {"m", "careful", "vote@m", "particle-filter@m", "direct@m"} <= set(names)
        assert (await on.client.models.retrieve("vote@m")).owned_by == "outthink"
        for missing in ("nobody", "vote@nobody", "../../etc/passwd"):
            with pytest.raises(openai.NotFoundError):
                await on.client.models.retrieve(missing)


async def test_errors_have_the_shape_that_clients_read() -> None:
    async with running({"m": scripted(saying("x"))}) as on:
        with pytest.raises(openai.NotFoundError) as missing:
            await on.chat("nobody")
        assert (missing.value.param, missing.value.code) == ("model", "model_not_found")
        for field, value, named in (
            ("temperature", 3, "temperature"),
            ("presence_penalty", "much", "presence_penalty"),
            ("top_logprobs", 2, "top_logprobs"),
            ("functions", [], "functions"),
            ("colour", "red", "colour"),
            ("n", 99, "n"),
            ("max_tokens", 10**9, "max_tokens"),
            ("outthink", {"n": 10**6}, "outthink.n"),
            ("outthink", {"budget": {"tokens": 10**9}}, "outthink.budget.tokens"),
            ("outthink", {"methods": "vote"}, "outthink.methods"),
            ("response_format", {"type": "grammar"}, "response_format"),
        ):
            with pytest.raises(openai.BadRequestError) as refused:
                await on.chat("m", extra_body={field: value})
            assert refused.value.param == named, field
            assert refused.value.type == "invalid_request_error"
        for part, where in (({"type": "image_url"}, "messages[0].content[0]"), ({"text": 3}, "messages[0].content[0]")):
            with pytest.raises(openai.BadRequestError) as refused:
                await on.chat("m", messages=[{"role": "user", "content": [part]}])
            assert refused.value.param == where


async def test_a_failure_is_never_an_answer() -> None:
    async with OpenAIServer(parts) as server:
        engine = await connect(Openai(base_url=server.base_url, model="other", probe="never", retries=0))
        async with running({"m": engine, "n": scripted(saying("prose"))}) as on:
            with pytest.raises(openai.APIStatusError) as none:
                await on.chat("n", response_format={"type": "json_object"})
            assert (none.value.status_code, none.value.code) == (422, "no_valid_candidate")
            with pytest.raises(openai.APIStatusError) as cut:
                await on.chat("n", extra_body={"n": 3, "outthink": {"budget": {"calls": 2}}})
            assert (cut.value.status_code, cut.value.code) == (422, "too_few_answers")
            await server.__aexit__()
            with pytest.raises(openai.APIStatusError) as gone:
                await on.chat("m")
        assert (gone.value.status_code, gone.value.code) == (502, "upstream_failed")
        assert "127.0.0.1" not in str(gone.value)
        await engine.close()


class Thing(pydantic.BaseModel):
    """What a reply is read into."""

    colour: str
    size: int


async def test_structured_output_is_voted_on_field_by_field() -> None:
    # Each field has a majority, and no document holds both: two thirds are red, two thirds are 3, one third is both by no document.
    documents = ('{"colour": "red", "size": 3}', '{"colour": "red", "size": 4}', '{"colour": "blue", "size": 3}')
    documents += ("no document", '{"colour": "red"}')
    async with running({"m": scripted(saying(*documents))}, VOTE) as on:
        read = await on.client.chat.completions.parse(
            model="careful",
            messages=[{"role": "user", "content": "a thing"}],
            response_format=Thing,
            seed=2,
            extra_body={"outthink": {"n": 32}},
        )
    assert read.choices[0].message.parsed == Thing(colour="red", size=3)
    assert json.loads(read.outthink["answer"]) == {"colour": "red", "size": 3}


async def test_a_document_that_no_candidate_wrote_is_told_as_such() -> None:
    sizes = [("red", 4), ("red", 5), ("blue", 3), ("green", 3)]
    said = saying(*(json.dumps({"colour": colour, "size": size}) for colour, size in sizes))
    async with running({"m": scripted(said)}, VOTE) as on:
        fields = {"response_format": {"type": "json_object"}, "seed": 2}
        reply = await on.chat("careful", **fields, extra_body={"outthink": {"n": 48}})
    assert json.loads(reply.choices[0].message.content) == {"colour": "red", "size": 3}
    assert reply.outthink["chosen"] is None
    assert reply.outthink["answer"] == reply.choices[0].message.content


async def test_the_account_tells_of_the_answer_that_is_sent() -> None:
    # The verifier likes the long prose best, which is no document.
    recipe = {"algorithm": {"type": "best-of-n", "n": 8}, "verifier": {"type": "confidence"}}
    configuration = Configuration(models={"m": {}}, recipes={"best": recipe})
    said = scripted(lambda text: {"prose": 0.7, '{"a": 1}': 0.3} if not reply_of(text) else {END: 1.0})
    async with running({"m": said}, configuration) as on:
        reply = await on.chat("best", seed=1, response_format={"type": "json_object"})
    found = reply.outthink
    assert reply.choices[0].message.content == '{"a": 1}' == found["answer"]
    assert found["scores"][found["chosen"]] < max(found["scores"])


async def test_tools_are_called_and_answered() -> None:
    async with OpenAIServer(parts) as server:
        engine = await connect(Openai(base_url=server.base_url, model=server.model, probe="never", assume=FULL))
        async with running({"m": engine}, VOTE) as on:
            asked = [{"role": "user", "content": "tool"}]
            reply = await on.chat("careful", messages=asked, tools=TOOLS, seed=1)
            (call,) = reply.choices[0].message.tool_calls
            assert (call.function.name, json.loads(call.function.arguments)) == ("weather", {"city": "Rome"})
            assert reply.outthink["agreement"] > 0.5
            stream = await on.chat("careful", messages=asked, tools=TOOLS, seed=1, stream=True)
            deltas = [c.choices[0].delta async for c in stream if c.choices and c.choices[0].delta.tool_calls]
            assert deltas[0].tool_calls[0].function.name == "weather"
            answered = [*asked, reply.choices[0].message, {"role": "tool", "tool_call_id": call.id, "content": "rain"}]
            after = await on.chat("m", messages=answered)
        sent = server.bodies[-1]["messages"]
        assert [message["role"] for message in sent] == ["user", "assistant", "tool"]
        assert sent[1]["tool_calls"][0]["id"] == call.id == sent[2]["tool_call_id"]
        assert after.choices[0].message.content == "It is sunny."
        await engine.close()


async def test_no_text_in_a_prompt_chooses_a_method() -> None:
    engine = scripted(saying("x"))
    async with running({"m": engine}) as on:
        for text in ("method: vote", "<outthink>{'n': 64}</outthink>", "vote@m", '{"outthink": {"method": "vote"}}'):
            reply = await on.chat(
                "m", messages=[{"role": "system", "content": text}, {"role": "user", "content": text}]
            )
            assert (reply.outthink["method"], reply.outthink["candidates"]) == ("direct", 1)
    assert len(engine.requests) == 4


async def test_log_probabilities_sum_to_what_the_model_says() -> None:
    async with running({"m": scripted(saying("ab", "ac"))}) as on:
        reply = await on.chat("m", logprobs=True)
    tokens = reply.choices[0].logprobs.content
    assert "".join(token.token for token in tokens) == reply.choices[0].message.content
    assert math.isclose(sum(token.logprob for token in tokens), math.log(0.5))


async def test_health_readiness_and_what_is_nowhere() -> None:
    async with running({"m": scripted(saying("x"))}) as on:
        assert (await on.http.get("/health")).json() == {"status": "ok"}
        ready: httpx2.Response = await on.http.get("/ready")
        assert (ready.status_code, ready.json()["status"]) == (200, "ready")
        for method, path in (("GET", "/v2/models"), ("GET", "/v1/chat/completions"), ("POST", "/v1/models")):
            missing = await on.http.request(method, path)
            assert missing.status_code in (404, 405)
            assert missing.json()["error"]["code"] == "not_found"
            assert missing.headers["x-request-id"].startswith("req_")


async def test_a_pipeline_is_served_like_any_other_method() -> None:
    layers = [{"type": "generate", "samples": 4}, {"type": "fuse"}]
    configuration = Configuration(models={"m": {}}, recipes={"fused": {"layers": layers}})
    engine = scripted(saying("the fused answer"))
    async with running({"m": engine}, configuration) as on:
        reply = await on.chat("fused", seed=1, metadata={"a": "b"})
        with pytest.raises(openai.BadRequestError) as refused:
            await on.chat("fused", logprobs=True)
    assert reply.choices[0].message.content == "the fused answer"
    assert reply.outthink["method"] == "pipeline"
    assert len(engine.requests) == 5 == sum(role["calls"] for role in reply.usage.by_role.values())
    assert refused.value.param == "logprobs"


async def test_models_of_the_configuration_open_when_the_gateway_starts() -> None:
    async with OpenAIServer(saying("far")) as server:
        far = {
            "type": "openai",
            "base_url": server.base_url,
            "model": "scripted",
            "probe": "never",
            "headers": {"x": "y"},
        }
        near = {"type": "scripted", "otherwise": "near"}
        missing = {"type": "local", "model": "/nowhere/model.gguf"}
        configuration = Configuration(
            models={"near": near, "far": far, "missing": missing},
            recipes={"careful": {"model": "far", "algorithm": {"type": "vote", "n": 3}}},
        )
        async with running(None, configuration) as on:
            said = [
                (await on.chat(name)).choices[0].message.content for name in ("near", "far", "careful", "vote@near")
            ]
            assert said == ["near", "far", "far", "near"]
            with pytest.raises(openai.APIStatusError) as refused:
                await on.chat("missing")
            ready = await on.http.get("/ready")
    assert len(server.bodies) == 4
    assert server.headers[0]["x"] == "y"
    assert refused.value.status_code in (400, 502)
    assert (ready.status_code, set(ready.json()["models"])) == (503, {"missing"})


async def test_penalties_that_a_server_would_count_step_by_step_are_refused() -> None:
    async with OpenAIServer(parts) as server:
        engine = await connect(Openai(base_url=server.base_url, model=server.model, probe="never", assume=FULL))
        async with running({"m": engine}) as on:
            for name in ("presence_penalty", "frequency_penalty"):
                with pytest.raises(openai.BadRequestError) as refused:
                    await on.chat("particle-filter@m", "stutter", extra_body={name: 1})
                assert refused.value.param == name
            whole = await on.chat("vote@m", "stutter", temperature=0, max_tokens=8, frequency_penalty=2)
        assert whole.choices[0].message.content == "xyxyxyxy"
        await engine.close()
