"""Image models, rewards and solvers by the names that people type, and pictures of what came out: what `outthink steer` is made of.

model = open_model("digits-diffusion", label=3)          # or the folder of a pipeline of diffusers
judge = reward_by_name("symmetry")                       # "class:3", "brightness", "compressibility", "my_file.py:my_function"
process = model.process(20, solver_by_name("ddim:eta=0.5"))
write_gallery(folder, samples)                           # sample-00.png, ..., sheet.png
"""

from outthink.diffusion.steering.gallery import Gallery, write_gallery
from outthink.diffusion.steering.models import Steerable, judge_of, open_model
from outthink.diffusion.steering.named_rewards import REWARDS, reward_by_name
from outthink.diffusion.steering.named_solvers import solver_by_name, solver_names

__all__ = [
    "REWARDS",
    "Gallery",
    "Steerable",
    "judge_of",
    "open_model",
    "reward_by_name",
    "solver_by_name",
    "solver_names",
    "write_gallery",
]
