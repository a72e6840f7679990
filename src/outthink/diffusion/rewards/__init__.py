"""Rewards: any function of decoded samples as a verifier, and those that the field uses.

    reward(lambda images: images.mean(dim=(1, 2, 3)))                        # your own
    class_log_probability(classifier().log_probabilities, 3)                 # a classifier's opinion
    clip_similarity("name-or-folder", "a red boat")                          # CLIP through transformers; `aesthetic` likewise
    compressibility(), symmetry(), brightness()                              # pixels alone
    diversity()                                                              # a sample beside the others of its call
    image_judge(engine, "Is it a three? {candidate}")                        # a multimodal model behind an OpenAI-compatible server

A reward that is searched hard is exploited: report a second one beside it. If unsure: start from `class_log_probability`.
"""

from __future__ import annotations

from outthink.diffusion.rewards.clip import aesthetic, clip_similarity
from outthink.diffusion.rewards.differentiable import Differentiable, DifferentiableReward, Slope, differentiable
from outthink.diffusion.rewards.image_judge import ImageJudge, image_judge
from outthink.diffusion.rewards.of_classifiers import class_log_probability
from outthink.diffusion.rewards.of_pixels import brightness, compressibility, symmetry
from outthink.diffusion.rewards.of_sets import diversity, mean_distance
from outthink.diffusion.rewards.reward import Reward, RewardFunction, reward, set_reward

__all__ = [
    "Differentiable",
    "DifferentiableReward",
    "ImageJudge",
    "Reward",
    "RewardFunction",
    "Slope",
    "aesthetic",
    "brightness",
    "class_log_probability",
    "clip_similarity",
    "compressibility",
    "differentiable",
    "diversity",
    "image_judge",
    "mean_distance",
    "reward",
    "set_reward",
    "symmetry",
]
