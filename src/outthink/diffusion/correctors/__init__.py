"""Feynman-Kac correctors: weights that make annealed densities, products and guidance exact, carried by the process's `log_ratio`.

`Product`, `annealed` and `GeometricGuidance` say what is sampled, `Corrector` how steps and weights are made, and `CorrectedProcess` puts
them on a grid; `ParticleFilter` with `Indifferent`, or with any reward, does the rest. If unsure: the defaults, at least 100 steps, and no
`choose` but "sample".
"""

from outthink.diffusion.correctors.combinations import Combination, GeometricGuidance, Given, Product, annealed
from outthink.diffusion.correctors.corrector import Corrector
from outthink.diffusion.correctors.indifferent import Indifferent
from outthink.diffusion.correctors.process import CorrectedProcess

__all__ = [
    "Combination",
    "CorrectedProcess",
    "Corrector",
    "GeometricGuidance",
    "Given",
    "Indifferent",
    "Product",
    "annealed",
]
