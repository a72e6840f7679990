"""Stochastic interpolants: paths between two data sets, or from noise to one, learned by regression and sampled with any amount of noise.

Families say how the ends are mixed, objectives what is learned of that, `fit` learns it, `Bridge` samples as a process of search, and
`log_density` says how likely a sample is. Time runs from the base (0) to the target (1).
"""

from outthink.diffusion.interpolants.bounds import best_strength, divergence_bound, loss_bound, transport_loss_bound
from outthink.diffusion.interpolants.bridge import Bridge
from outthink.diffusion.interpolants.families import (
    Backward,
    EncodingDecoding,
    Interpolant,
    LinearInterpolant,
    Mirror,
    Mix,
    OneSided,
    TrigonometricInterpolant,
)
from outthink.diffusion.interpolants.fields import Learned
from outthink.diffusion.interpolants.gammas import BrownianBridge, Gamma, Noiseless, Parabolic, Sigmoidal, SineSquared
from outthink.diffusion.interpolants.likelihood import (
    Along,
    Likelihoods,
    flow_of,
    log_density,
    path_flow,
    sde_log_density,
    standard_normal,
)
from outthink.diffusion.interpolants.mixture_pair import MixturePair
from outthink.diffusion.interpolants.objectives import Field, losses
from outthink.diffusion.interpolants.training import Ends, Fit, Fitted, Perceptron, fit

__all__ = [
    "Along",
    "Backward",
    "Bridge",
    "BrownianBridge",
    "EncodingDecoding",
    "Ends",
    "Field",
    "Fit",
    "Fitted",
    "Gamma",
    "Interpolant",
    "Learned",
    "Likelihoods",
    "LinearInterpolant",
    "Mirror",
    "Mix",
    "MixturePair",
    "Noiseless",
    "OneSided",
    "Parabolic",
    "Perceptron",
    "Sigmoidal",
    "SineSquared",
    "TrigonometricInterpolant",
    "best_strength",
    "divergence_bound",
    "fit",
    "flow_of",
    "log_density",
    "loss_bound",
    "losses",
    "path_flow",
    "sde_log_density",
    "standard_normal",
    "transport_loss_bound",
]
