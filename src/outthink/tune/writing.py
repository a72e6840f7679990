"""A study as files for people: the chosen recipe, three kinds of pictures and a report in Markdown."""

from __future__ import annotations

from pathlib import Path

from outthink.recipes.show import to_toml
from outthink.tune import pictures
from outthink.tune.ground import Ground, believed, best_of
from outthink.tune.study import Study


def write(study: Study, folder: Path) -> list[Path]:
    """Write what there is to show, and say where."""
    ground = study.ground
    files: dict[str, str] = {"report.md": report(study)}
    if study.recipe is not None:
        files["tuned.toml"] = to_toml(study.recipe)
    everything = believed(ground) if ground.n.any() else []
    course = course_of(ground)
    if len(course) > 1:
        tokens, quality, deviation = zip(*course, strict=True)
        files["history.svg"] = pictures.history(tokens, quality, deviation)
    if everything:
        files["front.svg"] = pictures.front(everything, study.tuned)
    if study.tuned.best is not None:
        for name in study.problem.space:
            files[f"along-{name}.svg"] = pictures.along(ground, study.problem.over, study.tuned.best.config, name)
    paths = []
    for name, text in files.items():
        path = folder / name
        path.write_text(text, encoding="utf-8")
        paths.append(path)
    return paths


def course_of(ground: Ground) -> list[tuple[float, float, float]]:
    """Tokens spent, best believed quality and the deviation of that belief, before each measurement and after the last."""
    found, spent = [], 0.0
    for trial in ground.trials:
        if trial.best is not None and trial.deviation is not None:
            found.append((spent, trial.best, trial.deviation))
        spent += trial.tokens
    last = best_of(believed(ground), ground.at_most) if ground.n.any() else None
    return [*found, (spent, last.quality, last.deviation)] if last is not None else found


def report(study: Study) -> str:
    """What was found, with intervals, and a warning where it is inside the noise."""
    tuned, judged = study.tuned, study.judged
    lines = [f"# Tuning {study.problem.recipe}", ""]
    lines.append(
        f"{len(tuned.trials)} measurements, {tuned.tokens:,.0f} of {study.problem.tokens:,.0f} tokens; stopped: {tuned.stop}."
    )
    if lost := tuned.tokens - sum(trial.tokens for trial in tuned.trials):
        lines.append(f"Of these, {lost:,.0f} went, or may have gone, into work that is no measurement or was killed.")
    if study.at_most is not None:
        lines.append(f"An answer may cost {study.at_most:,.0f} tokens.")
    if not tuned.signal:
        lines += ["", "**The measurements show no difference between configurations beyond their noise.**"]
    if tuned.best is not None:
        best = tuned.best
        lines += ["", "## Chosen", "", "| setting | value |", "|---|---|"]
        lines += [
            f"| `{name}` | {pictures.short(value) if isinstance(value, float) else value} |"
            for name, value in best.config.items()
        ]
        lines += ["", f"Believed: {100 * best.quality:.1f}% right (deviation {100 * best.deviation:.1f}),"]
        lines.append(f"{best.cost:,.0f} tokens an answer.")
    if judged is not None:
        low, high = 100 * judged.interval.low, 100 * judged.interval.high
        lines += [
            "",
            f"## On {judged.pairs.n} questions that were never tuned on",
            "",
            "| recipe | right | tokens an answer |",
            "|---|---|---|",
        ]
        lines.append(f"| default | {100 * judged.default:.1f}% | {judged.default_cost:,.0f} |")
        lines.append(f"| chosen | {100 * judged.chosen:.1f}% | {judged.chosen_cost:,.0f} |")
        lines += [
            "",
            f"Difference {100 * judged.difference:+.1f} points, 95% interval {low:+.1f} to {high:+.1f} (Tango's, paired).",
            f"Judging cost {judged.tokens:,.0f} tokens, which are not part of the budget.",
        ]
        if 0.0 in judged.interval:
            lines.append("**The interval holds zero: no difference is shown.**")
    if tuned.front:
        lines += [
            "",
            "## Cost and quality",
            "",
            "| tokens an answer | believed right | configuration |",
            "|---|---|---|",
        ]
        lines += [f"| {one.cost:,.0f} | {100 * one.quality:.1f}% | {_settings(one.config)} |" for one in tuned.front]
    return "\n".join(lines) + "\n"


def _settings(config: object) -> str:
    pairs = dict(config).items() if isinstance(config, dict) else []
    return ", ".join(
        f"`{name}` = {pictures.short(value) if isinstance(value, float) else value}" for name, value in pairs
    )
