"""`outthink replay`: other ways of choosing and smaller budgets over samples that were paid for before."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import click

from outthink.cli.storage import open_store, store_option

if TYPE_CHECKING:
    from outthink.replay import Keys, SampleTable
    from outthink.store import StoredRun

SHOWN_PROBLEMS = 3


@click.command()
@click.argument("source")
@click.option(
    "--select", "names", metavar="NAMES", help="Ways of choosing, with commas between.  [default: all that can be]"
)
@click.option(
    "--sizes", metavar="NUMBERS", help="Numbers of samples.  [default: powers of two, and as many as there are]"
)
@click.option("--budgets", metavar="TOKENS", help="Tokens a question in place of numbers of samples, such as 500,2000.")
@click.option("--adaptive", is_flag=True, help="Also a vote that stops when it is decided.")
@click.option("--score", metavar="NAME", help="Whose scores, where there are several.")
@click.option(
    "--answer", metavar="NAME", help="How answers are read and compared, such as numeric.  [default: as texts]"
)
@click.option(
    "--field", "fields", metavar="ROLE=NAME", multiple=True, help="A field of the file, such as answers=preds."
)
@click.option(
    "--aggregate",
    type=click.Choice(["last", "min", "prod", "mean"]),
    default="last",
    show_default=True,
    help="How the scores of steps become one.",
)
@click.option("--pool", metavar="NAME", help="Which pool of a benchmark's folder.  [default: the largest]")
@click.option("--reference", metavar="TEXT", help="The right answer of a stored run.  [default: the task's own]")
@click.option("--seed", type=int, default=0, show_default=True, help="Of drawn subsets and of the intervals.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
@store_option
def replay(
    source: str,
    names: str | None,
    sizes: str | None,
    budgets: str | None,
    adaptive: bool,
    score: str | None,
    answer: str | None,
    fields: tuple[str, ...],
    aggregate: str,
    pool: str | None,
    reference: str | None,
    seed: int,
    as_json: bool,
    where: str | None,
) -> None:
    """What other ways of choosing, and smaller budgets, would have given from the samples in SOURCE. Nothing is generated or paid.

    SOURCE is a file of JSON lines with recorded samples, a row a question; the folder of a benchmark; or a stored run: its name, the
    name's beginning, or "last".
    """
    from outthink.cli.replay_table import of_chances, of_lines
    from outthink.recipes.plan import plan
    from outthink.replay import chances, keys_by, replay_adaptive, replay_budgets, run_samples, same_text
    from outthink.replay import replay as replayed

    path = Path(source)
    run = None if path.exists() else _stored(source, where)
    settings = plan(answer=answer).recipe.answer if answer is not None else None
    with nullcontext(same_text) if settings is None else keys_by(settings) as keys:
        if run is not None:
            samples = run_samples(run, keys=keys, reference=reference)
            of_run = [len(samples.row.answers)]
            wanted = _names(names, bool(samples.row.scores), False, single=False, oracle=samples.known)
            found = chances(samples, select=wanted, sizes=_sizes(sizes, of_run), score=score, seed=seed)
            of_chances(found, run.task.question, samples.known, as_json)
            return
        table = _of_folder(path, pool) if path.is_dir() else _of_file(path, fields, aggregate, keys)
    wanted = _names(names, bool(table.scores), _weighable(table, score))
    asked = _sizes(sizes, table.counts.tolist())
    if budgets is None:
        lines = replayed(table, select=wanted, sizes=asked, score=score, seed=seed)
    else:
        lines = replay_budgets(table, select=wanted, budgets=_numbers(budgets, "--budgets"), score=score, seed=seed)
    if adaptive:
        lines += replay_adaptive(table, sizes=[size for size in asked if size > 1], seed=seed)
    of_lines(lines, table, as_json, in_tokens=budgets is not None)


def _stored(name: str, where: str | None) -> StoredRun:
    with open_store(where) as store:
        return store.run(name)


def _of_file(path: Path, fields: Sequence[str], aggregate: str, keys: Keys) -> SampleTable:
    from outthink.core.errors import InputError, explain, nearest
    from outthink.replay import Fields, read_samples
    from outthink.replay.fields import USUAL

    given: dict[str, str] = {}
    for one in fields:
        role, separator, name = one.partition("=")
        if role not in USUAL or not separator:
            raise InputError(
                explain(
                    "A field is given as ROLE=NAME.",
                    got=one,
                    expected=f"one of {', '.join(USUAL)}, an equals sign, and the name in the file",
                    remedy=nearest(role, USUAL),
                )
            )
        given[role] = name
    found = read_samples(path, Fields(**given, aggregate=aggregate), keys=keys)  # type: ignore[arg-type]  # checked by Fields
    problems = found.problems
    for problem in problems[:SHOWN_PROBLEMS]:
        click.echo(f"outthink: left out: {problem}", err=True)
    if len(problems) > SHOWN_PROBLEMS:
        click.echo(f"outthink: left out: {len(problems) - SHOWN_PROBLEMS} further rows", err=True)
    return found.table


def _of_folder(path: Path, pool: str | None) -> SampleTable:
    from outthink.bench.report import read_folder
    from outthink.core.errors import InputError, explain

    stored = read_folder(path)
    samples = {name: stored.samples(name, list(stored.questions)) for name in stored.pool_names()}
    tables = {name: table for name, table in samples.items() if table is not None}
    if not tables or (pool is not None and pool not in tables):
        raise InputError(
            explain(
                "There is no such pool of samples." if tables else "This run has no stored pools.",
                got=pool or str(path),
                expected=f"one of {', '.join(tables)}" if tables else "a run of methods that select from a pool",
                remedy="Name one of them." if tables else "Give another folder.",
            )
        )
    return tables[pool] if pool is not None else max(tables.values(), key=lambda table: int(table.counts.sum()))


def _names(names: str | None, scored: bool, weighable: bool, *, single: bool = True, oracle: bool = True) -> list[str]:
    if names is not None:
        return [name.strip() for name in names.split(",") if name.strip()]
    by_score = ["best-of-n", "weighted" if weighable else "weighted-min-max"] if scored else []
    return [*(["single"] if single else []), "vote", *by_score, *(["oracle"] if oracle else [])]


def _weighable(table: SampleTable, score: str | None) -> bool:
    """Whether scores may be summed as votes: none is negative."""
    if not table.scores or (score is None and len(table.scores) > 1):
        return False
    return not bool((table.score_of(score)[1] < 0).any())


def _sizes(sizes: str | None, counts: Sequence[int]) -> list[int]:
    if sizes is not None:
        return _numbers(sizes, "--sizes")
    most = max(counts)
    return sorted({*(2**power for power in range(most.bit_length()) if 2**power <= most), most})


def _numbers(text: str, option: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",") if part.strip()]
    except ValueError:
        raise click.BadParameter(f"{text!r} is not a list of numbers such as 4,8,16.", param_hint=option) from None
