"""A request's body: read within bounds, decoded, and every field either known with its type, neutral, or refused by name."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from functools import cache
from typing import Any, TypeVar, cast

import msgspec
from starlette.requests import ClientDisconnect, Request

from outthink.core.errors import SettingsError
from outthink.core.half_pairs import whole_text
from outthink.serve.asking import Options
from outthink.serve.configuration import Limits
from outthink.serve.documents import Form
from outthink.serve.refusal import Refusal, refused

B = TypeVar("B")
_PLACE = re.compile(r" - at `\$\.?([^`]*)`$")
_UNKNOWN = re.compile(r"unknown field `([^`]*)`")
MOST_DEPTH = 100
"""How deeply a body may be nested; what reads it afterwards goes down by calls of its own."""
_FOREIGN = ("$ref", "$dynamicRef", "$recursiveRef")


class StreamOptions(msgspec.Struct, forbid_unknown_fields=True):
    """`stream_options`. Obfuscation pads the chunks of a stream; it is not done here."""

    include_usage: bool = False
    include_obfuscation: bool = False


async def read_body(request: Request, limits: Limits) -> dict[str, Any]:
    """The JSON object of a request. Raises `Refusal` for one that is too large, too slow, or none."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Refusal(415, "Send the body as application/json.", code="unsupported_media_type")
    try:
        async with asyncio.timeout(limits.body_seconds):
            data = await _bytes(request, limits.body_bytes)
    except TimeoutError:
        raise Refusal(408, "The body did not arrive in time.", code="request_timeout") from None
    except ClientDisconnect:
        raise Refusal(400, "The body broke off.") from None
    try:
        body = msgspec.json.decode(data)
        if data.count(b"[") + data.count(b"{") > MOST_DEPTH and _is_deeper(body, MOST_DEPTH):
            raise Refusal(400, f"The body is nested more than {MOST_DEPTH} levels deep.", code="invalid_json")
        whole_text(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise Refusal(400, "The body is not valid JSON.", code="invalid_json") from None
    if not isinstance(body, dict):
        raise Refusal(400, "The body must be a JSON object.", code="invalid_json")
    return body


def _is_deeper(value: Any, levels: int) -> bool:
    """Whether lists and objects stand inside each other so often, found without going down by calls."""
    level = [value]
    for _ in range(levels):
        parts = [one.values() if isinstance(one, dict) else one for one in level if isinstance(one, dict | list)]
        level = [inner for part in parts for inner in part]
        if not level:
            return False
    return any(isinstance(one, dict | list) for one in level)


async def _bytes(request: Request, most: int) -> bytes:
    too_large = Refusal(413, f"The body has more than {most} bytes.", code="body_too_large")
    announced = request.headers.get("content-length", "0")
    if announced.isascii() and announced.isdigit() and int(announced) > most:
        raise too_large
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > most:
            raise too_large
        parts.append(part)
    return b"".join(parts)


def decoded(body: Mapping[str, Any], cls: type[B], neutral: Mapping[str, tuple[Any, ...]]) -> B:
    """The body as its interface knows it; null is absent.

    `neutral`: fields that are known and not honoured, with the values that ask for nothing. Raises `Refusal` that names the field.
    """
    given = {name: value for name, value in body.items() if value is not None}
    for name, values in neutral.items():
        if name in given and given.pop(name) not in values:
            raise refused(name, "This field is not honoured here. Leave it out.", code="unsupported_parameter")
    known = _fields_of(cast("Any", cls))
    for name in given:
        if name not in known:
            raise refused(name[:128], "There is no such field.", code="unknown_parameter")
    try:
        return msgspec.convert(given, cls)
    except (msgspec.ValidationError, SettingsError) as error:
        raise _misread(error) from None


@cache
def _fields_of(cls: Any) -> frozenset[str]:
    """The names of a body's fields; finding them evaluates every annotation."""
    return frozenset(field.encode_name for field in msgspec.structs.fields(cls))


def _misread(error: Exception) -> Refusal:
    text = str(error)
    found = _PLACE.search(text)
    place = found.group(1) if found else ""
    unknown = _UNKNOWN.search(text)
    param = ".".join(part for part in (place, unknown.group(1) if unknown else "") if part)
    return Refusal(400, f"{param or 'body'}: {_PLACE.sub('', text)}", param=param or None, code="invalid_value")


def options_of(given: Options | None) -> Options:
    """The field `outthink`."""
    return given if given is not None else Options()


def stops_of(given: str | list[str] | None) -> tuple[str, ...]:
    """The field `stop`, one string or several."""
    return () if given is None else (given,) if isinstance(given, str) else tuple(given)


def form_of(given: Mapping[str, Any] | None, param: str) -> Form | None:
    """The field `response_format` (or `text.format`). Raises `Refusal`."""
    kind = given.get("type") if given is not None else "text"
    if given is None or kind == "text":
        return None
    if kind == "json_object":
        return Form()
    if kind != "json_schema":
        raise refused(param, "Its type is text, json_object or json_schema.")
    inner = given.get("json_schema", given)
    schema = inner.get("schema") if isinstance(inner, Mapping) else None
    if not isinstance(schema, dict) or not schema:
        raise refused(f"{param}.json_schema.schema", "A JSON schema, as an object that is not empty.")
    _check_schema(schema, f"{param}.json_schema.schema")
    return Form(schema, str(inner.get("name", "")))


def _check_schema(schema: dict[str, Any], param: str) -> None:
    from jsonschema.exceptions import SchemaError
    from jsonschema.validators import validator_for

    for name, target in _references(schema):
        if not isinstance(target, str) or not target.startswith("#"):
            raise refused(param, f"{name} may point into the schema itself only.")
    try:
        validator_for(schema).check_schema(schema)
    except SchemaError as error:
        raise refused(param, f"This is no JSON schema: {error.message[:300]}") from None


def _references(value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        own = [(name, value[name]) for name in _FOREIGN if name in value and not isinstance(value[name], dict)]
        return own + [pair for inner in value.values() for pair in _references(inner)]
    if isinstance(value, list):
        return [pair for inner in value for pair in _references(inner)]
    return []


def limit_of(pairs: Mapping[str, int | None]) -> tuple[int | None, str]:
    """The reply limit among the fields that can say it, and the field that said it. Raises `Refusal` where two differ."""
    said = {name: value for name, value in pairs.items() if value is not None}
    if len(set(said.values())) > 1:
        raise refused(next(iter(said)), f"It differs from {list(said)[1]}. Send one of them.")
    name = next(iter(said), next(iter(pairs)))
    return said.get(name), name


def sampling_of(body: Any, names: tuple[str, ...]) -> dict[str, Any]:
    """Settings of sampling that the body gives."""
    return {name: value for name in names if (value := getattr(body, name)) is not None}
