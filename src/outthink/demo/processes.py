"""How the demonstration's problems are put to a language model: plain text, eight worked examples, one equation a line.

A model of 135 million parameters follows plain worked examples much better than its own chat template.
"""

from __future__ import annotations

from typing import Any

from outthink.core.component import Parts as Components
from outthink.core.process import Process
from outthink.core.task import Task
from outthink.demo.methods import Parts
from outthink.demo.plan import Plan
from outthink.demo.problems import KINDS, Kind, worked_examples
from outthink.engines.engine import Engine, Sampling
from outthink.text.settings import Text
from outthink.text.steppers import Delimiter
from outthink.verify.numeric import Numeric

ANSWER = Numeric()


def text(kind: Kind, plan: Plan, temperature: float, *, reply: int | None = None) -> Text:
    """The text settings of one kind of problem; a step is a line, an empty line ends the answer. `reply`: its most tokens."""
    return Text(
        format="plain",
        prompt="Question: {question}\n{answer}\n\n",
        examples=worked_examples(kind),
        stepper=Delimiter(text="\n", most=plan.step),
        stop=("\n\n",),
        sampling=Sampling(temperature=temperature),
        max_tokens=reply or plan.reply,
        thinking=None,
        log_probs=False,
    )


def parts_of(kind: str, plan: Plan, engine: Engine) -> Parts:
    """The processes of one kind of problem on this engine."""
    components = Components(engine=engine, answer=ANSWER)
    greedy, sampled = text(KINDS[kind], plan, 0.0), text(KINDS[kind], plan, plan.temperature)
    opening = text(KINDS[kind], plan, 0.0, reply=1)

    def greedily(task: Task) -> Process[Any]:
        return greedy.build(task, components)

    def freely(task: Task) -> Process[Any]:
        return sampled.build(task, components)

    def shortly(task: Task) -> Process[Any]:
        return opening.build(task, components)

    return Parts(greedily, freely, shortly, ANSWER.build(components))
