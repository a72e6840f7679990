"""What a request changes about its recipe: settings of its own within the ceilings, and what this model's engine has no way to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from outthink.core.algorithm import Algorithm
from outthink.core.settings import replace as changed
from outthink.core.task import Message, Task
from outthink.engines.engine import Continuation, Engine, JsonSchema
from outthink.pipeline import Pipeline
from outthink.recipes.recipe import Recipe
from outthink.serve.asking import Ask, least
from outthink.serve.catalogue import Entry
from outthink.serve.configuration import Ceilings
from outthink.serve.refusal import Refusal, refused
from outthink.text.settings import Text
from outthink.text.steppers import Whole


def prepared(ask: Ask, entry: Entry, ceilings: Ceilings) -> Recipe:
    """The recipe of this request, as far as it can be told without the engine. Raises `Refusal`."""
    text = entry.text
    if isinstance(entry.recipe.algorithm, Pipeline):
        for field, there in (("tools", ask.tools is not None), ("logprobs", ask.log_probs)):
            if there:
                raise refused(field, f"{entry.name!r} is a pipeline: its answer is put together from many replies.")
    sampling = changed(text.sampling, **ask.sampling) if ask.sampling else text.sampling
    most = ask.max_tokens if ask.max_tokens is not None else min(text.max_tokens, ceilings.max_tokens)
    text = changed(text, sampling=sampling, max_tokens=most, least_tokens=min(text.least_tokens, most))
    if ask.stop:
        text = changed(text, stop=tuple(dict.fromkeys((*text.stops, *ask.stop))))
    if isinstance(ask.prompt, str):
        text = changed(text, format="plain", prompt="{question}", system="", examples=(), stop=ask.stop)
    elif text.format == "plain" and (len(ask.prompt) > 1 or ask.prompt[0].role != "user"):
        raise refused(ask.prompt_field, f"{entry.name!r} takes one question: a single message of the user.")
    if ask.log_probs and not text.log_probs:
        text = changed(text, log_probs=True)
    if ask.tools is not None:
        # A call is one reply; half of one cannot be continued.
        text = changed(text, stepper=Whole())
    budget = least(entry.recipe.budget, ask.options.budget, ceilings.budget)
    return replace(entry.recipe, process=text, algorithm=_sized(ask, entry, ceilings), budget=budget)


def _sized(ask: Ask, entry: Entry, ceilings: Ceilings) -> Algorithm[Any]:
    algorithm = entry.recipe.algorithm
    size = getattr(algorithm, "n", None) if "n" in algorithm.__struct_fields__ else None
    wanted = ask.options.n or (max(size, ask.n) if isinstance(size, int) else None)
    if wanted is None:
        return algorithm
    if size is None:
        raise refused("outthink.n", f"The method of {entry.name!r} has no size n.")
    if wanted < ask.n:
        raise refused("n", f"{ask.n} answers do not come out of a search of {wanted}.")
    if wanted > ceilings.n:
        raise refused("n", f"A search has at most {ceilings.n} members here.")
    return changed(algorithm, n=wanted)


def check_able(ask: Ask, engine: Engine, recipe: Recipe) -> None:
    """Refuse what this model's engine has no way to do. Raises `Refusal`."""
    able = engine.capabilities
    if not recipe.algorithm.whole_samples and Continuation.TOKENS not in able.continuations:
        for name in ("presence_penalty", "frequency_penalty"):
            if ask.sampling.get(name):
                raise refused(
                    name, "This model's server would count it anew in each step. Ask for a method of whole answers."
                )
    if ask.log_probs and not able.log_probs:
        raise refused("logprobs", "The server of this model returns none.")
    if ask.tools is not None and not able.tools:
        raise refused("tools", "The engine of this model has no tools.")
    if not isinstance(ask.prompt, str) and any(m.more for m in ask.prompt) and not able.tools:
        raise refused(ask.prompt_field, "The engine of this model has no tools, so no message can be about them.")
    if isinstance(ask.prompt, str) and not {Continuation.TOKENS, Continuation.COMPLETION} & set(able.continuations):
        raise refused(ask.prompt_field, "The server of this model continues no raw text. Use /v1/chat/completions.")


def asked(ask: Ask, recipe: Recipe, engine: Engine, data: Mapping[str, Any]) -> tuple[Recipe, Task]:
    """The recipe and task as the engine gets them: a form is enforced where that is possible, and asked for in words where not."""
    text, prompt = recipe.process, ask.prompt
    if not isinstance(text, Text):
        raise Refusal(400, "This recipe generates no text.", param="model")
    if ask.form is not None:
        constrained = engine.capabilities.constraints and recipe.algorithm.whole_samples and ask.tools is None
        if constrained:
            text = changed(text, constraint=JsonSchema(document=ask.form.document))
        elif not isinstance(prompt, str):
            prompt = _with_system(prompt, ask.form.instruction)
    if not isinstance(prompt, str) and text.format == "chat" and text.system and prompt[0].role == "system":
        # Templates take one system message.
        prompt = (Message("system", f"{text.system}\n\n{prompt[0].content}"), *prompt[1:])
        text = changed(text, system="")
    if not isinstance(prompt, str) and text.format == "plain":
        prompt = str(prompt[-1].content)
    return replace(recipe, process=text), Task(prompt=prompt, data=data)


def _with_system(messages: tuple[Message, ...], said: str) -> tuple[Message, ...]:
    if messages[0].role == "system":
        return (Message("system", f"{messages[0].content}\n\n{said}"), *messages[1:])
    return (Message("system", said), *messages)
