"""The settings of the engine: where the server is, how it is spoken to, what it is asked at most.

[engine]
type = "openai"
preset = "vllm"
model = "Qwen/Qwen3-8B"
"""

from __future__ import annotations

import asyncio
import threading
from importlib.util import find_spec
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from outthink.core.component import EngineSettings
from outthink.core.errors import SettingsError, explain
from outthink.core.settings import Count, NonNegativeFloat, Positive
from outthink.engines.openai.abilities import Abilities
from outthink.engines.openai.engine import OpenAIEngine
from outthink.engines.openai.limits import HostLimits
from outthink.engines.openai.presets import Preset, preset
from outthink.engines.openai.secret import find_key
from outthink.engines.openai.transport import Timeouts, Transport
from outthink.engines.openai.usage import Prices
from outthink.engines.openai.wire import unsendable

When = Literal["auto", "always", "never"]


class Openai(EngineSettings):
    """Any OpenAI-compatible server. No key is ever a setting: `key_env` and `keyring` say where it lies.

    Attributes:
        model: the model's name at the server.
        preset: whose habits the server has; see `presets.toml`.
        base_url: address of the interface, "/v1" included; "" for the preset's own.
        api: which interface answers chats. "completions" takes raw text only.
        key_env, keyring: environment variable, and service of the system's keyring (user: the host), that hold the key. "" for the preset's
            own variable, which is only used at the preset's own address.
        headers: further headers of every request; not the place for a key.
        probe: "once" looks when no record of this server and model is in the cache; "always" looks on every opening; "never" presumes what
            the preset says.
        cache: folder of the probe's records; "" for the user's cache folder.
        assume: abilities that are stated here and override what was found.
        use_n: "auto" asks for several replies in one request only where seeds are not honoured anyway, because they then share one seed.
        stream: "auto" streams where the bill does not suffer from it, so that a cut keeps what has arrived.
        stops: "auto" leaves stop strings to servers that tell which one ended the reply, and finds them here otherwise, leaving the stream
            at once. "server" trusts any server, and takes the reply's end for the model's own.
        prompted: whether a begun reply may be continued by asking for it. Another distribution, and marked so.
        omit: fields that this server refuses, never sent; requests that need them are refused.
        context: the window in tokens, where it is known and the server does not tell.
        template_tokens: the most tokens that the chat template adds to a message, for the upper bound of a prompt.
        image_tokens: the most tokens that one image counts.
        retries, backoff_seconds, patience_seconds: how often a refusal is tried again; the first wait, doubled each time and shaken by a
            factor between 0.5 and 1.5 from the request's seed; the longest wait, also when the server asks for one.
        http2: all requests share one connection where the server speaks HTTP/2 over TLS (extra `http2`). A cut then cannot end a reply at
            the server, because the wire library does not take back single streams: what it may still generate stands in the bill as
            uncertain. If unsure leave it off: every request has a connection of its own, which a cut closes.
        timeouts: the longest waits of a request, by phase, in seconds.
        limits: how much is asked of the server's host at once.
        prices: money per million tokens; None: as your price file or the package's says (`outthink.engines.prices`), else unknown, which is
            then unknown in every bill.
    """

    model: Annotated[str, Meta(min_length=1)]
    preset: str = "generic"
    base_url: str = ""
    api: Literal["chat", "completions", "responses"] = "chat"
    key_env: str = ""
    keyring: str = ""
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    probe: Literal["once", "always", "never"] = "once"
    cache: str = ""
    assume: Abilities = msgspec.field(default_factory=Abilities)
    use_n: When = "auto"
    stream: When = "auto"
    stops: Literal["auto", "server", "local"] = "auto"
    prompted: bool = False
    omit: tuple[str, ...] = ()
    context: Positive | None = None
    template_tokens: Count = 64
    image_tokens: Count = 2048
    http2: bool = False
    retries: Count = 3
    backoff_seconds: NonNegativeFloat = 0.5
    patience_seconds: NonNegativeFloat = 60.0
    timeouts: Timeouts = msgspec.field(default_factory=Timeouts)
    limits: HostLimits = msgspec.field(default_factory=HostLimits)
    prices: Prices | None = None

    def check(self) -> None:
        known = preset(self.preset)
        split = urlsplit(self.address)
        if split.scheme not in ("http", "https") or not split.hostname or split.username or split.password:
            raise SettingsError(
                explain(
                    "Openai.base_url is not an address of a server.",
                    got="an address that holds a user or a key" if split.username or split.password else self.address,
                    expected="http:// or https://, a host and a path, such as http://127.0.0.1:8000/v1",
                    remedy="Keys belong into an environment variable (key_env) or a keyring.",
                )
            )
        if any(name.lower() == "authorization" for name in self.headers):
            raise SettingsError(
                explain(
                    "Openai.headers holds a key.",
                    got="the header Authorization",
                    expected="headers without secrets, because settings are stored with every run",
                    remedy="Name an environment variable in key_env.",
                )
            )
        if bad := unsendable(self.headers):
            raise SettingsError(
                explain(
                    "Openai.headers holds what cannot be sent.",
                    got=f"the header {bad}",
                    expected="names of letters, digits and dashes, and values of one line",
                    remedy="Correct or remove it.",
                )
            )
        if self.http2 and not (find_spec("httpx2") and find_spec("h2")):
            raise SettingsError(
                explain(
                    "Openai.http2 needs a package that is not installed.",
                    got="http2 = true without httpx2 and h2",
                    expected="the packages httpx2 and h2",
                    remedy="pip install 'outthink[http2]', or leave http2 out.",
                )
            )
        if self.stream == "never" and self.stops == "local" and known.abilities.stop == "yes":
            # Finding stop strings here without a stream pays for the whole reply each time; that is never what is meant.
            raise SettingsError(
                explain(
                    "Openai.stops = 'local' needs a stream.",
                    got="stream = 'never'",
                    expected="stream = 'auto' or 'always'",
                    remedy="Leave out one of the two.",
                )
            )

    @property
    def address(self) -> str:
        """The address of the interface, without a slash at its end."""
        return (self.base_url or preset(self.preset).base_url).rstrip("/")

    @property
    def known(self) -> Preset:
        """The preset's data."""
        return preset(self.preset)

    def transport(self) -> Transport:
        """The wire to this server. Raises `EngineError` when a key is named and not there."""
        split = urlsplit(self.address)
        own = self.address == self.known.base_url.rstrip("/")
        key_env = self.key_env or (self.known.key_env if own and not self.keyring else "")
        secret = find_key(key_env, self.keyring, str(split.hostname))
        return Transport(
            self.address,
            secret,
            self.timeouts,
            headers=self.headers,
            http2=self.http2,
        )

    def open(self) -> OpenAIEngine:
        """The engine; probes the server first where no record of it is at hand, which blocks for some seconds.

        Inside a running event loop use `await connect(settings)` instead. Raises `EngineError` when the server cannot be reached.
        """
        return _run(self)


async def connect(settings: Openai) -> OpenAIEngine:
    """The engine, open; probes the server first where no record of it is at hand. Raises `EngineError`."""
    # Imported late: the probe speaks through this package.
    from outthink.engines.probe import recorded

    record = await recorded(settings) if settings.probe != "never" else None
    found = record.abilities if record is not None else Abilities()
    return OpenAIEngine(settings, settings.assume.over(found).over(settings.known.abilities))


def _run(settings: Openai) -> OpenAIEngine:
    """`connect` on a loop of its own, in a thread of its own, so that it works inside a running loop too."""
    result: list[OpenAIEngine | BaseException] = []

    def work() -> None:
        try:
            result.append(asyncio.run(connect(settings)))
        except BaseException as error:  # noqa: BLE001 - handed to the caller's thread below
            result.append(error)

    thread = threading.Thread(target=work, name="outthink-connect")
    thread.start()
    thread.join()
    if isinstance(result[0], BaseException):
        raise result[0]
    return result[0]
