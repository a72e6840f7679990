"""An agent in an environment, as a process: a step is a turn, one reply of the model and what is seen after it.

    process = AgentProcess(engine, environment, Agent(turns=6))

Any engine will do: the conversation is sent as a whole each turn, and an engine that keeps prefixes pays for it once. A turn claims its
whole reply beforehand and is not begun if that does not fit; a reply that ends by length is an action all the same. Revising an episode
plays the task anew, told the earlier one and the feedback on it, so a refinement never acts twice on a world that cannot be reset.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import count

import numpy as np

from outthink.agent.environment import Environment, Observation
from outthink.agent.episode import Earlier, Episode, Episodes, Turn
from outthink.agent.settings import Agent
from outthink.core.checkpoint import decode, encode
from outthink.core.cut import gather_until
from outthink.core.errors import CheckpointError, Failure, OutthinkError
from outthink.core.half_pairs import mended
from outthink.core.ledger import Allowance
from outthink.core.process import Adaptation, Advance, Process, Revisable, Rewindable
from outthink.core.slots import Slots
from outthink.core.task import Candidate, Feature, Message
from outthink.engines.engine import (
    ChatPrompt,
    Engine,
    Prompt,
    Request,
    StopReason,
    Tokenizing,
    TokenPrompt,
)
from outthink.engines.replying import claimed, replies
from outthink.numerics.types import IntArray, SeedArray

_RUNS = count()


class AgentProcess(Process[Episodes], Revisable[Episodes], Rewindable[Episodes]):
    """Episodes of one task. States are tuples of `Episode`; candidates are transcripts."""

    def __init__(self, engine: Engine, environment: Environment, settings: Agent | None = None) -> None:
        self.engine = engine
        self.environment = environment
        self.settings = settings or Agent()
        self._owner = f"agent/{next(_RUNS)}"

    @property
    def exact(self) -> bool:
        return self.engine.capabilities.exact

    @property
    def offers(self) -> frozenset[Feature]:
        """What candidates can show: their actions, and how many there are."""
        return frozenset({"steps", "length"})

    @property
    def adaptations(self) -> tuple[Adaptation, ...]:
        return self.engine.adaptations

    # -- the process ------------------------------------------------------------------------------------------------

    async def start(self, seeds: SeedArray) -> Episodes:
        return (Episode(),) * len(seeds)

    async def advance(
        self, states: Episodes, seeds: SeedArray, *, steps: int | None = 1, allowance: Allowance
    ) -> Advance[Episodes]:
        play = Slots(states)
        await self._play(play, seeds, self.settings.turns if steps is None else steps, allowance)
        return play.result(_over)

    def take(self, states: Episodes, index: IntArray) -> Episodes:
        return tuple([states[i] for i in index.tolist()])

    def concat(self, parts: Sequence[Episodes]) -> Episodes:
        return tuple(state for part in parts for state in part)

    async def view(self, states: Episodes, wants: frozenset[Feature]) -> list[Candidate]:
        seen = []
        for state in states:
            final = bool(state.ended)
            features = {"steps": state.actions, "length": len(state.turns)}
            seen.append(
                Candidate(
                    content=state.transcript(self.environment.opening),
                    kind="transcript",
                    final=final,
                    answer=self.environment.answer(state.actions) if final else None,
                    features={name: features[name] for name in wants if name in features},
                )
            )
        return seen

    def dump(self, states: Episodes) -> bytes:
        return encode(states)

    def load(self, data: bytes) -> Episodes:
        states = decode(data)
        if not isinstance(states, tuple) or not all(isinstance(state, Episode) for state in states):
            raise CheckpointError("The checkpoint does not hold episodes.")
        return states

    # -- capabilities -----------------------------------------------------------------------------------------------

    async def revise(
        self, states: Episodes, feedback: Sequence[str], seeds: SeedArray, *, allowance: Allowance
    ) -> Advance[Episodes]:
        """The task played anew to its end, by an agent that is shown the earlier episode and its feedback."""
        begun = [Episode(earlier=Earlier(state.turns, said)) for state, said in zip(states, feedback, strict=True)]
        play = Slots(states, begun)
        await self._play(play, seeds, self.settings.turns, allowance)
        return play.result(_over)

    async def rewind(
        self, states: Episodes, level: IntArray, seeds: SeedArray, *, allowance: Allowance
    ) -> Advance[Episodes]:
        """Each episode cut to its first `level` turns; costs nothing, since a world is a function of its actions."""
        return Slots(states, [state.cut(int(k)) for state, k in zip(states, level, strict=True)]).result(_over)

    # -- turns ------------------------------------------------------------------------------------------------------

    async def _play(self, play: Slots[Episode], seeds: SeedArray, turns: int, allowance: Allowance) -> None:
        for repeat in range(turns):
            todo = [i for i, state in enumerate(play.states) if not state.ended and play.goes_on(i)]
            if not todo:
                return
            if repeat and allowance.cut is not None and allowance.cut.reason:
                play.short.update(todo)
                return
            await self._turn(play, todo, seeds, repeat, allowance)
            if repeat:
                play.had_moved()

    async def _turn(
        self, play: Slots[Episode], todo: list[int], seeds: SeedArray, repeat: int, allowance: Allowance
    ) -> None:
        """One turn of the slots `todo`: their replies are asked for together, then what is seen after them."""
        requests = [(i, self._request(play.states[i], seeds[i], repeat)) for i in todo]
        granted = claimed(play, self.engine, requests, allowance, self.settings.max_tokens)
        acted: dict[int, str] = {}
        for i, generation in (await replies(play, self.engine, granted.requests, allowance.cut)).items():
            if generation.stop is StopReason.CANCELLED:
                # Half an action is none: the turn is drawn again if the episode goes on.
                play.short.add(i)
            else:
                acted[i] = generation.text.strip()
        looks = [self._seen((*play.states[i].actions, action)) for i, action in acted.items()]
        seen = await gather_until(allowance.cut, looks)
        for (i, action), observation in zip(acted.items(), seen, strict=True):
            if observation is None:
                # What nobody has seen the end of has not happened: this turn is drawn again as well.
                play.short.add(i)
                continue
            if isinstance(observation, Failure):
                play.failures[i] = observation
                continue
            state = play.states[i]
            now = (*state.turns, Turn(action, mended(observation.text)))
            last = len(now) >= self.settings.turns
            play.states[i] = replace(state, turns=now, ended="done" if observation.done else "turns" if last else "")

    async def _seen(self, actions: Sequence[str]) -> Observation | Failure:
        """What is seen after these actions. A world that breaks has failed its episode, whose actions were paid for, and no other."""
        try:
            return await self.environment.observe(actions)
        except OutthinkError as error:
            return Failure.of(error)

    def _request(self, state: Episode, seed: int | np.uint64, repeat: int) -> Request:
        return Request(
            prompt=self._prompt(state),
            # One stream a turn: the slot's own seed for the first, children of it for the others.
            seed=int(seed) if repeat == 0 else _child(seed, repeat),
            max_tokens=self.settings.max_tokens,
            sampling=self.settings.sampling,
            owner=self._owner,
        )

    def _prompt(self, state: Episode) -> Prompt:
        opening = self.environment.opening + ("" if state.earlier is None else told_of(state.earlier))
        messages = (Message("system", self.environment.instructions), *state.transcript(opening))
        if isinstance(self.engine, Tokenizing):
            return TokenPrompt(self.engine.tokenizer.chat(messages))
        return ChatPrompt(messages)


def _over(state: Episode) -> bool:
    return bool(state.ended)


def told_of(earlier: Earlier) -> str:
    """What an agent reads of an earlier episode: its actions, what was seen after each, and the feedback."""
    turns = "\n".join(f"> {turn.action}\n{turn.seen}" for turn in earlier.turns)
    return f"\n\nAn earlier attempt went like this:\n{turns}\n\n{earlier.feedback}\nBegin anew."


def _child(seed: int | np.uint64, repeat: int) -> int:
    return int(np.random.SeedSequence([int(seed), repeat]).generate_state(1, np.uint64)[0])
