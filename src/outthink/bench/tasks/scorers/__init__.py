"""Who says whether an answer is right: one class for each kind of answer, each as strict as the accepted practice of its tasks.

    Number(gold=Fraction(42))(candidate)      # True where the candidate gives 42 as its answer, not where it mentions 42

Every one looks for the answer where it was asked to be given: in the last box, else after the last marker ("####", "answer is",
"answer:"), else in a last line that is nothing but an answer. What it cannot tell (a marker that hangs, a sandbox that breaks) is an error,
never a wrong answer.
"""

from outthink.bench.tasks.scorers.choices import Choice, Label
from outthink.bench.tasks.scorers.expressions import CountdownLines, Expression
from outthink.bench.tasks.scorers.formulas import Formula
from outthink.bench.tasks.scorers.generated import Generated
from outthink.bench.tasks.scorers.numbers import Number
from outthink.bench.tasks.scorers.programs import Program
from outthink.bench.tasks.scorers.queries import QueryResult
from outthink.bench.tasks.scorers.scorer import Scorer
from outthink.bench.tasks.scorers.words import Words

__all__ = [
    "Choice",
    "CountdownLines",
    "Expression",
    "Formula",
    "Generated",
    "Label",
    "Number",
    "Program",
    "QueryResult",
    "Scorer",
    "Words",
]
