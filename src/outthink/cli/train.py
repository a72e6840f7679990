"""`outthink train`: what is learned from a model's own runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from outthink.cli.lazy import Group

if TYPE_CHECKING:
    from outthink.train import Examples, Trained


@click.group(
    cls=Group,
    members={
        "digits": "outthink.cli.train_digits:digits",
        "head": "outthink.cli.train:head",
        "laboratory": "outthink.cli.train_laboratory:laboratory",
        "laboratory-sql": "outthink.cli.train_laboratory_sql:laboratory_sql",
        "laboratory-value": "outthink.cli.train_laboratory_value:laboratory_value",
    },
)
def train() -> None:
    """Learn from a model's own runs."""


@click.command()
@click.option("--task", "file", metavar="PATH", required=True, help="Problems with references, one JSON object a line.")
@click.option("--samples", type=click.IntRange(min=1), default=16, show_default=True, help="Samples of each problem.")
@click.option("--out", metavar="PATH", default="head.safetensors", show_default=True, help="The file to write.")
@click.option("--method", metavar="NAME", help="A preset or the path of a recipe, for how samples are drawn.")
@click.option("--answer", metavar="NAME", help="How answers are found and compared.  [default: numeric]")
@click.option("--model", metavar="ENGINE[:MODEL]", help="An engine in this process: local or transformers.")
@click.option("--set", "changes", metavar="PATH=VALUE", multiple=True, help="Any other setting of the recipe.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of samples and of the split.")
@click.option("--prefixes", is_flag=True, help="Learn from the end of every step too, to rate unfinished answers.")
@click.option(
    "--calibration",
    type=click.Choice(["platt", "isotonic"]),
    default="platt",
    show_default=True,
    help="How scores become chances.",
)
@click.option(
    "--test-share",
    type=click.FloatRange(0.05, 0.9),
    default=0.25,
    show_default=True,
    help="Share of the problems that is kept away and only measured on.",
)
def head(
    file: str,
    samples: int,
    out: str,
    method: str | None,
    answer: str | None,
    model: str | None,
    changes: tuple[str, ...],
    seed: int,
    prefixes: bool,
    calibration: str,
    test_share: float,
) -> None:
    """Train a head on the model's hidden states: is this answer right?

    Samples each problem, labels the samples by the references, trains on some problems and measures on the others. What it prints stands
    beside a control that only learns which answers are usually right.
    """
    from outthink.cli.questions import read
    from outthink.core.cut import Cut
    from outthink.core.key import Key
    from outthink.recipes.background import BACKGROUND
    from outthink.recipes.plan import plan
    from outthink.train import train_head
    from outthink.train.heads import collect_for
    from outthink.verify.head_file import save_head_file

    target = Path(out).expanduser()
    made = plan(method=method, model=model, verifier="none", answer=answer, changes=changes)
    asked = read(None, file, jsonl=True)
    for message in asked.bad:
        click.echo(f"outthink: {message}", err=True)
    key = Key(seed)

    def progress(done: int) -> None:
        click.echo(f"\routthink: {done} of {len(asked.tasks)} problems sampled", err=True, nl=done == len(asked.tasks))

    async def work(cut: Cut) -> tuple[Examples, str, str]:
        return await collect_for(
            made.recipe, asked.tasks, samples=samples, key=key.child("samples"), prefixes=prefixes, each=progress
        )

    examples, digest, name = BACKGROUND.run(work)
    trained = train_head(
        examples,
        model=digest,
        model_name=name,
        key=key,
        calibration="isotonic" if calibration == "isotonic" else "platt",
        test_share=test_share,
    )
    save_head_file(target, trained.head)
    for line in _report(examples, trained):
        click.echo(line)
    click.echo(f"written to {target}", err=True)


def _report(examples: Examples, trained: Trained) -> list[str]:
    chosen = trained.selection
    drawn, right = int(examples.final.sum()), int(examples.right[examples.final].sum())
    lines = [
        f"{drawn} samples, {right} right, {examples.dropped} dropped; {examples.cost.tokens} tokens",
        f"on {chosen.problems} problems kept away, share solved (standard error):",
    ]
    for name, share in (
        ("best by the head", chosen.head),
        ("best by the answer alone (control)", chosen.control),
        ("majority", chosen.majority),
        ("one sample", chosen.first),
        ("any sample right", chosen.any_right),
    ):
        lines.append(f"  {name:36} {share:.3f} ({chosen.error(share):.3f})")
    lines.append(
        f"ranks right above wrong: {trained.auc:.3f}; calibration error {trained.error:.3f}; penalty {trained.penalty:g}"
    )
    return lines
