"""Training of the image laboratory: a classifier, a diffusion and a flow model of handwritten digits: `outthink train digits`.

    Training(seed=1)                                     # what the shipped weights were made with
    Training.of_mnist()                                  # 28 x 28, from IDX files

What needs torch or scikit-learn stands in `images`, `classifying`, `denoising`, `measuring` and `making`, imported when a training begins.
"""

from __future__ import annotations

from outthink.train.digits.settings import Classifying, ConvolutionalSizes, Denoising, PerceptronSizes, Training

__all__ = ["Classifying", "ConvolutionalSizes", "Denoising", "PerceptronSizes", "Training"]
