"""How many of Archon's published configurations load and run, each with exactly the calls that its components ask for.

    python benchmarks/archon_configs.py FOLDER

FOLDER holds the JSON files (src/archon/configs of the repository ScalingIntelligence/Archon). Every model is replaced by a stand-in that
keeps to each stage's form; a model of its own name is an engine of its own. The calls expected are counted here from the JSON alone, by the
table of the paper, and compared with what the engines counted. Nothing is sent anywhere.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from outthink.core import OutthinkError, Search, Session, Task
from outthink.engines.scripted import Behaviour, ScriptedEngine
from outthink.engines.scripted_table import Scripted
from outthink.pipeline import AskingProcess, StandIn, read_archon

TASK = Task(prompt="How much is 6 times 7, and why?", id="archon")


def expected(document: dict[str, Any]) -> int:
    """Calls by the paper's table, where every candidate passes every check."""
    calls = candidates = 0
    for layer in document["layers"]:
        components = layer if isinstance(layer, list) else layer.get("models", [layer])
        kind = components[0]["type"]
        first = components[0].get("first_k") or (1 if components[0].get("first_pass") else None)
        cut = components[0].get("top_k") or candidates
        if kind in ("generator", "fuser"):
            candidates = sum(one.get("samples", 1) for one in components)
            calls += candidates
        elif kind == "ranker":
            calls, candidates = calls + 1, min(candidates, cut)
        elif kind == "verifier":
            calls, candidates = calls + 2 * candidates, min(candidates, first or candidates)
        elif kind == "unit_test_evaluator":
            calls, candidates = calls + candidates, min(candidates, first or cut)
        else:
            calls += 1
    return calls


def models_of(document: Any) -> list[str]:
    """Every model that the configuration names."""
    if isinstance(document, dict):
        named = [document["model"]] if isinstance(document.get("model"), str) else []
        return named + [model for value in document.values() for model in models_of(value)]
    return [model for value in document for model in models_of(value)] if isinstance(document, list) else []


def asked(text: str) -> tuple[int, tuple[str, ...]]:
    """How many calls the configuration made, and what was noted. Raises what refuses it."""
    try:
        names = sorted(set(models_of(json.loads(text))))
    except json.JSONDecodeError:
        names = []
    stand_in = StandIn()
    found = read_archon(text, {name: Scripted(otherwise=name) for name in names})
    engines = {name: ScriptedEngine(stand_in.next_token, behaviour=Behaviour(cached=False)) for name in names}
    own = found.engine.otherwise if isinstance(found.engine, Scripted) else ""
    others = [(Scripted(otherwise=name), engine) for name, engine in engines.items()]
    search = Search(lambda task: AskingProcess(engines[own], task, others=others), found.pipeline)

    async def work() -> int:
        session = Session.open()
        result = await search.solve(TASK, session)
        session.close()
        if result.answer is None or result.degraded or result.cost.calls != stand_in.asked.total():
            raise AssertionError(f"no clean end: {result.degraded}, {result.cost.calls} calls")
        return result.cost.calls

    return asyncio.run(work()), found.notes


def main() -> None:
    """Reports how many load and run, every refusal, and what was read in another way than it was written."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--notes", action="store_true", help="print every note")
    options = parser.parse_args()
    files = sorted(options.folder.rglob("*.json"))
    exact, wrong, refused = 0, [], []
    notes: Counter[str] = Counter()
    for path in files:
        text, name = path.read_text(encoding="utf-8"), str(path.relative_to(options.folder))
        try:
            calls, told = asked(text)
        except OutthinkError as error:
            refused.append(f"{name}: {error}")
            continue
        notes.update(told)
        want = expected(json.loads(text))
        exact += calls == want
        wrong += [] if calls == want else [f"{name}: {calls} calls, expected {want}"]
    share = 100 * exact / max(1, len(files))
    print(f"{exact} of {len(files)} configurations load and run with the exact number of calls ({share:.1f}%)")
    print(f"{sum('rules, so they are open' in note for note in notes.elements())} of them under open rules")
    for line in (*wrong, *(f"refused: {line}" for line in refused)):
        print(line)
    if options.notes:
        for note, times in notes.most_common():
            print(f"{times} x {note}")
    sys.exit(0 if files and share >= 90 and not wrong else 1)


if __name__ == "__main__":
    main()
