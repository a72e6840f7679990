"""What the demonstration runs: the methods, their settings, and the budget. Data only.

Everything here was chosen on problems of another seed (`CHOSEN_ON`); the problems that are counted were never looked at for it.
"""

from __future__ import annotations

from dataclasses import dataclass

from msgspec import structs

from outthink.core.cost import Budget
from outthink.core.settings import NonNegativeFloat, Positive, Settings
from outthink.demo.problems import Kind
from outthink.search.best_of_n import BestOfN
from outthink.search.particle_filter import ParticleFilter
from outthink.search.vote import Vote
from outthink.verify.arithmetic import Arithmetic

CHOSEN_ON = 1000
"""The seed of the problems on which the range of the numbers, the wording and the settings were chosen."""

JUDGE_LABEL = "knows arithmetic, not the problem"


class Plan(Settings):
    """One run of the demonstration.

    Attributes:
        kinds: which problems, by name.
        problems: of each kind. `together`: how many are worked on at the same time, so that the engine's batch stays full.
        members: samples that vote and best-of-n choose from, and particles of the filter.
        reply: the most tokens of one answer. `step`: the most of one line.
        question: prompt tokens of one request that the engine may have to compute: the question, not the worked examples before it.
    """

    kinds: tuple[str, ...] = ("sums",)
    problems: Positive = 40
    together: Positive = 8
    members: Positive = 16
    temperature: NonNegativeFloat = 0.8
    reply: Positive = 40
    step: Positive = 20
    question: Positive = 24
    seed: int = 1

    @property
    def budget(self) -> Budget:
        """The limit for one problem by one method: every member's full reply, and its question."""
        return Budget(tokens=self.members * (self.reply + self.question))


FULL = Plan()
QUICK = Plan(problems=8, members=8)
MORE = ("sums", "gcd", "products")


def plan(*, quick: bool, more: bool, seed: int) -> Plan:
    """The plan that the command line's options ask for."""
    base = QUICK if quick else FULL
    return structs.replace(base, seed=seed, kinds=MORE if more else base.kinds)


@dataclass(frozen=True)
class Method:
    """One row of the table.

    Attributes:
        name: the search method's own name, "greedy" for one sample at temperature 0.
        judged: whether it is given the checker. `replays`: whether it chooses from the stored samples.
    """

    name: str
    title: str
    judged: bool = False
    replays: bool = False

    def titled(self, members: int) -> str:
        """The title with the number of members in it."""
        return self.title.format(n=members)


METHODS = (
    Method("greedy", "greedy, one answer"),
    Method("vote", "majority vote of {n}", replays=True),
    Method("best-of-n", "best of {n}", judged=True, replays=True),
    Method("particle-filter", "particle filter, {n} members", judged=True),
)
BASELINES = ("greedy", "vote", "best-of-n")


def judge(kind: Kind) -> Arithmetic:
    """The checker of one kind of problems: it never sees a question or its answer."""
    return Arithmetic(check_answer=kind.ends_in_answer)


def vote(plan: Plan) -> Vote:
    """Majority vote over the stored samples."""
    return Vote(n=plan.members)


def best_of_n(plan: Plan) -> BestOfN:
    """Best-of-n over the stored samples."""
    return BestOfN(n=plan.members)


def particle_filter(plan: Plan) -> ParticleFilter:
    """The filter, with every setting at its default."""
    return ParticleFilter(n=plan.members)


one_sample = Vote(n=1)
"""One whole answer; a vote of one needs no checker."""
