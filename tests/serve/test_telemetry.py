"""Metrics in Prometheus's format and spans with the conventions for generative AI; counts and reasons, never a prompt or an answer."""

from __future__ import annotations

import asyncio
import logging

import pytest

from outthink.serve import Configuration, Gateway, Limits
from tests.needs import need
from tests.serve.gateways import Gated, inside, saying, scripted, until_refused

SECRET = "a sentence that stands in no log"


def body(**fields: object) -> dict[str, object]:
    return {"model": "m", "messages": [{"role": "user", "content": SECRET}], **fields}


async def test_metrics_count_what_was_spent_by_role() -> None:
    engine = scripted(saying("x", "y"))
    async with inside(Gateway(live={"m": engine})) as client:
        await client.post("/v1/chat/completions", json=body(model="best-of-n@m"))
        await client.post("/v1/chat/completions", json=body(n=99))
        await client.post("/v1/chat/completions", json=body(model="made-up-" + "x" * 50))
        text = (await client.get("/metrics")).text
    from prometheus_client.parser import text_string_to_metric_families

    found = {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }

    def value(name: str, **labels: str) -> float | None:
        return found.get((name, *sorted(labels.items())))

    counted = engine.counters()
    assert value("outthink_tokens_total", model="best-of-n@m", role="generate", kind="output") == counted.output_tokens
    assert value("outthink_calls_total", model="best-of-n@m", role="generate") == counted.calls == 8
    path = "/v1/chat/completions"
    assert value("outthink_requests_total", path=path, model="best-of-n@m", status="200") == 1
    assert value("outthink_requests_total", path=path, model="-", status="404") == 1
    assert value("outthink_requests_total", path=path, model="-", status="400") == 1
    assert value("outthink_searches_at_work") == 0
    assert value("outthink_ready") == 1
    assert "made-up" not in text


async def test_spans_follow_the_conventions() -> None:
    need("telemetry")
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
    from opentelemetry.trace import SpanKind, StatusCode

    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    async with inside(Gateway(live={"m": scripted(saying("x", "y"))}, provider=provider)) as client:
        asked = body(model="vote@m", temperature=0.5, max_tokens=9, seed=2**64 - 1, n=2)
        asked["seed"] = -1
        reply = await client.post("/v1/chat/completions", json=asked, headers={"traceparent": parent})
        await client.post("/v1/chat/completions", json=body(stream=True))
        await client.post("/v1/chat/completions", json=body(response_format={"type": "json_object"}))
        await client.post("/v1/completions", json={"model": "m", "prompt": "x", "colour": 3})
    search, stream, none, refused = exporter.get_finished_spans()
    assert search.name == "chat vote@m"
    assert search.kind is SpanKind.SERVER
    assert search.parent is not None
    assert f"{search.context.trace_id:032x}" == parent.split("-")[1]
    told = dict(search.attributes or {})
    usage = reply.json()["usage"]
    assert told["gen_ai.operation.name"] == "chat"
    assert told["gen_ai.provider.name"] == "outthink"
    assert told["gen_ai.request.model"] == told["gen_ai.response.model"] == "vote@m"
    assert told["gen_ai.response.id"] == reply.json()["id"]
    assert told["gen_ai.response.finish_reasons"] == ("stop", "stop")
    assert told["gen_ai.usage.input_tokens"] == usage["prompt_tokens"]
    assert told["gen_ai.usage.output_tokens"] == usage["completion_tokens"]
    assert told["gen_ai.request.temperature"] == 0.5
    assert told["gen_ai.request.max_tokens"] == 9
    assert told["gen_ai.request.seed"] == -1
    assert told["gen_ai.request.choice.count"] == 2
    assert (told["outthink.method"], told["outthink.candidates"]) == ("vote", 16)
    assert stream.name == "chat m"
    assert dict(none.attributes or {})["error.type"] == "no_valid_candidate"
    assert dict(refused.attributes or {})["error.type"] == "unknown_parameter"
    assert refused.status.status_code is StatusCode.ERROR
    assert not any(SECRET in str(span.to_json()) for span in exporter.get_finished_spans())


async def test_the_log_holds_who_and_what_became_of_it(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    limits = Limits(in_flight=1, waiting=0)
    configuration = Configuration(models={"m": {}}, limits=limits)
    async with inside(Gateway(configuration, live={"m": scripted(saying("the answer"))})) as client:
        reply = await client.post("/v1/chat/completions", json=body())
    lines = [record.getMessage() for record in caplog.records if record.name == "outthink.serve"]
    assert len(lines) == 1
    assert lines[0].startswith(f"{reply.headers['x-request-id']} key=- /v1/chat/completions model='m' 200")
    assert not any(SECRET in line or "the answer" in line for line in lines)


async def test_beyond_the_limit_there_is_429_with_a_time() -> None:
    configuration = Configuration(models={"m": {}}, limits=Limits(in_flight=2, waiting=3, retry_seconds=7))
    engine = Gated(saying("x"))
    async with inside(Gateway(configuration, live={"m": engine})) as client:
        sent = [asyncio.ensure_future(client.post("/v1/chat/completions", json=body())) for _ in range(12)]
        await until_refused(sent, 7)
        engine.gate.set()
        replies = await asyncio.gather(*sent)
    assert sorted(reply.status_code for reply in replies) == [200] * 5 + [429] * 7
    assert {reply.headers["retry-after"] for reply in replies if reply.status_code == 429} == {"7"}
