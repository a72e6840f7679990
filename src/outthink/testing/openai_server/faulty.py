"""The faulty backend: servers that go wrong in known ways, each with counters of its own, to see what a client makes of them.

    async with FaultyBackend() as backend:
        backend.base_url("rate-limited")            # an address for any OpenAI-compatible client
        backend.counters("rate-limited").calls      # what that server has counted

`outthink doctor --faulty` holds this library to its promises against every one of them, and `--serve` keeps them up for other clients.
`in_thread` does the same for code that is not asynchronous. Nothing here is random: the k-th request always meets the same fate.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass

from outthink.core.errors import InputError, explain, nearest
from outthink.engines.scripted import NextToken
from outthink.testing.openai_server.counters import Counters
from outthink.testing.openai_server.personality import Fault, Personality, always, every
from outthink.testing.openai_server.scoring import Scoring
from outthink.testing.openai_server.scripts import able_model
from outthink.testing.openai_server.server import OpenAIServer

ODD_TEXT = (
    "\ufeff\u202edesrever\u202c \U0001f468\u200d\U0001f469\u200d\U0001f467 e\u0301\u0301\u0301 \u2028\u2029\x00\x1b[31m \u200b"
    '\U000e0041\ufffd</s><|im_end|> data: [DONE]\n\n{"error": null}'
)
HUGE_TEXT = "la " * 40_000


@dataclass(frozen=True)
class Misbehaviour:
    """One way of going wrong.

    Attributes:
        says: what the server does, in words.
        replies: "all", "some" or "none" of the requests get an answer that can be used, however often they are tried again.
        honours_limits: whether replies keep to the token limit.
        reports: whether the usage reported is there and true, so that a bill can be exact.
        listens: whether there is a server at all.
        status, kind: of the failure that a client should see where there is one; None and "" where there is none.
    """

    says: str
    personality: Personality
    replies: str = "all"
    honours_limits: bool = True
    reports: bool = True
    listens: bool = True
    status: int | None = None
    kind: str = ""


def _status(status: int, text: str, **fields: float) -> Fault:
    return Fault("status", status=status, text=text, **fields)  # type: ignore[arg-type]


def misbehaviours(seconds: float = 0.2) -> dict[str, Misbehaviour]:
    """Every misbehaviour by its name; `seconds` is the latency of the slow one, and what a rate limit asks to wait."""
    broken = "BrokenReply"
    return {
        "healthy": Misbehaviour("does everything right", Personality()),
        "slow": Misbehaviour(f"takes {seconds:g} s before the first token", Personality(first_seconds=seconds)),
        "ignored-n": Misbehaviour("takes n and gives one reply", Personality(n="ignored")),
        "refused-n": Misbehaviour("refuses n with status 400", Personality(n="refused")),
        "wrong-usage": Misbehaviour("reports half of the tokens", Personality(usage="wrong"), reports=False),
        "no-usage": Misbehaviour("reports no tokens", Personality(usage="missing"), reports=False),
        "over-limit": Misbehaviour(
            "goes on for 8 tokens past the limit", Personality(limits="ignored"), honours_limits=False
        ),
        "bad-request": Misbehaviour(
            "answers every request with 400",
            Personality(faults=always(_status(400, "This server dislikes every request."))),
            replies="none",
            status=400,
            kind="Refusal",
        ),
        "unauthorized": Misbehaviour(
            "asks for a key that nobody has",
            Personality(key="a key that nobody has"),
            replies="none",
            status=401,
            kind="Refusal",
        ),
        "rate-limited": Misbehaviour(
            f"answers every second request with 429 and Retry-After: {seconds:g}",
            Personality(faults=every(2, _status(429, "Too many requests.", retry_after=seconds))),
            status=429,
            kind="Refusal",
        ),
        "quota-used-up": Misbehaviour(
            "answers every request with 429 and Retry-After: 3600",
            Personality(faults=always(_status(429, "Quota used up.", retry_after=3600))),
            replies="none",
            status=429,
            kind="Refusal",
        ),
        "half-refused": Misbehaviour(
            "answers every second request with 400",
            Personality(faults=every(2, _status(400, "This server dislikes every second request."))),
            replies="some",
            status=400,
            kind="Refusal",
        ),
        "half-failing": Misbehaviour(
            "answers every second request with 500",
            Personality(faults=every(2, _status(500, "Out of order, now and then."))),
            status=500,
            kind="Refusal",
        ),
        "failing": Misbehaviour(
            "answers every request with 500",
            Personality(faults=always(_status(500, "Out of order."))),
            replies="none",
            status=500,
            kind="Refusal",
        ),
        "hanging": Misbehaviour(
            "never answers", Personality(faults=always(Fault("hang"))), replies="none", kind="TimedOut"
        ),
        "half-hanging": Misbehaviour(
            "never answers every second request",
            Personality(faults=every(2, Fault("hang"))),
            replies="some",
            kind="TimedOut",
        ),
        "stalled-stream": Misbehaviour(
            "falls silent after two pieces of every second reply",
            Personality(faults=every(2, Fault("stall", after=2))),
            replies="some",
            kind="TimedOut",
        ),
        "cut-stream": Misbehaviour(
            "closes the connection in the middle of every second stream",
            Personality(faults=every(2, Fault("cut-stream", after=2))),
            replies="some",
            kind=broken,
        ),
        "dropped": Misbehaviour(
            "closes the connection before every second reply",
            Personality(faults=every(2, Fault("drop"))),
            replies="some",
            kind=broken,
        ),
        "truncated-json": Misbehaviour(
            "ends every reply in the middle",
            Personality(faults=always(Fault("truncated-json"))),
            replies="none",
            kind=broken,
        ),
        "empty-choices": Misbehaviour(
            "replies without any choice",
            Personality(faults=always(Fault("empty-choices"))),
            replies="none",
            kind=broken,
        ),
        "not-json": Misbehaviour(
            "replies with a page of HTML", Personality(faults=always(Fault("not-json"))), replies="none", kind=broken
        ),
        "error-body": Misbehaviour(
            "reports an error under status 200",
            Personality(faults=always(Fault("error-body", status=502, text="The model is on strike."))),
            replies="none",
            status=502,
            kind="Refusal",
        ),
        "huge-reply": Misbehaviour(
            f"replies with {len(HUGE_TEXT)} characters, whatever the limit",
            Personality(faults=always(Fault("odd-text", text=HUGE_TEXT, limited=False))),
            honours_limits=False,
        ),
        "odd-unicode": Misbehaviour(
            "replies with control characters, combining marks, and what looks like protocol",
            Personality(faults=always(Fault("odd-text", text=ODD_TEXT, limited=False))),
            honours_limits=False,
        ),
        "dead": Misbehaviour("does not listen", Personality(), replies="none", listens=False, kind="Unreachable"),
    }


class FaultyBackend:
    """One server for each misbehaviour that is named, as an async context manager.

    Attributes:
        misbehaviours: what each of them does, by name. `servers`: the servers by name; the dead one has none.
    """

    def __init__(
        self,
        names: Sequence[str] = (),
        *,
        script: NextToken = able_model,
        vocabulary: tuple[str, ...] = (),
        scoring: Scoring | None = None,
        seconds: float = 0.2,
        port: int = 0,
    ) -> None:
        """Args:
            names: which; all of them unless given. `seconds`: see `misbehaviours`.
            script, vocabulary, scoring: what the servers say and how they rate, as for `OpenAIServer`.
            port: the first of consecutive ports on 127.0.0.1; 0: ports that the system chooses.
        Raises `InputError` for a name that is not known.
        """
        known = misbehaviours(seconds)
        for name in names:
            if name not in known:
                raise InputError(
                    explain(
                        "The faulty backend does not know this misbehaviour.",
                        got=name,
                        expected="one of " + ", ".join(known),
                        remedy=nearest(name, known),
                    )
                )
        self.misbehaviours: Mapping[str, Misbehaviour] = {name: known[name] for name in names or known}
        self.servers: dict[str, OpenAIServer] = {
            name: OpenAIServer(
                script,
                personality=one.personality,
                vocabulary=vocabulary,
                scoring=scoring,
                port=port + place if port else 0,
            )
            for place, (name, one) in enumerate(self.misbehaviours.items())
            if one.listens
        }
        self._reserved: socket.socket | None = None
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> FaultyBackend:
        # A port that is taken and where nobody listens: connections to it are refused for certain.
        self._reserved = socket.socket()
        self._reserved.bind(("127.0.0.1", 0))
        for server in self.servers.values():
            await self._stack.enter_async_context(server)
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._stack.aclose()
        if self._reserved is not None:
            self._reserved.close()

    def base_url(self, name: str) -> str:
        """The address of one misbehaviour, for any client. Raises `RuntimeError` before the backend is entered."""
        if name in self.servers:
            return self.servers[name].base_url
        if self._reserved is None:
            raise RuntimeError("The faulty backend is not up yet: use it as a context manager.")
        return f"http://127.0.0.1:{self._reserved.getsockname()[1]}/v1"

    def counters(self, name: str) -> Counters:
        """What the server of this misbehaviour has counted; zeros for the one that is dead."""
        return self.servers[name].counters if name in self.servers else Counters()


@contextmanager
def in_thread(backend: FaultyBackend) -> Iterator[FaultyBackend]:
    """The backend up on a loop and a thread of its own, for clients that are not asynchronous."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="outthink-faulty-backend", daemon=True)
    thread.start()
    try:
        yield asyncio.run_coroutine_threadsafe(backend.__aenter__(), loop).result()
    finally:
        asyncio.run_coroutine_threadsafe(backend.__aexit__(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
