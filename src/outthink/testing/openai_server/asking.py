"""A request's body as the scripted server understands it, after its personality has honoured, ignored or refused each part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from outthink.core.task import Message
from outthink.engines.engine import ChatPrompt, Prompt, Sampling, TextPrompt
from outthink.testing.openai_server.personality import Ability, Personality

Api = Literal["chat", "completions", "responses"]


class Refused(Exception):
    """The server answers with this status and message."""

    def __init__(self, status: int, message: str, *, code: str = "invalid_request_error") -> None:
        super().__init__(message)
        self.status = status
        self.code = code


@dataclass(frozen=True)
class Ask:
    """What is to be generated.

    Attributes:
        seed: None when the request has none that counts.
        alternatives: how many log-probabilities to return per position; None for none.
        include_usage, continuous: whether a stream ends with its usage, and whether each chunk carries the usage so far.
        options: the texts that the reply is held to; empty for no constraint.
        tools: whether a reply of the form `call NAME {...}` is a call of a function. A system message tells the script which there are.
    """

    api: Api
    model: str
    prompt: Prompt
    n: int
    seed: int | None
    max_tokens: int
    stop: tuple[str, ...]
    sampling: Sampling
    alternatives: int | None
    stream: bool
    include_usage: bool
    continuous: bool
    options: tuple[str, ...]
    token_ids: bool
    tools: bool = False


def read(api: Api, body: Mapping[str, Any], who: Personality) -> Ask:
    """The request. Raises `Refused`."""
    stop = body.get("stop") or ()
    options = body.get("stream_options") or {}
    limit = body.get("max_completion_tokens") or body.get("max_output_tokens") or body.get("max_tokens") or 64
    return Ask(
        api=api,
        model=str(body.get("model", "")),
        prompt=_prompt(api, body, who),
        n=int(_granted("n", body.get("n"), who.n, neutral=(None, 1)) or 1),
        seed=_granted("seed", body.get("seed"), who.seed),
        max_tokens=int(limit),
        stop=tuple(_granted("stop", (stop,) if isinstance(stop, str) else tuple(stop), who.stop, neutral=((),)) or ()),
        sampling=_sampling(body),
        alternatives=_granted("logprobs", _alternatives(api, body), who.log_probs),
        stream=bool(_granted("stream", body.get("stream"), who.stream, neutral=(None, False))),
        include_usage=bool(options.get("include_usage")),
        continuous=bool(options.get("continuous_usage_stats")),
        options=()
        if who.schema == "ignored"
        else tuple(_granted("response_format", _options(body), who.schema, neutral=((),)) or ()),
        token_ids=bool(body.get("return_token_ids")),
        tools=_has_tools(api, body),
    )


def _granted(name: str, value: Any, ability: Ability, *, neutral: Sequence[Any] = (None,)) -> Any:
    if value in neutral or ability == "yes":
        return value
    if ability == "refused":
        raise Refused(400, f"This server does not know the parameter {name!r}.")
    return None


def _prompt(api: Api, body: Mapping[str, Any], who: Personality) -> Prompt:
    if api == "completions":
        text = body.get("prompt")
        if not isinstance(text, str):
            raise Refused(400, "The prompt must be a string.")
        return TextPrompt(text) if who.completions == "yes" else ChatPrompt((Message("user", text),))
    given = body.get("input") if api == "responses" else body.get("messages")
    if isinstance(given, str):
        given = [{"role": "user", "content": given}]
    if not isinstance(given, list) or not given:
        raise Refused(400, "There must be at least one message.")
    prefix, finished = "", list(given)
    if finished[-1].get("role") == "assistant":
        if _continues(body, finished[-1], who):
            prefix = _text(finished.pop().get("content"))
        elif who.other_prefix == "refused":
            raise Refused(400, "The last message must come from the user.")
    messages = [Message(_role(m), _text(m.get("content"))) for m in finished]
    if _has_tools(api, body):
        names = ", ".join(str(tool["function"]["name"]) for tool in body["tools"])
        choice = body.get("tool_choice") or "auto"
        chosen = choice if isinstance(choice, str) else choice["function"]["name"]
        messages.insert(0, Message("system", f"tools: {names}; choice: {chosen}"))
    if messages[0].role == "system" and who.system != "yes":
        if who.system == "refused":
            raise Refused(400, "System role not supported.")
        messages = messages[1:]
    return ChatPrompt(tuple(messages), prefix)


def _has_tools(api: Api, body: Mapping[str, Any]) -> bool:
    return api == "chat" and bool(body.get("tools")) and body.get("tool_choice") != "none"


def _role(message: Mapping[str, Any]) -> str:
    role = str(message.get("role", "user"))
    return "system" if role == "developer" else role


def _continues(body: Mapping[str, Any], last: Mapping[str, Any], who: Personality) -> bool:
    if "trailing" in who.prefix or ("prefix-flag" in who.prefix and last.get("prefix")):
        return True
    return "continue-final-message" in who.prefix and bool(body.get("continue_final_message"))


def _text(content: Any) -> str:
    """Text parts as they are; an image by a mark of its own."""
    if isinstance(content, list):
        return "".join(str(part.get("text", f"[{part.get('type', 'part')}]")) for part in content)
    return str(content or "")


def _sampling(body: Mapping[str, Any]) -> Sampling:
    names = ("temperature", "top_p", "min_p", "presence_penalty", "frequency_penalty")
    for name in names:
        if not isinstance(body.get(name, 0), (int, float, type(None))):
            raise Refused(400, f"{name} must be a number.")
    values: dict[str, Any] = {name: float(body[name]) for name in names if body.get(name) is not None}
    values["top_k"] = max(int(body.get("top_k") or 0), 0)
    values["repetition_penalty"] = float(body.get("repetition_penalty") or body.get("repeat_penalty") or 1.0)
    values["logit_bias"] = {str(key): float(value) for key, value in (body.get("logit_bias") or {}).items()}
    return Sampling(**values)


def _alternatives(api: Api, body: Mapping[str, Any]) -> int | None:
    if api == "completions":
        wanted = body.get("logprobs")
        return None if wanted is None else int(wanted)
    if api == "responses":
        listed = "message.output_text.logprobs" in (body.get("include") or ())
        return int(body.get("top_logprobs") or 0) if listed else None
    return int(body.get("top_logprobs") or 0) if body.get("logprobs") else None


def _options(body: Mapping[str, Any]) -> tuple[str, ...]:
    """The texts that the constraint leaves; a schema must allow only finitely many."""
    structured = body.get("structured_outputs") or {}
    choices = structured.get("choice") or body.get("guided_choice")
    if choices:
        return tuple(str(choice) for choice in choices)
    form = body.get("response_format") or (body.get("text") or {}).get("format") or {}
    if form.get("type") != "json_schema" and "json" not in structured:
        return ()
    schema = structured.get("json") or form.get("schema") or form["json_schema"]["schema"]
    return tuple(_documents(schema))


def _documents(schema: Mapping[str, Any]) -> list[str]:
    if "const" in schema:
        return [msgspec.json.encode(schema["const"]).decode()]
    if "enum" in schema:
        return [msgspec.json.encode(value).decode() for value in schema["enum"]]
    if schema.get("type") == "boolean":
        return ["true", "false"]
    if schema.get("type") == "object":
        documents = [""]
        for name, inner in schema.get("properties", {}).items():
            field = msgspec.json.encode(name).decode()
            documents = [
                f"{one}{', ' if one else ''}{field}: {value}" for one in documents for value in _documents(inner)
            ]
        return ["{" + one + "}" for one in documents]
    raise Refused(400, "The scripted server knows schemas of constants, enumerations, booleans, and objects of these.")
