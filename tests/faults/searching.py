"""Searches of every kind against a scripted server on the virtual clock, with both sides of the bill."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from outthink.core import (
    Algorithm,
    Budget,
    Cost,
    OutthinkError,
    Parts,
    Result,
    Search,
    Session,
    Task,
    Tolerance,
    Verifier,
)
from outthink.core.cost import total_of
from outthink.engines.openai import Openai, OpenAIEngine, Prices, Timeouts, connect
from outthink.engines.scripted_tokens import END, question_of
from outthink.recipes.build import WholeTexts
from outthink.search import (
    Adaptive,
    Beam,
    BestFirst,
    BestOfN,
    DiverseVerifierTreeSearch,
    Evolve,
    ParallelTempering,
    ParticleFilter,
    ParticleGibbs,
    Pruning,
    Rebase,
    Refine,
    Rewind,
    Rollover,
    StepBestOfN,
    Threshold,
    Tree,
    Vote,
    ZeroOrder,
)
from outthink.testing import FunctionOfContent, run_virtual
from outthink.testing.openai_server import Counters, OpenAIServer, Personality, Scoring, opinionated_model
from outthink.text import TextProcess, Tokens
from outthink.verify import Judge, ScoringServer

MARK = "<extra_0>"
PRICES = Prices(input=1.0, output=4.0, cached_input=0.5)
TASK = Task(prompt="Say something.", id="said")
COLUMNS = ("input_tokens", "output_tokens", "calls")
A_LITTLE = 0.01
"""Virtual seconds: a tenth of what these tests' slow servers take for a step."""


def rated(text: str) -> list[float]:
    """The head of a scripted reward model: it likes some letters."""
    return [float(text.count("b")), float(text.count("a"))]


def liked(text: str) -> float:
    """A plain function as verifier, for any text."""
    return (1 + text.count("a")) / (2 + len(text))


def talkative(text: str) -> Mapping[str, float]:
    """Long replies, one in two hundred and fifty ending at each letter; verdicts where they are asked for."""
    asked = "Score:" in question_of(text)
    return opinionated_model(text) if asked else {"a": 0.4, "b": 0.3, "c": 0.296, END: 0.004}


Judged = Callable[[OpenAIEngine, OpenAIServer], Verifier | None]


def by_judge(rubric: str, n_evaluate: int = 1) -> Judged:
    """A judge on the same server."""

    def build(engine: OpenAIEngine, server: OpenAIServer) -> Verifier:
        settings = Judge(rubric=rubric, n_evaluate=n_evaluate, max_tokens=16, candidate_tokens=256, constrain="never")
        return settings.build(Parts(engine=engine))

    return build


def by_reward_model(engine: OpenAIEngine, server: OpenAIServer) -> Verifier:
    """A process reward model on the same server."""
    return ScoringServer(
        model="reward",
        format="qwen-prm",
        base_url=server.base_url.removesuffix("/v1"),
        candidate_tokens=512,
        backoff_seconds=0.01,
        prices=PRICES,
        timeouts=Timeouts(idle=30.0, whole=60.0),
    ).build(Parts(engine=engine))


def by_function(engine: OpenAIEngine, server: OpenAIServer) -> Verifier:
    """A function of the text, here; on the loop, because the virtual clock does not wait for threads when a cut is due."""
    return FunctionOfContent(liked, low=0.0, high=1.0)


def by_nobody(engine: OpenAIEngine, server: OpenAIServer) -> None:
    """No verifier."""


@dataclass(frozen=True)
class Method:
    """A method and who judges for it."""

    algorithm: Algorithm[Any]
    judged: Judged


METHODS: Mapping[str, Method] = {
    "best-of-n with a judge": Method(BestOfN(n=6), by_judge("correctness")),
    "best-of-n with two judgements": Method(BestOfN(n=3), by_judge("correctness", 2)),
    "vote": Method(Vote(n=6), by_nobody),
    "particle filter with a reward model": Method(ParticleFilter(n=4), by_reward_model),
    "beam with a reward model": Method(Beam(n=4, width=2), by_reward_model),
    "tree": Method(Tree(n=6, batch=2), by_function),
    "best-first": Method(BestFirst(n=16), by_function),
    "adaptive with aborts": Method(
        Adaptive(n=6, stop=Threshold(value=0.95), choose="score", waves=(3,), pruning=Pruning(at=(1, 3), keep=0.5)),
        by_reward_model,
    ),
    "refinement": Method(Refine(n=2, rounds=2), by_judge("correctness")),
    "adaptive": Method(Adaptive(n=5), by_nobody),
    "particle gibbs": Method(ParticleGibbs(n=3, sweeps=2), by_reward_model),
    "parallel tempering": Method(ParallelTempering(n=2, sweeps=2), by_function),
    "diverse beams": Method(DiverseVerifierTreeSearch(n=4, width=2), by_function),
    "rebase": Method(Rebase(n=4), by_function),
    "step best-of-n": Method(StepBestOfN(n=3), by_function),
    "rollover": Method(Rollover(n=2, first=2, quota=2, proposals=8), by_function),
    "rewind": Method(Rewind(n=2, children=2, rounds=2), by_function),
    "evolution of texts under way": Method(Evolve(n=3, schedule=(1, 2), elites=1, tournament=2), by_function),
    "evolution of answers": Method(
        Evolve(n=2, schedule=(1,), elites=1, tournament=2, mutation="revise"), by_judge("correctness")
    ),
    "zero-order": Method(ZeroOrder(n=3, rounds=3, around="end", strength=1.0), by_function),
}
"""Every registered method at least once: `test_registry.py` walks the registry."""


@dataclass
class AtCut:
    """Around a cut: requests at that moment and a second after it, and how many were in flight then and a little later."""

    requests: int = 0
    in_flight: int = 0
    requests_after: int = 0
    in_flight_after: int = 0


@dataclass
class Searched:
    """One search and both sides of its bill. `failed` is what it raised, in place of a result; a cancelled one has neither."""

    result: Result | None
    failed: OutthinkError | None
    session: Session
    counters: Counters
    told: list[str]
    seconds: float
    at_cut: AtCut

    @property
    def low(self) -> Cost:
        """What was charged."""
        return total_of(self.session.ledger.bill().by_role.values())

    @property
    def more(self) -> Cost:
        """How much more it may have been."""
        return self.session.ledger.uncertain

    def exact(self) -> bool:
        """Whether what was reported is what the server counted, in every column."""
        columns = (*COLUMNS, "cached_input_tokens", "reasoning_tokens")
        return self.more == Cost() and all(getattr(self.low, c) == getattr(self.counters, c) for c in columns)

    def inside(self) -> bool:
        """Whether the server's counts lie in the intervals that were reported."""
        return all(
            getattr(self.low, c) <= getattr(self.counters, c) <= getattr(self.low, c) + getattr(self.more, c)
            for c in COLUMNS
        )

    def width(self) -> float:
        """How wide the interval of tokens is, as a share of the bill."""
        return self.more.tokens / max(1, self.low.tokens)


def search(
    method: Method,
    personality: Personality | None = None,
    *,
    budget: Budget | None = None,
    seed: int = 0,
    max_tokens: int = 32,
    script: Callable[[str], Mapping[str, float]] = opinionated_model,
    quorum: float = 0.0,
    stepper: Tokens = Tokens(n=4),  # noqa: B008 - frozen settings
    cut_at: float | None = None,
    way: Literal["interrupt", "cancel", "seconds"] = "interrupt",
    **settings: Any,
) -> Searched:
    """One search; `settings` are the engine's. Everything that was opened is closed, and nothing is left in flight.

    `cut_at`: when it is cut, in which `way`: Ctrl-C, its task cancelled, or by the seconds of its budget.
    """

    async def work() -> Searched:
        async with OpenAIServer(script, personality=personality, scoring=Scoring(rated, MARK)) as server:
            fields: dict[str, Any] = {
                "model": "scripted",
                "preset": "vllm",
                "probe": "never",
                "prices": PRICES,
                "backoff_seconds": 0.01,
                "timeouts": Timeouts(idle=30.0, whole=60.0),
                "base_url": server.base_url,
            }
            engine = await connect(Openai(**{**fields, **settings}))
            verifier = method.judged(engine, server)
            limits = Budget(seconds=cut_at) if way == "seconds" else budget
            session, at_cut = Session.open(seed=seed, budget=limits), AtCut()
            loop = asyncio.get_running_loop()

            def cut(task: asyncio.Task[Result]) -> None:
                at_cut.requests, at_cut.in_flight = server.counters.requests, server.counters.in_flight
                if way == "interrupt":
                    session.cut.fire("interrupt")
                elif way == "cancel":
                    task.cancel()

            solver = Search(
                lambda task: TextProcess(engine, task, max_tokens=max_tokens, stepper=stepper),
                method.algorithm,
                verifier,
                WholeTexts(),
                tolerance=Tolerance(quorum=quorum),
            )
            result, failed, began = None, None, loop.time()
            task = asyncio.ensure_future(solver.solve(TASK, session))
            timer = loop.call_later(cut_at, cut, task) if cut_at is not None else None
            try:
                result = await task
            except OutthinkError as error:
                failed = error
            except asyncio.CancelledError:
                assert way == "cancel"
            seconds = loop.time() - began
            session.close()
            if timer is not None:
                timer.cancel()
                await asyncio.sleep(A_LITTLE)
                at_cut.in_flight_after = server.counters.in_flight
                await asyncio.sleep(1.0)
                at_cut.requests_after = server.counters.requests
            await engine.close()
            if verifier is not None:
                await verifier.close()
            while server.counters.in_flight:
                await asyncio.sleep(0.001)
            return Searched(result, failed, session, server.counters, list(server.told), seconds, at_cut)

    return run_virtual(work(), wire=0.002)
