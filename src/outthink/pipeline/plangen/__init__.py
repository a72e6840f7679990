"""PlanGEN as a layer of a pipeline: agents that find conditions and rate plans, and a bandit that chooses how to improve them.

    Pipeline(layers=(Plangen(rounds=4, judge="verifier"),))

If unsure, take it where plans have many conditions that can be said in words, and give it a verifier where a program can check them.
"""

from outthink.pipeline.plangen.bandit import Arms, Bandit
from outthink.pipeline.plangen.plangen import Plangen, Planning
from outthink.pipeline.plangen.sharing import shared

__all__ = ["Arms", "Bandit", "Plangen", "Planning", "shared"]
