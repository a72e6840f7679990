"""Image models small enough to study search with: diffusion and flow models of handwritten digits, and a classifier. Needs torch.

    model = load("digits-diffusion")                     # or "digits-flow"; 8 x 8 pixels, shipped
    process = model.process(digit=3, steps=20)           # a DenoisingProcess
    search = Search(lambda task: process, ParticleFilter(n=16), classifier_log_probability(classifier(), 3))
    frechet_distance(samples)                            # how far samples are from the training images

Images are [n, 1, side, side] with pixels in [-1, 1], -1 the background. `model.network` predicts data and is told one class number a
sample, int64 [n], 10 for no class; `model.path` is the path that it was trained on. "mnist-diffusion" and "mnist-flow" (28 x 28) are
made by `outthink train digits --data mnist --folder ...` and read with `load(name, folder=...)`. Cards lie beside the weights.

If unsure: "digits-diffusion" with 20 steps of `Ancestral`.
"""

from __future__ import annotations

from outthink.diffusion.laboratory.classifier import Classifier, ClassifierNetwork, ClassifierShape
from outthink.diffusion.laboratory.convolutional import Convolutional, ConvolutionalShape
from outthink.diffusion.laboratory.denoiser import Denoiser, DenoiserShape
from outthink.diffusion.laboratory.frechet import Statistics
from outthink.diffusion.laboratory.image_model import ImageModel
from outthink.diffusion.laboratory.loading import NAMES, classifier, frechet_distance, load, statistics
from outthink.diffusion.laboratory.perceptron import Perceptron, PerceptronShape

__all__ = [
    "NAMES",
    "Classifier",
    "ClassifierNetwork",
    "ClassifierShape",
    "Convolutional",
    "ConvolutionalShape",
    "Denoiser",
    "DenoiserShape",
    "ImageModel",
    "Perceptron",
    "PerceptronShape",
    "Statistics",
    "classifier",
    "frechet_distance",
    "load",
    "statistics",
]
