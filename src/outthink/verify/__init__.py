"""Verifiers, and what makes two answers the same.

Verifiers: `Exact` and `MathVerify` compare with the right answer; `MatchesRegex`, `JsonSchemaValid`, `Confidence` and `Arithmetic` need
none; `Combine` joins several; `as_verifier` takes any plain function. Answers: `Numeric`, `Symbolic`, `JsonFields`, `Plain` say how an
answer is found in a text and which are equal. If unsure: `Numeric` answers, and `Arithmetic` for work that is written out.

Importing this package loads nothing heavy: sympy and jsonschema are only ever imported by the worker processes that use them.
"""

from outthink.verify.arithmetic import Arithmetic
from outthink.verify.combine import Combine, Combined
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

__all__ = [
    "Arithmetic",
    "Boxed",
    "Combine",
    "Combined",
    "Confidence",
    "Exact",
    "ExactVerifier",
    "Finder",
    "FunctionVerifier",
    "JsonFields",
    "JsonSchemaValid",
    "Marked",
    "MatchesRegex",
    "MathVerifier",
    "MathVerify",
    "Numeric",
    "Pattern",
    "Plain",
    "Symbolic",
    "SymbolicEquivalence",
    "Usual",
    "WholeText",
    "WorkerPool",
    "as_verifier",
    "workers",
]
