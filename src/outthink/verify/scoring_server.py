"""A reward model behind a server with a scoring endpoint, such as vLLM's `/pooling`, `/classify` and `/score`.

    [verifier]
    type = "scoring-server"
    base_url = "http://127.0.0.1:8000"
    model = "Qwen/Qwen2.5-Math-PRM-7B"
    api = "pooling"
    format = "qwen-prm"

Each candidate is a request of its own; servers of this kind batch what arrives together, and keep prefixes. A model that rates steps has to
be served so that it gives one row of probabilities for each mark (vLLM: pooling type STEP with the mark's token as `step_tag_id`); a reply
with another number of rows fails that candidate, and says so. If unsure: "pooling" for models that rate steps, "classify" for others.

Source: vLLM's documentation of its pooling models, versions 0.11 to 0.18.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import msgspec
import numpy as np
from msgspec import Meta

from outthink.core.component import Parts
from outthink.core.cost import ZERO, Cost
from outthink.core.cut import Cut, gather_until
from outthink.core.errors import EngineError, Failure, SettingsError, explain
from outthink.core.settings import Count, NonNegativeFloat
from outthink.core.task import Task
from outthink.engines.openai.calls import wait_seconds
from outthink.engines.openai.failing import BackendError
from outthink.engines.openai.limits import HostLimits, gate_of
from outthink.engines.openai.secret import find_key
from outthink.engines.openai.transport import Timeouts, Transport
from outthink.engines.openai.usage import Prices, Usage, cost_of
from outthink.engines.openai.wire import unsendable
from outthink.numerics.types import FloatArray
from outthink.verify.readings import Rating
from outthink.verify.rewards import Rated, RewardSettings, RewardVerifier

OWNER = "reward"


class ScoringServer(RewardSettings):
    """A reward model behind a server. A server's tokens are counted as bytes beforehand, which are never fewer.

    Attributes:
        base_url: address of the server; the endpoint's name is put behind it.
        api: "pooling": one number a whole answer, or one row a mark; "classify": the classes of a whole answer; "score": question and
            answer as a pair.
        task: the field of that name in requests to "pooling"; "" leaves it out.
        key_env, keyring: environment variable, and service of the system's keyring, that hold the key.
        headers: further headers of every request; not the place for a key.
        template_tokens: the most tokens that the server's chat template adds to a message.
        retries, backoff_seconds, patience_seconds, timeouts, limits, prices: as for the engine `openai`.
    """

    base_url: Annotated[str, Meta(pattern=r"^https?://[^/]+")] = "http://127.0.0.1:8000"
    api: Literal["pooling", "classify", "score"] = "pooling"
    task: str = ""
    key_env: str = ""
    keyring: str = ""
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    template_tokens: Count = 64
    retries: Count = 3
    backoff_seconds: NonNegativeFloat = 0.5
    patience_seconds: NonNegativeFloat = 60.0
    timeouts: Timeouts = msgspec.field(default_factory=Timeouts)
    limits: HostLimits = msgspec.field(default_factory=HostLimits)
    prices: Prices | None = None

    def check(self) -> None:
        super().check()
        form, problem = self.form, ""
        if form.layout == "turns":
            problem = "a format that reads its numbers inside a conversation of many turns"
        elif form.step_wise and self.api != "pooling":
            problem = f"a format with a number for each step, over {self.api!r}"
        if urlsplit(self.base_url).username or any(name.lower() == "authorization" for name in self.headers):
            problem = "a key in the settings, which are stored with every run"
        elif bad := unsendable(self.headers):
            problem = f"the header {bad}, which cannot be sent"
        if problem:
            raise SettingsError(
                explain(
                    "A scoring server cannot be asked like this.",
                    got=problem,
                    expected='a number for each mark over "pooling", or one for a whole answer; keys in key_env',
                    remedy='Set api = "pooling" and a format with marks, or the format "outcome".',
                )
            )

    def read(self, rows: FloatArray) -> FloatArray:
        """A server has squashed its numbers already, unless it was told not to."""
        return np.array(rows[:, self.form.column(rows.shape[1])])

    def build(self, parts: Parts) -> ServerRewards:
        split = urlsplit(self.base_url)
        secret = find_key(self.key_env, self.keyring, str(split.hostname))
        wire = Transport(self.base_url, secret, self.timeouts, headers=self.headers)
        return ServerRewards(self, wire)


@dataclass(frozen=True)
class ServerRewards(RewardVerifier):
    """Live part of `ScoringServer`."""

    settings: ScoringServer
    wire: Transport

    def most(self, task: Task) -> Cost:
        return self._longest(task) + Cost(verifier_calls=1)

    async def ratings(self, task: Task, answers: Sequence[tuple[str, ...]]) -> Rated:
        return await self.ratings_until(task, answers, None)

    async def ratings_until(self, task: Task, answers: Sequence[tuple[str, ...]], cut: Cut | None) -> Rated:
        sent: set[int] = set()
        work = [self._asked(task, steps, i, sent) for i, steps in enumerate(answers)]
        ratings: list[Rating | Failure | None] = []
        cost, uncertain = ZERO, ZERO
        for i, part in enumerate(await gather_until(cut, work)):
            if part is None:
                # Cut short: it may have been counted or not, where it had been sent.
                uncertain = uncertain + (self._at_most(task, answers[i]) if i in sent else ZERO)
                ratings.append(None)
            else:
                cost, uncertain = cost + part.cost, uncertain + part.uncertain
                ratings.append(part.ratings[0])
        return Rated(ratings, cost, uncertain)

    async def close(self) -> None:
        await self.wire.close()

    # -- one candidate ----------------------------------------------------------------------------------------------

    def _longest(self, task: Task) -> Cost:
        """The most that any request can cost."""
        return cost_of(Usage(self._prompt_bytes(task) + self.settings.candidate_tokens, 0), self.settings.prices)

    def _at_most(self, task: Task, steps: tuple[str, ...]) -> Cost:
        """The most that the request about this answer can cost."""
        size = len(self.settings.form.answer(steps).encode())
        return cost_of(Usage(self._prompt_bytes(task) + size, 0), self.settings.prices)

    async def _asked(self, task: Task, steps: tuple[str, ...], number: int, sent: set[int]) -> Rated:
        refused = self._refused(steps)
        if refused is not None:
            return Rated([refused])
        try:
            document = await self._sent(self.body(task.question, steps), number, sent)
        except EngineError as error:
            billed = isinstance(error, BackendError) and error.billed
            return Rated([Failure.of(error)], uncertain=self._at_most(task, steps) if billed else ZERO)
        rows = rows_of(document, self.settings.api)
        tokens, cached = _usage(document)
        cost = cost_of(Usage(tokens or 0, 0, min(cached, tokens or 0)), self.settings.prices)
        unknown = ZERO if tokens is not None else self._at_most(task, steps) - Cost(calls=1)
        rating = rows if isinstance(rows, Failure) else self._rating(rows, len(steps), tokens or 0)
        return Rated([rating], cost, unknown)

    def body(self, question: str, steps: Sequence[str]) -> dict[str, Any]:
        """The request about one answer."""
        settings, form = self.settings, self.settings.form
        body: dict[str, Any] = {"model": settings.model}
        if settings.api == "score":
            body |= {"text_1": question, "text_2": form.answer(steps)}
        elif form.layout == "chat":
            shown = [{"role": m.role, "content": m.content} for m in form.messages(question, steps)]
            body |= {"messages": shown, "add_generation_prompt": False}
        else:
            body["input"] = form.raw(question, steps)
        if settings.task and settings.api == "pooling":
            body["task"] = settings.task
        if form.squash == "none":
            body["use_activation"] = False
        return body

    async def _sent(self, body: dict[str, Any], number: int, sent: set[int]) -> Any:
        """The reply; `number` is among `sent` while it may be billed.

        Refusals and missing connections are tried again, like an engine's."""
        settings = self.settings
        async with gate_of(self.wire.host, settings.limits).place(OWNER):
            for attempt in range(settings.retries + 1):
                sent.add(number)
                try:
                    return await self.wire.post(f"/{settings.api}", body)
                except BackendError as error:
                    wait = wait_seconds(
                        attempt,
                        0.5,
                        error.retry_after,
                        backoff=settings.backoff_seconds,
                        patience=settings.patience_seconds,
                    )
                    if error.billed or not error.retryable or wait is None or attempt == settings.retries:
                        raise
                sent.discard(number)
                await asyncio.sleep(wait)
        raise EngineError("No attempt was made.")

    def _refused(self, steps: tuple[str, ...]) -> Failure | None:
        """Why this answer is not sent; None where it is."""
        mark = self.settings.form.mark
        if mark and any(mark in step for step in steps):
            return Failure(
                "VerifierError",
                f"The answer holds the mark {mark!r} that stands between steps, so its steps cannot be told apart.",
            )
        size = len(self.settings.form.answer(steps).encode())
        if size > self.settings.candidate_tokens:
            return Failure(
                "ContextOverflow",
                explain(
                    "The candidate is longer than was promised to the budget.",
                    got=f"{size} bytes with its marks",
                    expected=f"at most {self.settings.candidate_tokens}",
                    remedy="Raise the verifier's candidate_tokens; for a server they are bytes.",
                ),
            )
        return None

    def _rating(self, rows: FloatArray, steps: int, tokens: int) -> Rating | Failure:
        wanted = steps if self.settings.form.step_wise else 1
        if len(rows) != wanted:
            return Failure(
                "VerifierError",
                explain(
                    "The server gave another number of rows than there are marks.",
                    got=len(rows),
                    expected=str(wanted),
                    remedy="Serve a model that rates steps with a pooler of steps: for vLLM, pooling type STEP with the mark's token as "
                    "its step_tag_id.",
                ),
            )
        bounded = self.settings.form.squash != "none"
        if not np.isfinite(rows).all() or (bounded and not ((rows >= 0.0) & (rows <= 1.0)).all()):
            return Failure(
                "VerifierError",
                explain(
                    "The server's numbers are no probabilities.",
                    got=rows.ravel()[:4].tolist(),
                    expected="numbers between 0 and 1",
                    remedy='Set the format\'s squash = "none" for a model that gives scores without bounds.',
                ),
            )
        return Rating(rows, tokens, tokens)

    def _prompt_bytes(self, task: Task) -> int:
        form = self.settings.form
        said = form.messages(task.question, ("",)) if form.layout == "chat" else []
        if said:
            return sum(len(str(m.content).encode()) + self.settings.template_tokens for m in said)
        return len(form.raw(task.question, ()).encode()) + self.settings.template_tokens


def rows_of(document: Any, api: str) -> FloatArray | Failure:
    """The numbers of a reply, [rows, classes]; a failure for a reply that holds none."""
    try:
        entry = document["data"][0]
        given = entry["probs"] if api == "classify" else [entry["score"]] if api == "score" else entry["data"]
        rows = np.array(given, dtype=np.float64)
    except (KeyError, IndexError, TypeError, ValueError):
        return Failure("VerifierError", f"The server's reply holds no numbers: {str(document)[:200]}")
    # A flat list is one row for the whole answer.
    shaped = rows[None] if rows.ndim == 1 else rows
    if shaped.ndim != 2 or shaped.size == 0:
        return Failure("VerifierError", f"The server's numbers have the shape {rows.shape}; expected rows of classes.")
    return shaped


def _usage(document: Any) -> tuple[int | None, int]:
    """Tokens of the prompt (None: not told), and those of them that the server had cached."""
    usage = document.get("usage") if isinstance(document, dict) else None
    if not isinstance(usage, dict) or not isinstance(usage.get("prompt_tokens"), int):
        return None, 0
    details = usage.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, dict) else 0
    return usage["prompt_tokens"], cached if isinstance(cached, int) else 0
