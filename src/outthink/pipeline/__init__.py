"""Pipelines: layers of stages over several models, and agents that compose searches.

    Pipeline(layers=(Generate(samples=8), Rank(keep=3), Fuse()))

A stage turns the candidates before it into its own: it draws them, has them criticised, sorted, verified, tested, fused, or hands the
question to a whole search. A recipe writes the layers as `[[layers]]`; `outthink.pipeline.archon` reads the configurations that Archon
published. If unsure which layers: `generate`, `rank`, `fuse`.
"""

from outthink.pipeline.archon import FromArchon, read_archon
from outthink.pipeline.asking import Ask, Asked, AskingProcess, Inner
from outthink.pipeline.bounds import LayerBound, bounds, calls, judged
from outthink.pipeline.check import Verify
from outthink.pipeline.choosing import Score, Vote
from outthink.pipeline.critique import Critique
from outthink.pipeline.desk import Desk
from outthink.pipeline.making import Fuse, Generate, SideBySide, Solve
from outthink.pipeline.members import Flow, Members, Remarks
from outthink.pipeline.pipeline import Layer, Pipeline
from outthink.pipeline.plangen import Arms, Bandit, Plangen
from outthink.pipeline.rank import Rank
from outthink.pipeline.rehearsing import StandIn
from outthink.pipeline.rules import Rules, check_layers
from outthink.pipeline.space import Shape, Space, pipeline_of
from outthink.pipeline.stage import ModelStage, Stage
from outthink.pipeline.unit_tests import RunTests, WriteTests

__all__ = [
    "Arms",
    "Ask",
    "Asked",
    "AskingProcess",
    "Bandit",
    "Critique",
    "Desk",
    "Flow",
    "FromArchon",
    "Fuse",
    "Generate",
    "Inner",
    "Layer",
    "LayerBound",
    "Members",
    "ModelStage",
    "Pipeline",
    "Plangen",
    "Rank",
    "Remarks",
    "Rules",
    "RunTests",
    "Score",
    "Shape",
    "SideBySide",
    "Solve",
    "Space",
    "Stage",
    "StandIn",
    "Verify",
    "Vote",
    "WriteTests",
    "bounds",
    "calls",
    "check_layers",
    "judged",
    "pipeline_of",
    "read_archon",
]
