"""What every engine that serves requests by a `Scheduler` in this process has in common: requests become jobs, jobs become replies.

    class LocalEngine(ServingEngine):
        def __init__(self, settings):
            ...
            super().__init__(scheduler, tokenizer, title="embedded engine", model=file.stem)

A subclass opens its model and says its name, its capabilities and how it is closed; bills, limits, cuts and refusals are the same for all.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import threading
from abc import abstractmethod
from collections.abc import Callable, Sequence

import numpy as np

from outthink.core.cost import ZERO, Cost
from outthink.core.cut import Cut
from outthink.core.errors import (
    ContextOverflow,
    EngineClosed,
    EngineError,
    Failure,
    InputError,
    SettingsError,
    explain,
)
from outthink.engines.engine import (
    ChatPrompt,
    Continued,
    Engine,
    Generation,
    Prompt,
    Request,
    ScoresContinuations,
    StopReason,
    TextPrompt,
    Tokenizing,
    TokenPrompt,
)
from outthink.engines.local.constraints import Grammars
from outthink.engines.local.processors import Processors, check_bias, needed
from outthink.engines.local.scheduler import Scheduler
from outthink.engines.local.statistics import EngineStatistics
from outthink.engines.local.vocabulary import PieceTokenizer
from outthink.engines.local.work import Job, Order
from outthink.engines.local.worker import Worker


class ServingEngine(Engine, Tokenizing, ScoresContinuations):
    """Serves requests by `scheduler`, in a thread of its own.

    Args:
        title: what messages call the engine. `model`: names its thread.
    """

    def __init__(self, scheduler: Scheduler, tokenizer: PieceTokenizer, *, title: str, model: str) -> None:
        self._scheduler, self._pieces, self._title = scheduler, tokenizer, title
        self._context = scheduler.limits.context
        self._worker = Worker(scheduler, model, title=title)
        self._closing = threading.Lock()
        self._text_tokens = functools.lru_cache(maxsize=4096)(tokenizer.encode)

    @property
    def tokenizer(self) -> PieceTokenizer:
        return self._pieces

    @property
    def scheduler(self) -> Scheduler:
        """What serves the requests; to be watched, not used."""
        return self._scheduler

    @property
    def statistics(self) -> EngineStatistics:
        """What was computed, as opposed to what was billed."""
        return self._scheduler.statistics

    @property
    def closed(self) -> bool:
        """Whether it was closed, or is about to be."""
        return self._worker.closed

    def counters(self) -> Cost:
        return self._scheduler.counters

    def most(self, requests: Sequence[Request]) -> list[Cost | Failure]:
        made = [_made(functools.partial(self._job, request), _ignore) for request in requests]
        uncached_of = iter(self._scheduler.promised([job for job in made if isinstance(job, Job)]))
        costs: list[Cost | Failure] = []
        for request, job in zip(requests, made, strict=True):
            if isinstance(job, Failure):
                costs.append(job)
                continue
            uncached = next(uncached_of)
            if request.max_uncached is not None:
                uncached = min(uncached, request.max_uncached)
            cached = job.input_size - uncached
            costs.append(
                Cost(input_tokens=job.input_size, cached_input_tokens=cached, output_tokens=job.order.limit, calls=1)
            )
        return costs

    async def generate(self, requests: Sequence[Request], *, cut: Cut | None = None) -> list[Generation | Failure]:
        self._require_open()
        jobs = await self._serve([functools.partial(self._job, request) for request in requests], cut)
        replies: list[Generation | Failure] = []
        for request, job in zip(requests, jobs, strict=True):
            replies.append(job if isinstance(job, Failure) else _reply(request, job))
        return replies

    async def log_probs(
        self,
        pairs: Sequence[tuple[TokenPrompt, tuple[int, ...]]],
        *,
        owner: str = "",
        max_uncached: Sequence[int] | None = None,
    ) -> list[Continued | Failure]:
        self._require_open()
        promised: Sequence[int | None] = [None] * len(pairs) if max_uncached is None else max_uncached
        rated = [(*pair, owner, most) for pair, most in zip(pairs, promised, strict=True) if pair[1]]
        jobs = iter(await self._serve([functools.partial(self._rating, *one) for one in rated], None))
        results: list[Continued | Failure] = []
        for _, continuation in pairs:
            job = next(jobs) if continuation else None
            if job is None:
                results.append(Continued((), ZERO))
            elif isinstance(job, Failure) or job.failure is not None:
                results.append(job if isinstance(job, Failure) else job.failure or Failure("EngineError", "unknown"))
            elif job.stop is StopReason.CANCELLED:
                results.append(Failure.of(EngineClosed(f"The {self._title} was closed before this was rated.")))
            else:
                results.append(Continued(tuple(job.log_probs), job.cost))
        return results

    async def close(self) -> None:
        await asyncio.to_thread(self.close_now)

    def close_now(self) -> None:
        """`close` for those who have no event loop. Blocks until the step under way has ended."""
        with self._closing:
            self._worker.close()
            self._free()

    @abstractmethod
    def _free(self) -> None:
        """Free the model. Called when nothing runs any more, each time that the engine is closed."""

    # -- from requests to jobs --------------------------------------------------------------------------------------

    async def _serve(
        self, makers: Sequence[Callable[[Callable[[Job], None]], Job]], cut: Cut | None
    ) -> list[Job | Failure]:
        """Make jobs, submit those that can be served, wait for all; a job that cannot be served is a failure."""
        loop = asyncio.get_running_loop()
        everything = loop.create_future()
        left = [0]

        def settle() -> None:
            left[0] -= 1
            if left[0] == 0 and not everything.done():
                everything.set_result(None)

        def done(_: Job) -> None:
            # The loop may be closed when its jobs end: then nobody waits for them any more.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(settle)

        results = [_made(make, done) for make in makers]
        jobs = [result for result in results if isinstance(result, Job)]
        left[0] = len(jobs)
        if not jobs:
            return results
        self._worker.submit(jobs)
        stop_listening = cut.on_fire(lambda: self._worker.cancel(jobs)) if cut is not None else None
        try:
            await everything
        except asyncio.CancelledError:
            self._worker.cancel(jobs)
            raise
        finally:
            if stop_listening is not None:
                stop_listening()
        return results

    def _job(self, request: Request, done: Callable[[Job], None]) -> Job:
        tokens = self._checked_prompt(request.prompt)
        if request.max_tokens < 1:
            raise InputError(
                explain(
                    "A reply needs room.",
                    got=request.max_tokens,
                    expected="max_tokens of at least 1",
                    remedy="Raise it.",
                )
            )
        check_bias(request.sampling, self._pieces.size)
        mask = None if request.constraint is None else self._grammars.matcher(request.constraint)
        processed = mask is not None or needed(request.sampling)
        order = Order(
            tokens=tokens,
            owner=request.owner,
            seed=request.seed,
            limit=min(request.max_tokens, self._context - len(tokens)),
            sampling=request.sampling,
            stop=request.stop,
            log_probs="log_probs" in request.wants,
            hidden="hidden" in request.wants,
            max_uncached=request.max_uncached,
        )
        begun = tokens[len(tokens) - request.begun :]
        return Job(order, done, Processors(request.sampling, mask, begun) if processed else None)

    def _rating(
        self,
        prompt: TokenPrompt,
        continuation: tuple[int, ...],
        owner: str,
        max_uncached: int | None,
        done: Callable[[Job], None],
    ) -> Job:
        tokens = self._checked_prompt(prompt, more=len(continuation) - 1)
        self._check_tokens(continuation)
        return Job(Order(tokens=tokens, owner=owner, continuation=continuation, max_uncached=max_uncached), done)

    def _checked_prompt(self, prompt: Prompt, more: int = 0) -> tuple[int, ...]:
        tokens = self._encode_prompt(prompt)
        size = len(tokens) + more
        if size >= self._context + (more > 0):
            raise ContextOverflow(
                explain(
                    "The prompt does not fit into the context, which must hold the reply too.",
                    got=f"{size} tokens",
                    expected=f"at most {self._context - 1} of a context of {self._context}",
                    remedy="Shorten the prompt, or raise `context` or `memory`.",
                )
            )
        if not tokens:
            raise InputError(
                explain("A prompt needs at least one token.", got=prompt, expected="a text", remedy="Write one.")
            )
        return tokens

    def _encode_prompt(self, prompt: Prompt) -> tuple[int, ...]:
        if isinstance(prompt, TokenPrompt):
            self._check_tokens(prompt.tokens)
            return prompt.tokens
        if isinstance(prompt, TextPrompt):
            return (*self._pieces.opening, *self._text_tokens(prompt.text))
        if isinstance(prompt, ChatPrompt):
            return self._pieces.chat(prompt.messages, prefix=prompt.prefix)
        raise InputError(f"No such form of prompt: {type(prompt).__name__}.")

    def _check_tokens(self, tokens: Sequence[int]) -> None:
        ids = np.asarray(tokens, dtype=np.int64)
        if len(ids) and (ids.min() < 0 or ids.max() >= self._pieces.size):
            raise InputError(
                explain(
                    "A prompt holds a token that the model does not have.",
                    got=int(ids.min() if ids.min() < 0 else ids.max()),
                    expected=f"ids from 0 to {self._pieces.size - 1}",
                    remedy="Use the engine's own tokenizer.",
                )
            )

    @functools.cached_property
    def _grammars(self) -> Grammars:
        tokenizer = self._pieces
        pieces = [tokenizer.piece(token) for token in range(tokenizer.size)]
        ends = [tokenizer.end, *sorted(tokenizer.end_tokens - {tokenizer.end})]
        return Grammars(pieces, sorted(tokenizer.controls), ends, tokenizer.encode)

    def _require_open(self) -> None:
        if self._worker.closed:
            raise EngineClosed(f"The {self._title} was used after it was closed.")


def _reply(request: Request, job: Job) -> Generation | Failure:
    if job.failure is not None:
        return job.failure
    outcome = job.outcome()
    return Generation(
        text=outcome.text,
        stop=outcome.stop,
        cost=outcome.cost,
        tokens=outcome.tokens,
        log_probs=outcome.log_probs if "log_probs" in request.wants else None,
        stop_text=outcome.stop_text,
        hidden=None if outcome.hidden is None else outcome.hidden.astype(np.float64),
    )


def _made(make: Callable[[Callable[[Job], None]], Job], done: Callable[[Job], None]) -> Job | Failure:
    """The job, or why there can be none."""
    try:
        return make(done)
    except (EngineError, InputError, SettingsError) as error:
        return Failure.of(error)


def _ignore(_: Job) -> None:
    """Nobody waits for a job that is only looked at."""
