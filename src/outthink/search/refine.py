"""Refine: draw whole answers and have each rewritten, told what was said about it.

n chains run side by side. A chain draws one answer and then has it revised up to `rounds` times; each revision shows the model the version
that the chain stands at, with feedback. Needs a process that can revise; whole answers are enough.

    Refine(n=2)                                                     # verifier-gated: a revision counts only if its score is higher
    Refine(n=1, accept="always", choose="last", threshold=1.0)      # self-refine, with a judge on the same model as the critic
    Refine(n=4, accept="always", choose="last", feedback="request") # sequential revision without a verifier; last answers vote
    Refine(n=4, base="best", contrast=True, patience=2, ties="redraw", judge_again=False)   # iterative decoding (spec 01)

In iterative decoding all chains of a round revise the best version so far, which is replaced only by a better one; the feedback is built
from scores and notes alone. `rounds = 0` is best-of-n, and as long as scores tell nothing apart `ties = "redraw"` draws as best-of-n does.
A noisy verifier's best score of many is too high (the winner's curse): judge the answer anew before its score is believed.

With `feedback = "request"`, `accept = "always"` and `choose` "last" or "all" it needs no verifier and pays for none. Revising can harm: a
reviser that mends a wrong answer with probability a and breaks a right one with probability b is right a / (a + b) of the time in the end,
however it began. `accept = "better"` keeps the incumbent instead, ties included, so a chain's score never falls; how far that helps depends
on the verifier. If unsure: the defaults with a verifier, and compare with best-of-n at n * (1 + rounds).

Sources: spec 05, self-refine (Madaan et al. 2023); spec 06, sequential revision and parallel + sequential; spec 01, iterative agent
decoding (arXiv 2504.01931), with closed forms on
`outthink.testing.PartsProcess`. Departs from them: the critique of self-refine is a verifier's note and comes with a score, so that "there
is no error" is `threshold`; best and worst are told by score and note, not by their texts, which search never sees.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal

import numpy as np
from msgspec import Meta

from outthink.core.algorithm import Algorithm, Answer
from outthink.core.checkpoint import Saved
from outthink.core.errors import Incompatible, SettingsError, explain
from outthink.core.key import Key
from outthink.core.process import Revisable
from outthink.core.run import Run
from outthink.core.settings import Count, NonNegativeFloat, Positive
from outthink.core.verifier import ScoreSpec
from outthink.numerics.types import BoolArray, FloatArray, IntArray
from outthink.search.drawn import ABSTAINS, group_of
from outthink.search.feedback import Feedback, Standing, told
from outthink.search.versions import Versions

REQUEST = "Check every step of the answer. Correct what is wrong, and keep what is right."


@dataclass(frozen=True)
class Chains(Saved):
    """n chains and every version that they have been through.

    Attributes:
        current: where in `versions` each chain stands, [n].
        tried: revisions that each chain has had, accepted or not, [n].
        same: how many of them in a row did not change the answer, [n].
        stale: how many of them in a row brought nothing that was accepted, [n].
        stopped: chains that go no further, [n].
    """

    versions: Versions
    current: IntArray
    tried: IntArray
    same: IntArray
    stale: IntArray
    stopped: BoolArray

    @property
    def score(self) -> FloatArray:
        """Scores of the versions at which the chains stand, [n]."""
        return self.versions.score[self.current]

    @property
    def going(self) -> BoolArray:
        """Chains that may be revised, [n]."""
        return ~self.stopped & self.versions.batch.finished[self.current]


class Refine(Algorithm[Chains]):
    """Draw n whole answers and revise each up to `rounds` times.

    Attributes:
        n: chains, begun independently.
        rounds: revisions of each chain at most.
        feedback: what a chain is told of its answer besides `request`: nothing ("request"), its "score" with the scale, what the verifier
            said of it ("notes"), or both ("score-and-notes"). What a verifier that reads the right answer says is never told.
        contrast: also tell the best and the worst score so far, with their notes; not while they are equal.
        request: what the model is asked to do, always told first.
        base: what a revision starts from: the version at which its "own" chain stands, or the "best" of all chains.
        accept: a revision replaces its chain's version only if its score is "better" (by more than `margin`), or "always".
        margin: by how much a score must be better; about the verifier's noise.
        threshold: a chain whose score reaches this is not revised any more; None: no such stop.
        unchanged: a chain whose answer has not changed for so many revisions is not revised any more; 0: no such stop.
        patience: a chain of whose last so many revisions none was accepted is not revised any more (base "best": none of any chain's);
            0: no such stop.
        ties: while all scores are equal and nothing was said of an answer, feedback has no direction: "revise" all the same, or "redraw".
        judge_again: judge a version whose answer equals one that has a score; without, it has that score, and costs no judgement.
        choose: the "best" score of all versions, a vote over the chains' "last" versions (those that they stand at; with n = 1 simply the
            last), or a vote over "all" versions.
    """

    n: Positive = 4
    rounds: Count = 3
    feedback: Feedback = "score-and-notes"
    contrast: bool = False
    request: Annotated[str, Meta(min_length=1)] = REQUEST
    base: Literal["own", "best"] = "own"
    accept: Literal["better", "always"] = "better"
    margin: NonNegativeFloat = 0.0
    threshold: float | None = None
    unchanged: Count = 2
    patience: Count = 0
    ties: Literal["revise", "redraw"] = "revise"
    judge_again: bool = True
    choose: Literal["best", "last", "all"] = "best"

    needs: ClassVar[Sequence[type]] = (Revisable,)
    whole_samples: ClassVar[bool] = True

    def check(self) -> None:
        if self.accept == "always" and self.margin > 0:
            raise SettingsError(
                explain(
                    "A margin says when a revision is better, and here every revision is accepted.",
                    got=f'accept = "always", margin = {self.margin}',
                    expected='accept = "better", or no margin',
                    remedy="Leave out one of them.",
                )
            )
        if self.accept == "always" and (self.patience or self.base == "best"):
            raise SettingsError(
                explain(
                    "The best version so far, and patience, need a test of what is better, and here every revision is accepted.",
                    got=f'accept = "always", base = {self.base!r}, patience = {self.patience}',
                    expected='accept = "better"',
                    remedy="Leave out one of them.",
                )
            )

    @property
    def needs_verifier(self) -> bool:
        told_of_it = self.rounds > 0 and (
            self.feedback != "request" or self.contrast or self.accept == "better" or self.ties == "redraw"
        )
        return told_of_it or self.choose == "best" or self.threshold is not None

    def check_verifier(self, spec: ScoreSpec | None) -> None:
        if spec is not None and spec.relative and self.needs_verifier:
            raise Incompatible(
                explain(
                    f"{self.name()!r} compares scores of different rounds, and this verifier only compares candidates of one round.",
                    got="relative scores",
                    expected="a verifier whose scores keep their meaning, such as 'judge'",
                    remedy="Use another verifier, or 'best-of-n' with this one.",
                )
            )

    async def init(self, run: Run, key: Key) -> Chains:
        versions = Versions.fresh(await run.start(self.n, key), np.arange(self.n))
        nothing = np.zeros(self.n, np.int64)
        return Chains(versions, np.arange(self.n), nothing, nothing, nothing, np.zeros(self.n, bool))

    async def step(self, state: Chains, run: Run, key: Key) -> Chains:
        if state.versions.batch.alive.any():
            versions = await state.versions.finish(run, key, scored=self.needs_verifier)
            state = await self._settle(replace(state, versions=versions), run)
        else:
            state = await self._settle(await self._revise(state, run, key), run)
        if self.done(state):
            self._tell(state, run)
        return state

    def done(self, state: Chains) -> bool:
        return not state.versions.batch.alive.any() and not state.going.any()

    def answer(self, state: Chains) -> Answer:
        versions = state.versions
        if self.choose == "best":
            return versions.best()
        standing = np.zeros(len(versions), bool)
        standing[state.current] = True
        elected = versions.elect(standing if self.choose == "last" else versions.batch.finished)
        return elected if elected.chosen is not None else versions.newest(state.current)

    async def _revise(self, state: Chains, run: Run, key: Key) -> Chains:
        """One revision of the chains that are furthest behind, so that a budget that ends leaves nobody out."""
        going = state.going
        at = np.flatnonzero(going & (state.tried == state.tried[going].min()))
        if self.ties == "redraw" and not self._directed(state, at, run):
            drawn = Versions.fresh(await run.start(len(at), key), at)
            return self._tried(replace(state, versions=state.versions.join(drawn)), at)
        batch = state.versions.batch.take(state.current[at])
        moved = await run.revise(batch, self._feedback(state, at, run), key, scored=self.needs_verifier)
        new = np.flatnonzero(moved.moved)
        versions = state.versions.join(Versions.fresh(moved.batch.take(new), at[new]))
        # A revision that failed is used up; its chain keeps the version it had.
        return self._tried(replace(state, versions=versions), at[moved.moved | moved.batch.failed])

    def _tried(self, state: Chains, at: IntArray) -> Chains:
        tried, stale = state.tried.copy(), state.stale.copy()
        tried[at] += 1
        stale[at] += 1
        return replace(state, tried=tried, stale=stale)

    async def _settle(self, state: Chains, run: Run) -> Chains:
        """Judge the versions that have just been finished, accept or not, and stop chains that are through."""
        versions = state.versions
        fresh = np.flatnonzero(~versions.settled & ~versions.batch.alive)
        if self.needs_verifier and self.judge_again:
            versions = await versions.judge(fresh, run)
        if self.unchanged or self.choose != "best" or not self.judge_again:
            versions = replace(versions, group=group_of(await run.answer_keys(versions.batch)))
        if self.needs_verifier and not self.judge_again:
            versions = await versions.judge_once(fresh, run)
        ended = fresh[versions.batch.finished[fresh]]
        # A chain's first version is what it stands at from the beginning.
        later = ended[state.current[versions.chain[ended]] != ended]
        state = self._compared(replace(state, versions=versions), later)
        state = self._accepted(state, ended) if self.base == "best" else self._accepted_by_chain(state, later)
        settled = versions.settled.copy()
        settled[fresh] = True
        state = replace(state, versions=replace(versions, settled=settled))
        return replace(state, stopped=self._stopped(state))

    def _compared(self, state: Chains, later: IntArray) -> Chains:
        """Count, for the chains of the versions at `later`, [m], how often in a row their answer stayed the same."""
        versions, same = state.versions, state.same.copy()
        for i in later.tolist():
            chain = int(versions.chain[i])
            alike = versions.group[i] != ABSTAINS and versions.group[i] == versions.group[state.current[chain]]
            same[chain] = same[chain] + 1 if alike else 0
        return replace(state, same=same)

    def _accepted_by_chain(self, state: Chains, later: IntArray) -> Chains:
        """Each chain goes on from its new version, if that is accepted."""
        score, current, stale = state.versions.score, state.current.copy(), state.stale.copy()
        for i in later.tolist():
            chain = int(state.versions.chain[i])
            if self.accept == "always" or self._is_better(score[i], score[current[chain]]):
                current[chain], stale[chain] = i, 0
        return replace(state, current=current, stale=stale)

    def _accepted(self, state: Chains, ended: IntArray) -> Chains:
        """All chains go on from the best of the versions that have just ended, [m], if it is better; the first of them on ties."""
        if len(ended) == 0:
            return state
        versions = state.versions
        best = int(ended[np.argmax(np.where(np.isnan(versions.score[ended]), -np.inf, versions.score[ended]))])
        standing = (versions.settled & versions.batch.finished).any()
        if standing and not self._is_better(versions.score[best], versions.score[state.current[0]]):
            return state
        return replace(state, current=np.full(self.n, best), stale=np.zeros(self.n, np.int64))

    def _tell(self, state: Chains, run: Run) -> None:
        """What stopping chains whose answers no longer changed has saved, by the mean cost of the revisions made (spec 06)."""
        idle = (state.same >= self.unchanged) & (state.tried < self.rounds) if self.unchanged else state.stopped & False
        spared, made = int((self.rounds - state.tried[idle]).sum()), int(state.tried.sum())
        spent = run.session.ledger.bill().by_role.get("refine")
        if spared and made and spent is not None:
            run.warn(
                f"{int(idle.sum())} of {self.n} chains no longer changed their answer and were stopped: {spared} revisions were saved, "
                f"about {round(spared * spent.tokens / made)} tokens."
            )
        if self.patience and (state.stale >= self.patience).all() and (state.tried < self.rounds).any():
            run.warn(
                f"None of the last {self.patience} revisions of each chain was accepted: what is told seems to carry "
                "no direction (equal or noisy scores, or a model that ignores it). 'best-of-n' may use the rest of the budget better."
            )

    def _stopped(self, state: Chains) -> BoolArray:
        stopped = state.stopped | (state.tried >= self.rounds)
        if self.threshold is not None:
            stopped |= state.score >= self.threshold
        if self.patience:
            stopped |= state.stale >= self.patience
        return stopped | (state.same >= self.unchanged) if self.unchanged else stopped

    def _is_better(self, new: float, old: float) -> bool:
        """No opinion is never better, and any score is better than none."""
        return not np.isnan(new) and bool(np.isnan(old) or new > old + self.margin)

    def _directed(self, state: Chains, at: IntArray, run: Run) -> bool:
        """Whether there is something to tell: scores that differ, or something said of an answer that would be revised."""
        known = state.versions.score[~np.isnan(state.versions.score)]
        notes = self._notes(state.versions, run)
        return bool(len(known) and known.min() < known.max()) or any(notes[i] for i in state.current[at].tolist())

    def _notes(self, versions: Versions, run: Run) -> list[str]:
        """What may be told of each version, [m]; nothing of what a verifier says that reads the right answer."""
        spec = run.verifier.spec if run.verifier is not None and self.needs_verifier else None
        if spec is None or not spec.tells_notes:
            return [""] * len(versions)
        notes = run.notes(versions.batch)
        return notes if self.judge_again else versions.said_of_equals(notes)

    def _feedback(self, state: Chains, at: IntArray, run: Run) -> list[str]:
        spec = run.verifier.spec if run.verifier is not None and self.needs_verifier else None
        versions = state.versions
        notes = self._notes(versions, run)
        known = np.flatnonzero(~np.isnan(versions.score))
        ends: tuple[Standing, ...] = ()
        if self.contrast and len(known):
            scores = versions.score[known]
            best, worst = int(known[np.argmax(scores)]), int(known[np.argmin(scores)])
            if versions.score[best] > versions.score[worst]:
                ends = tuple(Standing(float(versions.score[i]), notes[i]) for i in (best, worst))
        return [
            told(self.request, self.feedback, Standing(float(versions.score[i]), notes[i]), spec, ends)
            for i in state.current[at].tolist()
        ]
