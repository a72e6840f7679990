"""Tuning: which recipe is worth most for a task and a budget, and how much of what is known of that is noise.

    study = await study_of(read_problem("countdown"), folder, cut=Cut())                    # a whole study, as `outthink tune` runs it
    tuned = await tune(objective, candidates, space, Tuning(tokens=1e6), key=Key(1))        # any objective on questions
    optimizer = Optimizer(space, Key(1))                                                    # any function, by ask and tell

If unsure: `outthink tune`. Surrogates and rules are in `posterior`, `acquisition` and `envelope`; BoTorch's rules in `with_botorch`,
Optuna's samplers in `with_optuna`.
"""

from outthink.tune.ground import Believed, Ground, Trial, Tuning
from outthink.tune.mini import Mini
from outthink.tune.objective import Measured, Objective
from outthink.tune.optimizer import Best, Optimizer
from outthink.tune.problem import Problem, presets, read_problem
from outthink.tune.recorded import Recorded
from outthink.tune.space import Choice, Config, Real, Space, Whole
from outthink.tune.study import Judged, Study, study_of
from outthink.tune.tuner import Strategy, Tuned, gaussian_process, random_search, tune
from outthink.tune.writing import write

__all__ = [
    "Believed",
    "Best",
    "Choice",
    "Config",
    "Ground",
    "Judged",
    "Measured",
    "Mini",
    "Objective",
    "Optimizer",
    "Problem",
    "Real",
    "Recorded",
    "Space",
    "Strategy",
    "Study",
    "Trial",
    "Tuned",
    "Tuning",
    "Whole",
    "gaussian_process",
    "presets",
    "random_search",
    "read_problem",
    "study_of",
    "tune",
    "write",
]
