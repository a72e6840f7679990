"""Pipelines of diffusers as processes: their networks are driven directly, and none of their loops is run or copied.

    pipeline = StableDiffusionPipeline.from_pretrained(...)                   # or open_folder("path")
    model = adapt(pipeline, prompt="a lighthouse at dusk")
    process = model.process(steps=30, solver=SdeDpmSolver())

A pipeline is taken apart at its components: the network is called through the door that fits its class (`pipelines.doors`), the prompt is
encoded once by the pipeline itself, the levels come from the scheduler's table (`outthink.diffusion.schedules`), latents are decoded where
they are looked at. Only the modules' own calls are used, so pipelines that offload their modules go on doing so.
"""

from outthink.diffusion.pipelines.adapted import Adapted, adapt
from outthink.diffusion.pipelines.doors import Door, known_networks
from outthink.diffusion.pipelines.folder import open_folder

__all__ = ["Adapted", "Door", "adapt", "known_networks", "open_folder"]
