"""A laboratory for search: small problems with exact rules, and a language model of 1.4 million parameters that solves some of them.

    outthink run "12+7*3-5" --model laboratory
    standard(200, Key(1))                                   # held-out problems as tasks; `problems` for one kind
    follow, reachable, continuations, chance                # the exact value of every prefix
    await model_value(engine, question, prefix)             # ... and under the model

Two families: arithmetic chains, where an error stays, and Countdown, where a line can be true and still have lost the game. The model was
trained from nothing on two cores (`outthink train laboratory`), decodes thousands of tokens a second, and fails often enough for search
to show what it is worth. Its card lies beside its weights. For evaluation, draw held-out problems, with another seed than for tuning.
"""

from __future__ import annotations

from outthink.laboratory.chains import Chains
from outthink.laboratory.countdown import Countdown
from outthink.laboratory.family import Drawn, Family, Rules
from outthink.laboratory.model_value import ModelValue, model_value
from outthink.laboratory.oracle import LaboratoryOracle
from outthink.laboratory.problems import STANDARD, drawn, held_out, problems, rules_of, standard
from outthink.laboratory.value import Place, chance, continuations, follow, reachable, solved

__all__ = [
    "STANDARD",
    "Chains",
    "Countdown",
    "Drawn",
    "Family",
    "LaboratoryOracle",
    "ModelValue",
    "Place",
    "Rules",
    "chance",
    "continuations",
    "drawn",
    "follow",
    "held_out",
    "model_value",
    "problems",
    "reachable",
    "rules_of",
    "solved",
    "standard",
]
