"""Training of the laboratory model, from problems to a file that the embedded engine loads: `outthink train laboratory`.

    Training(seed=1)        # what the shipped weights were made with

What needs torch stands in `network`, `training`, `together`, `export` and `making`, and is imported when a training begins.
"""

from __future__ import annotations

from outthink.train.laboratory.settings import Part, Shape, Training

__all__ = ["Part", "Shape", "Training"]
