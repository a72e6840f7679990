"""A request in the words of one server: the path, the JSON body, and what has to be done here because the server cannot.

Every sampling parameter is sent, also the neutral ones, because servers have defaults of their own that are not neutral. What a server has
no word for is left out when it is neutral and refused by name when it is not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from outthink.core.errors import EngineError, explain
from outthink.core.task import Message
from outthink.engines.engine import (
    ChatPrompt,
    Choice,
    Constraint,
    JsonSchema,
    Regex,
    Request,
    TextPrompt,
)
from outthink.engines.openai.abilities import Abilities, PrefixWay
from outthink.engines.openai.presets import GuidedField, Preset
from outthink.engines.openai.reading import Api
from outthink.engines.tools import Tools

PATHS: dict[Api, str] = {"chat": "/chat/completions", "completions": "/completions", "responses": "/responses"}
CONTINUE = (
    "Your reply was interrupted. Continue it from exactly where it stopped, without repeating any of it and without any remark. "
    "This is the reply so far:\n\n"
)


@dataclass(frozen=True)
class Speech:
    """How one server is spoken to. `omit`: fields that it refuses; `prompted`: whether a begun reply may be continued by asking."""

    model: str
    api: Api
    preset: Preset
    abilities: Abilities
    omit: frozenset[str] = frozenset()
    prompted: bool = False


@dataclass(frozen=True)
class Written:
    """A request as it is sent, without seed, `n` and streaming.

    Attributes:
        prefix: an assistant's prefix that the reply may repeat.
        server_stops: whether the stop strings are in the body.
        folded: whether a system message was put into the first user message.
    """

    api: Api
    body: dict[str, Any]
    prefix: str
    server_stops: bool
    folded: bool

    @property
    def path(self) -> str:
        """Where it is sent."""
        return PATHS[self.api]


def written(request: Request, speech: Speech, *, server_stops: bool) -> Written:
    """The request's body. Raises `EngineError` that names what the server cannot honour."""
    api: Api = "completions" if isinstance(request.prompt, TextPrompt) else speech.api
    body: dict[str, Any] = {"model": speech.model}
    prefix, folded = "", False
    if isinstance(request.prompt, TextPrompt):
        if speech.abilities.completion != "yes":
            raise _refused("raw text is not continued by this server", "a TextPrompt", "Send a ChatPrompt.")
        body["prompt"] = request.prompt.text
    elif isinstance(request.prompt, ChatPrompt):
        if api == "completions":
            raise _refused("the completions interface takes raw text only", "a ChatPrompt", "Set api to 'chat'.")
        messages, folded = _messages(request.prompt, speech)
        body["input" if api == "responses" else "messages"] = messages
        if request.prompt.prefix:
            prefix = request.prompt.prefix
            _continue(body, messages, prefix, speech, api)
    else:
        raise _refused("token ids cannot be sent to a server", "a TokenPrompt", "Send text or messages.")
    _limit(body, request.max_tokens, api, speech)
    _sample(body, request, api, speech)
    if request.constraint is not None:
        _constrain(body, request.constraint, api, speech)
    if request.tools is not None:
        _tools(body, request.tools, api)
    _wants(body, request, api, speech)
    if server_stops and request.stop and api != "responses":
        body["stop"] = list(request.stop)
    return Written(api, {k: v for k, v in body.items() if k not in speech.omit}, prefix, server_stops, folded)


# -- messages -------------------------------------------------------------------------------------------------------


def _messages(prompt: ChatPrompt, speech: Speech) -> tuple[list[dict[str, Any]], bool]:
    given = list(prompt.messages)
    folded = speech.abilities.system == "no" and any(m.role == "system" for m in given)
    if folded:
        given = _without_system(given)
    return [
        {"role": m.role, "content": m.content if isinstance(m.content, str) else list(m.content), **dict(m.more)}
        for m in given
    ], folded


def _without_system(messages: list[Message]) -> list[Message]:
    """What the system messages say, at the head of the first user message."""
    said = "\n\n".join(str(m.content) for m in messages if m.role == "system")
    rest = [m for m in messages if m.role != "system"]
    for i, message in enumerate(rest):
        if message.role == "user":
            content: str | tuple[dict[str, Any], ...]
            if isinstance(message.content, str):
                content = f"{said}\n\n{message.content}"
            else:
                content = ({"type": "text", "text": said}, *message.content)
            return [*rest[:i], Message("user", content), *rest[i + 1 :]]
    return [Message("user", said), *rest]


def _continue(body: dict[str, Any], messages: list[dict[str, Any]], prefix: str, speech: Speech, api: Api) -> None:
    way = speech.abilities.prefix if api == "chat" else "none"
    if way in ("none", "unknown"):
        if not speech.prompted:
            raise _refused(
                "this server does not continue a reply that was begun",
                "a prefix",
                "Use whole replies, another server, or allow the engine's `prompted` mode, which is another distribution.",
            )
        messages.append({"role": "user", "content": CONTINUE + prefix})
        return
    body.update(continued(messages, prefix, way))


def continued(messages: list[dict[str, Any]], prefix: str, way: PrefixWay) -> dict[str, Any]:
    """Adds the prefix to the messages in that way; the fields that the body needs besides."""
    last: dict[str, Any] = {"role": "assistant", "content": prefix}
    if way == "prefix-flag":
        last["prefix"] = True
    messages.append(last)
    return {"continue_final_message": True, "add_generation_prompt": False} if way == "continue-final-message" else {}


# -- sampling -------------------------------------------------------------------------------------------------------


def _limit(body: dict[str, Any], limit: int, api: Api, speech: Speech) -> None:
    name = {"responses": "max_output_tokens", "completions": "max_tokens"}.get(api, speech.preset.limit_field)
    body[name] = limit


def _sample(body: dict[str, Any], request: Request, api: Api, speech: Speech) -> None:
    sampling, preset = request.sampling, speech.preset
    wanted: list[tuple[str, str, Any, Any]] = [
        ("temperature", "temperature", sampling.temperature, 1.0),
        ("top_p", "top_p", sampling.top_p, 1.0),
    ]
    # The responses interface has none of the following.
    own = api != "responses"
    wanted += [
        ("presence_penalty", "presence_penalty" if own else "", sampling.presence_penalty, 0.0),
        ("frequency_penalty", "frequency_penalty" if own else "", sampling.frequency_penalty, 0.0),
        ("top_k", preset.top_k if own else "", sampling.top_k or preset.top_k_off, preset.top_k_off),
        ("min_p", preset.min_p if own else "", sampling.min_p, 0.0),
        ("repetition_penalty", preset.repetition_penalty if own else "", sampling.repetition_penalty, 1.0),
    ]
    for setting, name, value, neutral in wanted:
        if name and name not in speech.omit:
            body[name] = value
        elif value != neutral:
            raise _refused("this server has no such sampling setting", f"{setting} = {value}", "Leave it neutral.")
    if sampling.logit_bias:
        if not own or "logit_bias" in speech.omit:
            raise _refused("this server has no logit bias", "logit_bias", "Leave it out.")
        if any(abs(value) > 100 for value in sampling.logit_bias.values()):
            raise _refused("servers clamp the logit bias to 100", "a larger one", "Stay within -100 and 100.")
        body["logit_bias"] = dict(sampling.logit_bias)


def _tools(body: dict[str, Any], tools: Tools, api: Api) -> None:
    if api != "chat":
        raise _refused("tools are sent through the chat interface only", f"api = {api!r}", "Set api to 'chat'.")
    body["tools"] = list(tools.definitions)
    given = {"tool_choice": tools.choice, "parallel_tool_calls": tools.parallel}
    body.update({name: value for name, value in given.items() if value is not None})


def _wants(body: dict[str, Any], request: Request, api: Api, speech: Speech) -> None:
    if "hidden" in request.wants:
        raise _refused("servers do not return hidden states", "wants = hidden", "Use an engine in this process.")
    if "log_probs" not in request.wants:
        return
    if speech.abilities.log_probs != "yes":
        raise _refused(
            "this server returns no log-probabilities", "wants = log_probs", "Choose a method without weights."
        )
    if speech.abilities.log_prob_law != "raw" and not is_neutral(request):
        raise _refused(
            "this server's log-probabilities are not known to be those of the model itself",
            f"wants = log_probs at temperature {request.sampling.temperature:g}",
            "Sample at temperature 1 with every other setting neutral, or probe the server.",
        )
    if api == "responses":
        body["include"] = ["message.output_text.logprobs"]
    elif api == "completions":
        body["logprobs"] = 1
    else:
        body["logprobs"] = True


def is_neutral(request: Request) -> bool:
    """Whether what is sampled from is the model's own distribution."""
    s = request.sampling
    plain = s.temperature == 1.0 and s.top_p == 1.0 and s.top_k == 0 and s.min_p == 0.0 and not s.logit_bias
    unpunished = s.presence_penalty == 0.0 and s.frequency_penalty == 0.0 and s.repetition_penalty == 1.0
    return plain and unpunished and request.constraint is None


# -- constraints ----------------------------------------------------------------------------------------------------


def can_constrain(speech: Speech) -> bool:
    """Whether any kind of constraint can be sent."""
    preset = speech.preset
    return speech.abilities.schema == "yes" or bool(preset.choice or preset.regex)


def _constrain(body: dict[str, Any], constraint: Constraint, api: Api, speech: Speech) -> None:
    preset = speech.preset
    if isinstance(constraint, JsonSchema):
        if not preset.schema or speech.abilities.schema == "no":
            raise _refused("this server holds replies to no schema", "a JSON schema", "Check replies instead.")
        body.update(_schema(constraint.document, preset.schema, api))
    elif isinstance(constraint, Choice):
        body.update(_guided(preset.choice, "choice", list(constraint.options), api))
    elif isinstance(constraint, Regex):
        body.update(_guided(preset.regex, "regex", constraint.pattern, api))


def _schema(document: Mapping[str, object], field: GuidedField, api: Api) -> dict[str, Any]:
    if field == "response-format":
        if api == "responses":
            return {"text": {"format": {"type": "json_schema", "name": "reply", "schema": document, "strict": True}}}
        inner = {"name": "reply", "schema": document, "strict": True}
        return {"response_format": {"type": "json_schema", "json_schema": inner}}
    return _guided(field, "json", document, api)


def _guided(field: GuidedField, kind: str, value: Any, api: Api) -> dict[str, Any]:
    if field == "structured-outputs" and api != "responses":
        return {"structured_outputs": {kind: value}}
    if field == "guided" and api != "responses":
        return {f"guided_{kind}": value}
    if field == "regex" and kind == "regex":
        return {"regex": value}
    if field == "gbnf" and kind == "choice":
        return {"grammar": "root ::= " + " | ".join(_literal(option) for option in value)}
    raise _refused(f"this server holds replies to no {kind}", kind, "Use a JSON schema, or check replies instead.")


def _literal(text: str) -> str:
    """A string of llama.cpp's grammar language."""
    escaped = (
        text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
    )
    return f'"{escaped}"'


def _refused(why: str, got: str, remedy: str) -> EngineError:
    return EngineError(
        explain(f"The request was not sent: {why}.", got=got, expected="what the server can do", remedy=remedy)
    )
