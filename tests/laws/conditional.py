"""Many conditional sweeps at once, each beside a reference drawn exactly from the target: what the invariance laws count."""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace

import numpy as np

from outthink.core import Batch, Run, Session
from outthink.core.key import Key
from outthink.numerics.types import FloatArray, IntArray
from outthink.search.lineage import Kept, Steps
from outthink.search.sweeping import Sweeping
from outthink.search.twists import Twisted
from outthink.testing import FunctionOfContent, Strings, TokenChain

NODES = 1 << 40
"""Where the given references are numbered from: far from what a run numbers itself."""


def references(chain: TokenChain, texts: list[str], algorithm: Sweeping, verifier: FunctionOfContent) -> Kept:
    """The paths of finished texts, one a chain, as a sweep would have kept them."""
    rows: list[tuple[str, bool]] = [(text[:t], t == len(text)) for text in texts for t in range(len(text) + 1)]
    symbols = np.full((len(rows), chain.length), -1, np.int64)
    for row, (prefix, _) in enumerate(rows):
        symbols[row, : len(prefix)] = [chain.alphabet.index(symbol) for symbol in prefix]
    level = np.array([len(prefix) for prefix, _ in rows])
    done = np.array([ended for _, ended in rows])
    states = Strings(level, done, symbols, np.zeros(len(rows)))
    batch = Batch(chain, states, NODES + np.arange(len(rows)), level, done, np.zeros(len(rows), bool))
    score = np.array([verifier._function(prefix) if prefix else math.nan for prefix, _ in rows])
    steps = replace(Steps.starts(batch, algorithm.twist.start()), score=score, parent=np.where(level == 0, -1, 0))
    log_twist, memory = steps.log_twist.copy(), steps.memory.copy()
    for row in np.flatnonzero(level > 0).tolist():
        before = Twisted(log_twist[row - 1 : row], memory[row - 1 : row])
        after = algorithm.twist.update(before, score[row : row + 1], done[row : row + 1])
        log_twist[row], memory[row] = after.log_twist[0], after.memory[0]
    ends = np.cumsum([len(text) + 1 for text in texts])
    return Kept(replace(steps, log_twist=log_twist, memory=memory), np.concatenate([[0], ends]))


def swept(
    algorithm: Sweeping, chain: TokenChain, verifier: FunctionOfContent, given: list[str], seed: int
) -> list[str]:
    """What each chain keeps at the end: after one sweep beside the texts given, one a chain; after all of them where none are given."""

    async def work() -> list[str]:
        session = Session.open(seed=seed)
        run = Run(chain, session, verifier=verifier)
        state = await algorithm.init(run, run.key.child("init"))
        if given:
            # The sweep that begins now is the last one: it has references.
            state = replace(state, sweep=algorithm.sweeps - 1, kept=references(chain, given, algorithm, verifier))
            state = await algorithm._begin(state, run, run.key.child("begin"))
        steps = 0
        while not algorithm.done(state):
            state = await algorithm.step(state, run, run.key.child("step", steps))
            steps += 1
        session.close()
        return chain.texts(state.kept.ends().batch.states)

    return asyncio.run(work())


def drawn(posterior: dict[str, float], n: int, key: Key) -> list[str]:
    """n texts from a law."""
    texts = list(posterior)
    return [texts[i] for i in key.rng().choice(len(texts), n, p=list(posterior.values()))]


def counted(texts: list[str], posterior: dict[str, float]) -> IntArray:
    """How often each text of the law came, in its order."""
    return np.array([texts.count(text) for text in posterior])


def chi_square(counts: IntArray, probabilities: FloatArray) -> float:
    """Pearson's statistic; its degrees of freedom are one less than the cells."""
    expected = counts.sum() * probabilities
    return float(((counts - expected) ** 2 / expected).sum())
