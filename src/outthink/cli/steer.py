"""`outthink steer`: images from a diffusion or flow model, searched for what a reward likes."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from outthink.cli.storage import store_option
from outthink.core.cost import Budget

DEFAULT_STEPS = 24


@click.command()
@click.option(
    "--model",
    metavar="NAME",
    default="digits-diffusion",
    show_default=True,
    help="A model of the laboratory, or the folder of a pipeline of diffusers.",
)
@click.option(
    "--class", "label", type=click.IntRange(min=0), metavar="N", help="The class to draw, where the model has any."
)
@click.option("--prompt", metavar="TEXT", help="What to draw, for text-to-image models.")
@click.option("--negative", metavar="TEXT", default="", help="What not to draw.")
@click.option("--guidance", type=click.FloatRange(min=0), metavar="SCALE", help="How far class or prompt move it.")
@click.option(
    "--reward",
    metavar="NAME",
    help="Who judges: class:3, brightness, symmetry, compressibility, or FILE.py:FUNCTION.  [default: class with --class, "
    "else symmetry]",
)
@click.option("--final-only", is_flag=True, help="Judge finished images only, none on the way.")
@click.option("--method", metavar="NAME", default="particle-filter", show_default=True, help="A method or a recipe.")
@click.option("--n", type=int, metavar="N", help="The method's own size.  [default: what the budget pays for]")
@click.option(
    "--budget", metavar="LIMITS", default="384", show_default=True, help="Denoiser evaluations, or LIMITS as in run."
)
@click.option("--steps", type=click.IntRange(min=1), default=DEFAULT_STEPS, show_default=True, help="Denoising steps.")
@click.option("--solver", metavar="NAME", help="How a step is made, such as ancestral or ddim:eta=0.5.")
@click.option("--set", "changes", metavar="PATH=VALUE", multiple=True, help="Any other setting of the method.")
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="The same seed, the same search."
)
@click.option(
    "--at-once", type=click.IntRange(min=1), metavar="N", help="The most images in one call of a pipeline's network."
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Where pictures go.  [default: steered/METHOD-SEED]",
)
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON, and nothing else on standard output.")
@click.option(
    "--resume", metavar="RUN", help="Take up a stored search that was killed, interrupted, or stopped by its budget."
)
@click.option("--take-over", is_flag=True, help="With --resume: even if its process may still live.")
@click.option("--dry-run", is_flag=True, help="Print what would run and the most that it can cost; spend nothing.")
@store_option
@click.option("--no-store", is_flag=True, help="Do not store the run.")
@click.pass_context
def steer(
    context: click.Context,
    model: str,
    label: int | None,
    prompt: str | None,
    negative: str,
    guidance: float | None,
    reward: str | None,
    final_only: bool,
    method: str,
    n: int | None,
    budget: str,
    steps: int,
    solver: str | None,
    changes: tuple[str, ...],
    seed: int,
    at_once: int | None,
    out: Path | None,
    as_json: bool,
    resume: str | None,
    take_over: bool,
    dry_run: bool,
    where: str | None,
    no_store: bool,
) -> None:
    """Search a diffusion or flow model for images that a reward likes, under a budget of denoiser evaluations.

    Writes every image, a contact sheet and the scores into a folder. Ctrl-C ends the search and keeps the best so far. The run is stored;
    `outthink inspect RUN --picture FILE` draws how its images came about.

    Exit status: 0 done; 1 refused, failed, or no image judged; 2 misused options; 3 nothing finished within the budget; 130 Ctrl-C.
    """
    from outthink.cli.run import refuse_all_but
    from outthink.cli.steering import Asked, prepared, rehearse, solve
    from outthink.cli.steering import resume as take_up
    from outthink.verify.extras import require

    require("torch", extra="diffusion", needed_by="image models")
    limits = Budget(denoiser_evals=int(budget)) if budget.strip().isdecimal() else Budget.parse(budget)
    if resume is not None:
        refuse_all_but(context, {"resume", "take_over", "budget", "out", "as_json", "where"})
        said = context.get_parameter_source("budget") is not click.core.ParameterSource.DEFAULT
        changed = limits if said else None
        sys.exit(take_up(resume, out, budget=changed, as_json=as_json, where=where, take_over=take_over))
    if take_over:
        raise click.UsageError("--take-over goes with --resume RUN.")
    asked = Asked(
        model=model,
        label=label,
        prompt=prompt,
        negative=negative,
        guidance=guidance,
        reward=reward or ("class" if label is not None and prompt is None else "symmetry"),
        partial=not final_only,
        method=method,
        n=n,
        budget=limits,
        steps=steps,
        solver=solver,
        changes=changes,
        seed=seed,
        at_once=at_once,
    )
    ready = prepared(asked)
    if dry_run:
        rehearse(ready, as_json=as_json)
        return
    sys.exit(solve(ready, out, as_json=as_json, where=where, keep=not no_store))
