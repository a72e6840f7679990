"""`outthink doctor`: what is installed, what a server can do, which methods that allows, and which engine is advised for a workload."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, get_args

import click

if TYPE_CHECKING:
    from outthink.engines.adviser import Advice
    from outthink.engines.doctor import Part, Report
    from outthink.engines.openai.settings import Openai


@click.command()
@click.option("--base-url", metavar="URL", help="Look at this OpenAI-compatible server.")
@click.option("--model", metavar="NAME", help="The model at the server; needed where it has several.")
@click.option("--preset", metavar="NAME", default="generic", show_default=True, help="Whose habits the server has.")
@click.option("--key-env", metavar="NAME", default="", help="Environment variable that holds the key.")
@click.option("--fresh", is_flag=True, help="Probe the server again, also where a record of it is at hand.")
@click.option("--workload", metavar="NAME", help="Advise engines for this workload, such as best-of-n or step-wise.")
@click.option("--hardware", metavar="NAME", help="What there is to run on, such as cpu or cuda.")
@click.option("--faulty", is_flag=True, help="Hold the promises against servers here that go wrong in every known way.")
@click.option(
    "--only", metavar="NAME", multiple=True, help="With --faulty: only this misbehaviour; may be given many times."
)
@click.option("--serve", is_flag=True, help="With --faulty: keep these servers up for other clients, until Ctrl-C.")
@click.option(
    "--port", metavar="N", type=click.IntRange(0, 65_000), default=0, help="With --serve: the first of their ports."
)
@click.option("--json", "as_json", is_flag=True, help="Print everything as one JSON document.")
def doctor(
    base_url: str | None,
    model: str | None,
    preset: str,
    key_env: str,
    fresh: bool,
    workload: str | None,
    hardware: str | None,
    faulty: bool,
    only: tuple[str, ...],
    serve: bool,
    port: int,
    as_json: bool,
) -> None:
    """What is installed here, and what a model server can do: found by asking it a dozen tiny questions, and kept for 30 days."""
    from outthink.cli.faulty import faulty_backend
    from outthink.engines.doctor import installed

    if faulty or only or serve or port:
        faulty_backend(only, serve=serve, port=port, as_json=as_json, asked=faulty)
        return

    parts = installed()
    report = asyncio.run(_report(base_url, model, preset, key_env, fresh=fresh)) if base_url else None
    advice = _advice(workload, hardware) if workload else None
    if as_json:
        click.echo(json.dumps(_document(parts, report, advice), ensure_ascii=False))
        return
    _show_parts(parts)
    if report is not None:
        _show_report(report)
    if advice is not None:
        _show_advice(advice)


async def _report(base_url: str, model: str | None, preset: str, key_env: str, *, fresh: bool) -> Report:
    from outthink.core.settings import replace
    from outthink.engines.doctor import examined, models_at, only
    from outthink.engines.openai.settings import Openai

    settings: Openai = Openai(
        model=model or "the only one",
        base_url=base_url,
        preset=preset,
        key_env=key_env,
        probe="always" if fresh else "once",
    )
    if model is None:
        settings = replace(settings, model=only(await models_at(settings)))
    return await examined(settings)


def _advice(workload: str, hardware: str | None) -> Advice:
    from outthink.core.errors import InputError, explain, nearest
    from outthink.engines.adviser import advise
    from outthink.engines.known_engines import Hardware

    known: tuple[Any, ...] = get_args(Hardware)
    if hardware is not None and hardware not in known:
        raise InputError(
            explain(
                "No engine is known for this hardware.",
                got=hardware,
                expected="one of " + ", ".join(known),
                remedy=nearest(hardware, known),
            )
        )
    machine: Any = hardware
    work: Any = workload
    return advise(work, hardware=machine)


def _show_parts(parts: list[Part]) -> None:
    click.echo("installed:")
    for part in parts:
        state = part.version or ("not installed" + (f" (extra {part.extra!r})" if part.extra else ""))
        click.echo(f"  {part.package.ljust(12)} {state.ljust(34)} {part.purpose}")


def _show_report(report: Report) -> None:
    record = report.record
    click.echo(f"\n{record.model} at {record.address}, probed on {record.date}:")
    for name in record.abilities.__struct_fields__:
        value = getattr(record.abilities, name)
        shown = "unknown" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
        click.echo(f"  {name.ljust(15)} {shown.ljust(23)} {record.notes.get(name, '')}".rstrip())
    tokens = record.input_tokens + record.output_tokens
    click.echo(f"  the probe took {record.requests} requests and {tokens} tokens")
    click.echo("\nmethods:")
    for family in report.families:
        click.echo(f"  {'yes' if family.allowed else 'no '}  {family.title}: {', '.join(family.methods)}")
        if family.why:
            click.echo(f"       {family.why}")
    for adaptation in report.adaptations:
        click.echo(f"  adapted: {adaptation.what} - {adaptation.instead}")
    click.echo("\nthis server for:")
    for workload, lacking in report.lacking.items():
        click.echo(f"  {workload.ljust(15)} {'; '.join(lacking) or 'nothing is lacking'}")


def _show_advice(advice: Advice) -> None:
    click.echo(f"\nengines for {advice.workload}, best first:")
    for kept in advice.kept:
        click.echo(f"  {kept.engine.title} ({kept.score:g})")
        for line in kept.warnings:
            click.echo(f"       {line}")
    for setting in advice.kept[0].settings if advice.kept else ():
        click.echo(f"  set: {setting}")
    for dropped in advice.dropped:
        click.echo(f"  not {dropped.engine.title}: {'; '.join(dropped.reasons)}")


def _document(parts: list[Part], report: Report | None, advice: Advice | None) -> dict[str, Any]:
    import msgspec

    whole: dict[str, Any] = {"installed": parts, "server": report, "advice": advice}
    plain: dict[str, Any] = msgspec.to_builtins(whole)
    return plain
