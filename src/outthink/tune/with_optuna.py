"""Optuna's samplers as ways of choosing what to measure next: another opinion, and the baseline that ours is held against.

    tuned = await tune(objective, candidates, space, tuning, key=key, strategy=OptunaStrategy("tpe"))
    sampler = OptunaOptimizer(space, Key(1), "tpe")          # ask and tell, for plain functions

Optuna knows nothing of questions, of shared samples or of prices: it is told the mean over all questions, as its users tell it. A candidate
that it asks for again is not measured again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, cast

import numpy as np

from outthink.core.errors import Incompatible, explain
from outthink.core.key import Key
from outthink.tune.choosing import Proposal
from outthink.tune.space import Choice, Config, Space, Value, Whole, frozen
from outthink.tune.tuner import on_everything

if TYPE_CHECKING:
    import optuna

    from outthink.tune.ground import Ground

Sampler = Literal["tpe", "gp", "cma-es", "random"]
SAMPLERS: dict[str, Sampler] = {"tpe": "tpe", "gp": "gp", "cma-es": "cma-es", "random": "random"}
TRIES = 200
"""Candidates that Optuna may ask for again before it is taken to have nothing new to ask."""


def _optuna() -> None:
    try:
        import optuna as found
    except ImportError:
        raise Incompatible(
            explain(
                "Optuna is not installed.",
                got="no package optuna",
                expected="the extra 'tune'",
                remedy="pip install 'outthink[tune]'",
            )
        ) from None
    found.logging.set_verbosity(found.logging.WARNING)


def _sampler(name: Sampler, seed: int) -> optuna.samplers.BaseSampler:
    import optuna

    made: dict[str, type[optuna.samplers.BaseSampler]] = {
        "tpe": optuna.samplers.TPESampler,
        "gp": optuna.samplers.GPSampler,
        "cma-es": optuna.samplers.CmaEsSampler,
        "random": optuna.samplers.RandomSampler,
    }
    return made[name](seed=seed)  # type: ignore[call-arg]


class OptunaOptimizer:
    """Ask and tell over a space, with Optuna's defaults. `values`: candidates may be restricted to these for each setting."""

    def __init__(
        self, space: Space, key: Key, sampler: Sampler = "tpe", *, values: dict[str, Sequence[Value]] | None = None
    ) -> None:
        _optuna()
        import optuna

        self.space, self._values = space, values or {}
        self._study = optuna.create_study(direction="maximize", sampler=_sampler(sampler, int(key.seeds(1)[0]) % 2**31))
        self._open: dict[tuple[tuple[str, Value], ...], list[optuna.trial.Trial]] = {}

    def ask(self) -> dict[str, Value]:
        """The next configuration."""
        trial = self._study.ask()
        config: dict[str, Value] = {}
        for name, dimension in self.space.dimensions.items():
            if not self.space.active(name, config):
                continue
            if name in self._values:
                config[name] = cast("Value", trial.suggest_categorical(name, list(self._values[name])))
            elif isinstance(dimension, Choice):
                config[name] = cast("Value", trial.suggest_categorical(name, list(dimension.values)))
            elif isinstance(dimension, Whole):
                config[name] = trial.suggest_int(name, dimension.low, dimension.high, log=dimension.log)
            else:
                config[name] = trial.suggest_float(name, dimension.low, dimension.high, log=dimension.log)
        self._open.setdefault(frozen(config), []).append(trial)
        return config

    def tell(self, config: Config, value: float | None) -> None:
        """What came out; None: it failed."""
        import optuna

        waiting = self._open.get(frozen(config), [])
        if waiting:
            state = optuna.trial.TrialState.FAIL if value is None else optuna.trial.TrialState.COMPLETE
            self._study.tell(waiting.pop(0), value, state=state)


class OptunaStrategy:
    """One of Optuna's samplers over a finite set of candidates, each measured on all questions at once."""

    def __init__(self, sampler: Sampler = "tpe") -> None:
        self.sampler: Sampler = sampler
        self._optimizer: OptunaOptimizer | None = None
        self._told = 0

    def __call__(self, ground: Ground, key: Key) -> Proposal | None:
        space = ground.space
        if self._optimizer is None:
            values: dict[str, Sequence[Value]] = {
                name: list(dict.fromkeys(config[name] for config in ground.candidates if name in config))
                for name in space.dimensions
            }
            self._optimizer = OptunaOptimizer(space, key, self.sampler, values=values)
        for trial in ground.trials[self._told :]:
            self._optimizer.tell(trial.config, _mean(trial.values))
        self._told = len(ground.trials)
        if not ground.trials and ground.tuning.first is not None:
            return on_everything(ground, ground.tuning.first)
        places = {frozen(config): i for i, config in enumerate(ground.candidates)}
        tried = {frozen(trial.config): _mean(trial.values) for trial in ground.trials}
        for _ in range(TRIES):
            config = self._optimizer.ask()
            known = frozen(config)
            if known in tried or known not in places:
                self._optimizer.tell(config, tried.get(known))
                continue
            return on_everything(ground, places[known])
        return None


def _mean(values: dict[str, float]) -> float | None:
    return float(np.mean(list(values.values()))) if values else None
