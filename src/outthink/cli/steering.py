"""The work of `outthink steer`: what was asked for, put together, solved, written out.

All that needs torch lies behind `outthink.diffusion` and is imported when the command runs.
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from outthink.cli.lazy import INTERRUPTED
from outthink.cli.progress import Progress
from outthink.cli.steer_method import planned, solver_for
from outthink.cli.storage import open_or_warn, open_store
from outthink.core.cost import Budget
from outthink.core.cut import Cut
from outthink.core.errors import InputError, explain
from outthink.core.result import Result, Stop
from outthink.core.task import Task
from outthink.recipes.background import BACKGROUND

if TYPE_CHECKING:
    from outthink.diffusion.process import DenoisingProcess
    from outthink.diffusion.steering import Gallery
    from outthink.recipes.plan import Plan
    from outthink.store.stored import StoredRun

FAILED = 1
NO_ANSWER = 3
SCORES = "scores.csv"
OUTCOME = "result.json"
TYPED = "steer"
"""Under which a stored run keeps what was typed."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What was typed. `partial`: whether images are judged on the way."""

    model: str
    label: int | None
    prompt: str | None
    negative: str
    guidance: float | None
    reward: str
    partial: bool
    method: str
    n: int | None
    budget: Budget
    steps: int
    solver: str | None
    changes: tuple[str, ...]
    seed: int
    at_once: int | None

    @property
    def wish(self) -> str:
        """In words."""
        what = self.prompt or ("any class" if self.label is None else f"class {self.label}")
        return f"{self.model}: {what}; reward {self.reward}"


@dataclass(frozen=True)
class Ready:
    """What was asked for, its process, and the plan. `sample`: evaluations that one whole image costs."""

    asked: Asked
    process: DenoisingProcess
    plan: Plan
    sample: int

    @property
    def solver(self) -> str:
        """The name of the solver in use."""
        return self.process.solver.name()


def prepared(asked: Asked) -> Ready:
    """Open the model, find the reward, set the method. Raises what is wrong with any of them; spends nothing."""
    from outthink.core.solver import Search
    from outthink.diffusion.steering import judge_of, open_model, reward_by_name, solver_by_name
    from outthink.recipes.most import price

    chosen = None if asked.solver is None else solver_by_name(asked.solver)
    judge = reward_by_name(asked.reward, label=asked.label, partial=asked.partial, judge=lambda: judge_of(asked.model))
    model = open_model(
        asked.model,
        label=asked.label,
        prompt=asked.prompt,
        negative=asked.negative,
        guidance=asked.guidance,
        at_once=asked.at_once,
    )
    if chosen is None:
        chosen = solver_by_name(solver_for(asked.method))
    process = model.process(asked.steps, chosen)
    sample = BACKGROUND.run(lambda cut: price(process)).asked.denoiser_evals
    limit = asked.budget.denoiser_evals
    if limit is not None and limit < sample:
        raise InputError(
            explain(
                "The budget does not pay for one image.",
                got=f"{limit} denoiser evaluations",
                expected=f"at least {sample}: {asked.steps} steps of {process.network.evaluations} evaluations each",
                remedy=f"Say --budget {sample} or more, or fewer --steps.",
            )
        )
    plan = planned(
        asked.method,
        lambda task: process,
        judge,
        budget=asked.budget,
        n=asked.n,
        changes=asked.changes,
        steps=asked.steps,
        sample=sample,
    )
    Search(lambda task: process, plan.recipe.algorithm, judge).check(process)
    return Ready(asked, process, plan, sample)


def rehearse(ready: Ready, *, as_json: bool) -> None:
    """Print what would run, and the most that it can cost."""
    from outthink.recipes.build import build
    from outthink.recipes.most import Most, most

    async def work(cut: Cut) -> Most:
        async with build(ready.plan.recipe, live=ready.plan.live) as built:
            return await most(built, [Task()])

    bound = BACKGROUND.run(work).bounds["denoiser_evals"]
    evaluations = None if bound == float("inf") else int(bound)
    settings = msgspec.to_builtins(ready.plan.recipe.algorithm)
    document = _described(ready) | {"algorithm": settings, "one_image": ready.sample, "denoiser_evals": evaluations}
    if as_json:
        click.echo(msgspec.json.encode(document).decode())
        return
    for name, value in (document | {"algorithm": msgspec.json.encode(settings).decode()}).items():
        click.echo(f"{name.replace('_', ' ')}: {value}")


def solve(ready: Ready, out: Path | None, *, as_json: bool, where: str | None, keep: bool) -> int:
    """Solve, store unless `keep` is false, write the pictures, report; the exit status."""
    from outthink.recipes.solving import solve_task
    from outthink.recipes.stored import solve_and_store

    asked, folder = ready.asked, _folder(ready, out)
    task = Task(prompt=asked.wish, data=_described(ready) | {TYPED: msgspec.to_builtins(asked)})
    store = open_or_warn(where) if keep else None
    try:
        with Progress(asked.budget, 1) as progress:

            async def work(cut: Cut) -> Result:
                if store is None:
                    return await solve_task(ready.plan, task, seed=asked.seed, sinks=[progress], cut=cut)
                return await solve_and_store(ready.plan, task, store, seed=asked.seed, sinks=[progress], cut=cut)

            result = BACKGROUND.run(work)
    finally:
        if store is not None:
            store.close()
    outcome = _written(ready, result, folder, stored=store is not None)
    return _report(result, outcome, progress, folder, as_json=as_json)


def resume(
    name: str, out: Path | None, *, budget: Budget | None, as_json: bool, where: str | None, take_over: bool
) -> int:
    """Take up a stored search after its last step, with all that was typed when it began; the exit status. `budget`: new limits."""
    from outthink.recipes.stored import resume_stored

    with open_store(where) as store:
        found = store.run(name)
        ready = prepared(_typed(found))
        folder = _folder(ready, out)
        with Progress(budget or ready.asked.budget, 1) as progress:

            async def work(cut: Cut) -> Result:
                how: dict[str, Any] = {"budget": budget, "sinks": [progress], "cut": cut, "take_over": take_over}
                return await resume_stored(store, found.line.id, plan=ready.plan, **how)

            result = BACKGROUND.run(work)
    if budget is not None:
        ready = replace(ready, asked=msgspec.structs.replace(ready.asked, budget=budget))
    outcome = _written(ready, result, folder, stored=True)
    return _report(result, outcome, progress, folder, as_json=as_json)


def _typed(found: StoredRun) -> Asked:
    """What was typed when a stored run began. Raises `InputError` for a run of another command."""
    typed = found.task.data.get(TYPED)
    if typed is None:
        raise InputError(
            explain(
                f"Run {found.line.id} is no search for images.",
                got=f"a run of {found.line.method!r} that another command began",
                expected="one that `outthink steer` began",
                remedy=f"Try `outthink run --resume {found.line.id}`.",
            )
        )
    return msgspec.convert(typed, Asked)


def _report(result: Result, outcome: dict[str, Any], progress: Progress, folder: Path, *, as_json: bool) -> int:
    unjudged = _unjudged(result)
    for message in (*_shortened(progress.said), *result.degraded):
        click.echo(f"outthink: {message}", err=True)
    if as_json:
        click.echo(msgspec.json.encode(outcome).decode())
    elif outcome["images"] and unjudged < outcome["finished"]:
        click.echo(str(folder / outcome["images"][0]["file"]))
    stored = f"; stored as {outcome['run']}" if outcome["run"] else ""
    best = outcome["best"]
    score = "" if best is None else f"; best score {best:.4g} of {outcome['finished']} finished images"
    click.echo(f"{result.summary()}{score}; pictures in {folder}{stored}", err=True)
    if result.stop is Stop.INTERRUPTED:
        return INTERRUPTED
    if result.chosen is None:
        click.echo("outthink: no image was finished within the budget.", err=True)
        return NO_ANSWER
    if unjudged:
        click.echo(f"outthink: {_silence(unjudged, outcome)}", err=True)
    return FAILED if unjudged == outcome["finished"] else 0


def _unjudged(result: Result) -> int:
    """How many finished images have no score."""
    pairs = zip(result.candidates, result.scores, strict=True)
    return sum(one.final and score is None for one, score in pairs)


def _silence(unjudged: int, outcome: dict[str, Any]) -> str:
    got = f"no score for {unjudged} of {outcome['finished']} finished images"
    if unjudged < outcome["finished"]:
        return f"{got}: the reward {outcome['reward']!r} was nan or failed there, and they rank below all others."
    return explain(
        f"The reward {outcome['reward']!r} judged none of the images, so none is the best; all are kept.",
        got=got,
        expected="one number for each image",
        remedy="nan is no opinion: let the reward return a number for images [n, c, h, w] in [-1, 1], or say another --reward.",
    )


def _shortened(said: list[str]) -> list[str]:
    """Messages that differ in the member alone, once, with how many there were."""
    alike: dict[str, list[str]] = {}
    for message in said:
        alike.setdefault(re.sub(r"\bnode \d+", "node", message), []).append(message)
    return [first if not more else f"{first} (and {len(more)} more)" for first, *more in alike.values()]


def _written(ready: Ready, result: Result, folder: Path, *, stored: bool) -> dict[str, Any]:
    """Write pictures, scores and outcome, the chosen image first and then by score; the outcome."""
    from outthink.diffusion.steering import write_gallery

    order = sorted(range(len(result.candidates)), key=lambda i: (i != result.chosen, _rank(result.scores[i]), i))
    gallery = write_gallery(folder, [result.candidates[i].content for i in order])
    images = [_row(result, i, gallery, place) for place, i in enumerate(order)]
    best = None if result.chosen is None else result.scores[result.chosen]
    outcome = {
        **_described(ready),
        "best": best,
        "finished": sum(one.final for one in result.candidates),
        "stop": result.stop.value,
        "limit": result.limit,
        "denoiser_evals": result.cost.denoiser_evals,
        "judged": result.cost.verifier_calls,
        "seconds": round(result.seconds, 3),
        "run": result.run if stored else "",
        "log_evidence": result.log_evidence,
        "failures": [f"{failure.kind}: {failure.message}" for failure in result.failures],
        "sheet": "" if gallery.sheet is None else gallery.sheet.name,
        "images": images,
    }
    table = io.StringIO()
    writer = csv.DictWriter(table, ["file", "score", "weight", "finished", "chosen", "node"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(images)
    (folder / SCORES).write_text(table.getvalue(), encoding="utf-8")
    (folder / OUTCOME).write_bytes(msgspec.json.format(msgspec.json.encode(outcome)))
    return outcome


def _row(result: Result, i: int, gallery: Gallery, place: int) -> dict[str, Any]:
    one = result.candidates[i]
    return {
        "file": gallery.samples[place].name,
        "score": result.scores[i],
        "weight": result.weights[i],
        "finished": one.final,
        "chosen": i == result.chosen,
        "node": one.id,
    }


def _rank(score: float | None) -> float:
    return float("inf") if score is None else -score


def _described(ready: Ready) -> dict[str, Any]:
    """What was asked for, as plain data."""
    asked = ready.asked
    return {
        "model": asked.model,
        "class": asked.label,
        "prompt": asked.prompt,
        "guidance": asked.guidance,
        "reward": asked.reward,
        "method": ready.plan.recipe.algorithm.name(),
        "solver": asked.solver or ready.solver,
        "steps": asked.steps,
        "seed": asked.seed,
        "budget": asked.budget.limits(),
    }


def _folder(ready: Ready, out: Path | None) -> Path:
    """Where the pictures go, made before anything is spent. Raises `InputError`."""
    folder = out or Path("steered") / f"{ready.plan.recipe.algorithm.name()}-{ready.asked.seed}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / SCORES).touch()
    except OSError as error:
        raise InputError(
            explain(
                "The pictures cannot be written.",
                got=f"{folder}: {error.strerror}",
                expected="a folder that can be written",
                remedy="Choose another one with --out.",
            )
        ) from None
    return folder
