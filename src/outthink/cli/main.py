"""The root command, `outthink`.

Exit status: 0 all is well; 1 refused or failed, with one message on standard error; 2 an option that does not exist or has no value;
3 the budget ended before there was any answer; 130 ended by Ctrl-C, after printing the best answer so far.
"""

from __future__ import annotations

import click

from outthink.cli.lazy import Group


@click.group(
    cls=Group,
    members={
        "run": "outthink.cli.run:run",
        "steer": "outthink.cli.steer:steer",
        "inspect": "outthink.cli.inspect:inspect",
        "runs": "outthink.cli.runs:runs",
        "recipes": "outthink.cli.recipes:recipes",
        "bench": "outthink.cli.bench:bench",
        "replay": "outthink.cli.replay:replay",
        "tune": "outthink.cli.tune:tune",
        "models": "outthink.cli.models:models",
        "train": "outthink.cli.train:train",
        "demo": "outthink.cli.demo:demo",
        "serve": "outthink.cli.serve:serve",
        "keys": "outthink.cli.keys:keys",
        "ui": "outthink.cli.ui:ui",
        "doctor": "outthink.cli.doctor:doctor",
    },
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(package_name="outthink")
def outthink() -> None:
    """Spend compute at inference time to get better outputs from a model that stays as it is."""


def main() -> None:
    """The console script."""
    outthink()
