"""Verifiers, and what makes two answers the same.

Verifiers: `Exact` and `MathVerify` compare with the right answer; `MatchesRegex`, `JsonSchemaValid`, `Confidence` and `Arithmetic` need
none; `Combine` joins several; `as_verifier` takes any plain function. Answers: `Numeric`, `Symbolic`, `JsonFields`, `Plain` say how an
answer is found in a text and which are equal. `Judge` and `Pairwise` ask a model and are imported when they are first used, with the
engines that they may have of their own. If unsure: `Numeric` answers, and `Arithmetic` for work that is written out.

Importing this package loads nothing heavy: sympy and jsonschema are only ever imported by the worker processes that use them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from outthink.verify.aggregated import Aggregated, AtEnd
from outthink.verify.arithmetic import Arithmetic
from outthink.verify.confidence import Confidence
from outthink.verify.exact import Exact, ExactVerifier
from outthink.verify.finders import Boxed, Finder, Marked, Pattern, Usual, WholeText
from outthink.verify.functions import FunctionVerifier, as_verifier
from outthink.verify.json_fields import JsonFields
from outthink.verify.json_schema_valid import JsonSchemaValid
from outthink.verify.matches_regex import MatchesRegex
from outthink.verify.math_verify import MathVerifier, MathVerify
from outthink.verify.numeric import Numeric
from outthink.verify.plain import Plain
from outthink.verify.pool import WorkerPool, workers
from outthink.verify.symbolic import Symbolic, SymbolicEquivalence

if TYPE_CHECKING:
    from outthink.verify.code import Code, CodeVerifier
    from outthink.verify.combine import Combine, Combined
    from outthink.verify.embedded_reward_model import EmbeddedRewardModel
    from outthink.verify.ensemble import Ensemble, Ensembled
    from outthink.verify.judge import Judge, ModelJudge
    from outthink.verify.pairwise import Pairwise, PairwiseJudge
    from outthink.verify.reward_formats import RewardFormat, built_in_formats
    from outthink.verify.reward_head import RewardHead
    from outthink.verify.reward_model import RewardModel
    from outthink.verify.rubrics import Numbers, Rubric, Words, built_in_rubrics
    from outthink.verify.scoring_server import ScoringServer
    from outthink.verify.self_evaluation import SelfEvaluation, SelfEvaluator
    from outthink.verify.self_evaluation_questions import SelfQuestion, built_in_questions
    from outthink.verify.tournament import Knockout, KnockoutJudge

__all__ = [
    "Aggregated",
    "Arithmetic",
    "AtEnd",
    "Boxed",
    "Code",
    "CodeVerifier",
    "Combine",
    "Combined",
    "Confidence",
    "EmbeddedRewardModel",
    "Ensemble",
    "Ensembled",
    "Exact",
    "ExactVerifier",
    "Finder",
    "FunctionVerifier",
    "JsonFields",
    "JsonSchemaValid",
    "Judge",
    "Knockout",
    "KnockoutJudge",
    "Marked",
    "MatchesRegex",
    "MathVerifier",
    "MathVerify",
    "ModelJudge",
    "Numbers",
    "Numeric",
    "Pairwise",
    "PairwiseJudge",
    "Pattern",
    "Plain",
    "RewardFormat",
    "RewardHead",
    "RewardModel",
    "Rubric",
    "ScoringServer",
    "SelfEvaluation",
    "SelfEvaluator",
    "SelfQuestion",
    "Symbolic",
    "SymbolicEquivalence",
    "Usual",
    "WholeText",
    "Words",
    "WorkerPool",
    "as_verifier",
    "built_in_formats",
    "built_in_questions",
    "built_in_rubrics",
    "workers",
]

_HOMES = {
    "Code": "code",
    "CodeVerifier": "code",
    "Combine": "combine",
    "Combined": "combine",
    "EmbeddedRewardModel": "embedded_reward_model",
    "Ensemble": "ensemble",
    "Ensembled": "ensemble",
    "built_in_questions": "self_evaluation_questions",
    "SelfQuestion": "self_evaluation_questions",
    "SelfEvaluator": "self_evaluation",
    "SelfEvaluation": "self_evaluation",
    "Judge": "judge",
    "Knockout": "tournament",
    "KnockoutJudge": "tournament",
    "ModelJudge": "judge",
    "Numbers": "rubrics",
    "Pairwise": "pairwise",
    "PairwiseJudge": "pairwise",
    "RewardFormat": "reward_formats",
    "RewardHead": "reward_head",
    "RewardModel": "reward_model",
    "Rubric": "rubrics",
    "ScoringServer": "scoring_server",
    "Words": "rubrics",
    "built_in_formats": "reward_formats",
    "built_in_rubrics": "rubrics",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'outthink.verify' has no attribute {name!r}")
    return getattr(import_module(f"outthink.verify.{_HOMES[name]}"), name)
