"""Text from a language model, as a process: one task, step by step.

    process = TextProcess(engine, Task(prompt="toss:"), stepper=Tokens(n=1), format="plain", prompt="{question}")

It works over any engine; how a text is continued is chosen from what the engine offers (`outthink.text.modes`) and said by `continuation`.
Texts are plain data, one request a slot is sent for each step, all slots of a call together, and what the budget cannot carry is not sent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count

import numpy as np

from outthink.core.checkpoint import decode, encode
from outthink.core.errors import CheckpointError, Failure, Incompatible, explain
from outthink.core.key import slot_rng
from outthink.core.ledger import Allowance
from outthink.core.process import (
    Adaptation,
    Advance,
    Completable,
    Perturbable,
    Process,
    Revisable,
    Rewindable,
    Temperable,
)
from outthink.core.settings import replace as changed
from outthink.core.slots import Slots
from outthink.core.task import Candidate, Feature, Task
from outthink.engines.context import Context
from outthink.engines.engine import (
    Continuation,
    Engine,
    Request,
    Sampling,
    Tokenizer,
    Tokenizing,
    TokenPrompt,
    Wanted,
)
from outthink.engines.replying import claimed, replies
from outthink.numerics.types import FloatArray, IntArray, SeedArray
from outthink.text import features
from outthink.text.call import Call
from outthink.text.modes import continuation, no_steps
from outthink.text.partial import Partial, Revision, Texts
from outthink.text.prompts import Prompter
from outthink.text.replies import Asked, Reader, Taken, carried
from outthink.text.settings import Text
from outthink.text.steppers import Whole

GREEDY = Sampling(temperature=0.0)
_RUNS = count()


class TextProcess(
    Process[Texts], Revisable[Texts], Rewindable[Texts], Perturbable[Texts], Completable[Texts], Temperable[Texts]
):
    """One task's text. States are tuples of `Partial`."""

    def __init__(
        self,
        engine: Engine,
        task: Task,
        settings: Text | None = None,
        *,
        extract: Callable[[str], str | None] | None = None,
        owner: str = "",
        **changes: object,
    ) -> None:
        """Args:
            settings: how it is generated; `changes` are settings by name instead, `stepper=Tokens(n=1)`.
            extract: finds the answer in a finished text; None: candidates have no answer beside their text.
            owner: which run asks; engines share their capacity fairly between owners. "": this process is a run of its own.
        Raises `Incompatible` when the engine cannot do what the settings ask, `InputError` for an empty question.
        """
        self.engine = engine
        self.task = task
        self.settings = settings if settings is not None and not changes else _changed(settings or Text(), changes)
        self._extract = extract
        # A process is one run: two runs of the same task do not share a turn.
        self._owner = owner or f"{task.id}/{next(_RUNS)}"
        _check(engine, self.settings)
        self.continuation = continuation(engine, self.settings)
        """How a text is continued; written into the run."""
        tokenizer = engine.tokenizer if isinstance(engine, Tokenizing) else None
        self._tokenizer: Tokenizer | None = tokenizer if self.continuation is Continuation.TOKENS else None
        raw_text = Continuation.COMPLETION in engine.capabilities.continuations
        self._prompter = Prompter(task, self.settings, self.continuation, tokenizer, raw_text)
        self._reader = Reader(
            self.settings.stepper,
            self.settings.stops,
            self._tokenizer.decode if self._tokenizer else None,
            self._tokenizer.end_tokens if self._tokenizer else frozenset(),
        )
        self._fresh = Partial(tokens=() if self._tokenizer else None)
        wants: set[Wanted] = {"log_probs"} if self.settings.log_probs and engine.capabilities.log_probs else set()
        self._wants: frozenset[Wanted] = frozenset(wants | ({"hidden"} if self.settings.hidden else set()))

    @property
    def exact(self) -> bool:
        return self.engine.capabilities.exact

    @property
    def step_wise(self) -> bool:
        """Whether texts can be moved on in parts; where not, only `steps=None` works (or the stepper `Whole`)."""
        return self.continuation is not Continuation.NONE and self.settings.constraint is None

    @property
    def adaptations(self) -> tuple[Adaptation, ...]:
        asked = Adaptation("continuing a text", "the model is asked in words to go on: another distribution")
        return (*self.engine.adaptations, *((asked,) if self.continuation is Continuation.PROMPTED else ()))

    @property
    def offers(self) -> frozenset[Feature]:
        """Features that `view` can show with this engine; it leaves out any other, and a verifier that needs it has no opinion."""
        return features.offered(self._wants) | (features.CONTEXT if self._tokenizer is not None else frozenset())

    # -- the process ------------------------------------------------------------------------------------------------

    async def start(self, seeds: SeedArray) -> Texts:
        return (self._fresh,) * len(seeds)

    async def advance(
        self, states: Texts, seeds: SeedArray, *, steps: int | None = 1, allowance: Allowance
    ) -> Advance[Texts]:
        whole = steps is None or isinstance(self.settings.stepper, Whole)
        if not whole and not self.step_wise:
            raise no_steps(self.engine, self.settings)
        work = Slots(states)
        todo = [i for i, state in enumerate(states) if not state.done]
        for repeat in range(1 if whole or steps is None else steps):
            if repeat and allowance.cut is not None and allowance.cut.reason:
                work.short.update(todo)
                break
            calls = {i: call for i in todo if (call := self._step(work, i, _again(seeds[i], repeat), whole=whole))}
            await self._send(work, calls, allowance)
            if repeat:
                work.had_moved()
            todo = [i for i in calls if work.goes_on(i) and not work.states[i].done]
        return work.result(_done)

    def take(self, states: Texts, index: IntArray) -> Texts:
        return tuple([states[i] for i in index.tolist()])

    def concat(self, parts: Sequence[Texts]) -> Texts:
        return tuple(state for part in parts for state in part)

    async def view(self, states: Texts, wants: frozenset[Feature]) -> list[Candidate]:
        return await features.candidates(
            states, wants & self.offers, self.settings.thinking, self._extract, self._context
        )

    def dump(self, states: Texts) -> bytes:
        return encode(states)

    def load(self, data: bytes) -> Texts:
        states = decode(data)
        if not isinstance(states, tuple) or not all(isinstance(state, Partial) for state in states):
            raise CheckpointError("The checkpoint does not hold texts.")
        return states

    # -- capabilities -----------------------------------------------------------------------------------------------

    async def revise(
        self, states: Texts, feedback: Sequence[str], seeds: SeedArray, *, allowance: Allowance
    ) -> Advance[Texts]:
        """The whole answer written again, by a prompt that shows the old one and its feedback. Thinking is not shown."""
        work = Slots(states)
        calls = {}
        for i, (state, said) in enumerate(zip(states, feedback, strict=True)):
            shown = features.shown(state, self.settings.thinking)
            start = replace(self._fresh, revision=Revision(shown, said), temperature=state.temperature)
            calls[i] = self._call(start, int(seeds[i]), whole=True)
        await self._send(work, calls, allowance)
        return work.result(_done)

    async def rewind(self, states: Texts, level: IntArray, seeds: SeedArray, *, allowance: Allowance) -> Advance[Texts]:
        """Each text cut to its first `level` steps; costs nothing."""
        return Slots(states, [self._cut(state, int(k)) for state, k in zip(states, level, strict=True)]).result(_done)

    async def perturb(
        self, states: Texts, strength: FloatArray, seeds: SeedArray, *, allowance: Allowance
    ) -> Advance[Texts]:
        """The last step drawn again with the chance `strength`; the whole text where it cannot be moved on in parts.

        This keeps the law of texts after so many steps. A text that has ended is at the step in which it ended.
        """
        work = Slots(states)
        calls = {}
        for i, (state, chance) in enumerate(zip(states, strength, strict=True)):
            if state.steps and slot_rng(_again(seeds[i], 1)).random() < chance:
                start = self._cut(state, state.steps - 1 if self.step_wise else 0)
                whole = not self.step_wise or isinstance(self.settings.stepper, Whole)
                calls[i] = self._call(start, int(seeds[i]), whole=whole)
        await self._send(work, calls, allowance)
        return work.result(_done)

    async def complete(self, states: Texts, seeds: SeedArray, *, allowance: Allowance) -> Advance[Texts]:
        """A forced answer: a suffix, then a short greedy reply. A look ahead, no draw from the model: log-ratio 0 says nothing."""
        if not self.step_wise:
            raise no_steps(self.engine, self.settings)
        work = Slots(states)
        calls = {i: self._forced(state, int(seeds[i])) for i, state in enumerate(states) if not state.done}
        reader = replace(self._reader, stepper=Whole(), stops=self.settings.forced.stop)
        await self._send(work, calls, allowance, reader)
        for i in calls:
            if i not in work.failures and i not in work.untouched:
                work.states[i] = replace(work.states[i], stop="forced")
                work.short.discard(i)
        return work.result(_done)

    def temper(self, states: Texts, temperature: FloatArray) -> Texts:
        return tuple(replace(state, temperature=float(t)) for state, t in zip(states, temperature, strict=True))

    # -- calls ------------------------------------------------------------------------------------------------------

    def _step(self, work: Slots[Partial], slot: int, seed: int, *, whole: bool) -> Call | None:
        """The call that moves a slot on; None where it is at its end, or cannot go on."""
        state = work.states[slot]
        if state.length and not self.step_wise:
            work.failures[slot] = Failure(
                "Incompatible",
                "The reply was cut short, and it can only be drawn as a whole; it cannot be finished from here.",
            )
            return None
        call = self._call(state, seed, whole=whole)
        if call.room < 1:
            work.states[slot] = replace(state, stop="length")
            return None
        return call

    def _call(self, start: Partial, seed: int, *, whole: bool) -> Call:
        settings, stepper = self.settings, self.settings.stepper
        prompt = self._prompter.prompt(start)
        room = settings.max_tokens - start.length
        context = self.engine.capabilities.context
        if isinstance(prompt, TokenPrompt) and context is not None and start.length:
            # A text that fills the window is finished; a prompt that does is the engine's to refuse.
            room = min(room, context - len(prompt.tokens))
        wanted = room
        if not whole and stepper.size is not None:
            wanted = min(room, stepper.size - (start.length - start.last.tokens))
        elif not whole and stepper.most is not None:
            wanted = min(room, stepper.most)
        sampling = (
            settings.sampling
            if start.temperature is None
            else changed(settings.sampling, temperature=start.temperature)
        )
        stops = (*(() if whole else stepper.stops), *settings.stops, *carried(start.text, settings.stops))
        request = Request(
            prompt=prompt,
            seed=seed,
            max_tokens=max(1, wanted),
            sampling=sampling,
            stop=tuple(dict.fromkeys(stops)),
            constraint=settings.constraint,
            wants=self._wants,
            owner=self._owner,
            begun=len(start.tokens or ()) if sampling.penalises and isinstance(prompt, TokenPrompt) else 0,
        )
        return Call(start, request, whole, room)

    def _forced(self, state: Partial, seed: int) -> Call:
        forced, thinking = self.settings.forced, self.settings.thinking
        closing = f"{thinking.end}\n" if thinking is not None and thinking.is_open(state.text) else ""
        suffix = closing + forced.suffix
        if self._tokenizer is not None:
            tokens = (*(state.tokens or ()), *self._tokenizer.encode(suffix))
            start = replace(
                state, tokens=tokens, text=self._tokenizer.decode(tokens), length=len(tokens), log_prob=None
            )
        else:
            start = replace(state, text=state.text + suffix, log_prob=None)
        request = Request(
            prompt=self._prompter.prompt(start),
            seed=seed,
            max_tokens=forced.max_tokens,
            sampling=GREEDY,
            stop=forced.stop,
            owner=self._owner,
        )
        return Call(start, request, whole=True, room=forced.max_tokens)

    async def _send(
        self, work: Slots[Partial], calls: dict[int, Call], allowance: Allowance, reader: Reader | None = None
    ) -> None:
        """Claim for the calls, send those that fit, and take what came back."""
        if not calls:
            return
        wanted = [(i, call.request) for i, call in calls.items()]
        granted = claimed(work, self.engine, wanted, allowance, self.settings.least_tokens)
        if len(granted.refused) == len(calls) and not any(
            call.start.length or call.start.revision for call in calls.values()
        ):
            # The task itself cannot be served; said before anything is spent.
            raise next(iter(granted.refused.values())).as_error()
        for i, generation in (await replies(work, self.engine, granted.requests, allowance.cut)).items():
            call = calls[i]
            asked = Asked(call.whole, call.request.max_tokens, granted.tokens[i], call.room)
            taken = (reader or self._reader).take(call.start, generation, asked)
            if isinstance(taken, Taken):
                work.states[i] = taken.state
                work.short.update({i} if taken.short else ())
            else:
                work.failures[i] = taken

    def _context(self, state: Partial) -> Context:
        prompt = self._prompter.prompt(state)
        return Context(prompt.tokens if isinstance(prompt, TokenPrompt) else (), self.settings.format == "chat")

    def _cut(self, state: Partial, level: int) -> Partial:
        if level >= state.steps or self._tokenizer is None or state.tokens is None:
            return state.cut(level)
        remain = state.marks[level - 1].tokens if level > 0 else 0
        return state.cut(level, self._tokenizer.decode(state.tokens[:remain]))


def _done(state: Partial) -> bool:
    return state.done


def _again(seed: int | np.uint64, repeat: int) -> int:
    """The seed of a slot's `repeat`-th draw in one call; the first is the slot's own."""
    if repeat == 0:
        return int(seed)
    return int(np.random.SeedSequence([int(seed), repeat]).generate_state(1, np.uint64)[0])


def _changed(settings: Text, changes: dict[str, object]) -> Text:
    fields = {name: getattr(settings, name) for name in settings.__struct_fields__}
    return Text(**{**fields, **changes})


def _check(engine: Engine, settings: Text) -> None:
    able = engine.capabilities
    for wanted, there, what in (
        (settings.constraint is not None, able.constraints, "constrained replies"),
        (settings.hidden, able.hidden, "hidden states"),
    ):
        if wanted and not there:
            raise Incompatible(
                explain(
                    f"The settings ask for {what}, and the engine has none.",
                    got=engine.name,
                    expected=f"an engine with {what}",
                    remedy="Use the embedded engine (--model local), or leave the setting out.",
                )
            )
