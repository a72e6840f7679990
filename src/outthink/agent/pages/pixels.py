"""Structural similarity of two pictures, window by window.

    SSIM = (2 m_x m_y + c_1) (2 s_xy + c_2) / ((m_x^2 + m_y^2 + c_1) (s_x^2 + s_y^2 + c_2)),   c_1 = (0.01 * 255)^2,  c_2 = (0.03 * 255)^2

with means, variances and covariance over a window of 8 x 8 pixels, and the mean over windows and colours.

Source: Wang et al., Image Quality Assessment: From Error Visibility to Structural Similarity (2004), equation 13, with plain windows.
Departs from it: windows where both pictures are one flat colour and the same say nothing of a page, which is mostly empty, and are left
out; the lower picture goes on in white.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from outthink.agent.pages.png import Picture

WINDOW, STRIDE = 8, 4
WHITE = 255


def similarity(picture: Picture, other: Picture) -> float:
    """In [0, 1]; 1 for equal pictures. Negative similarity counts as none."""
    height = max(picture.shape[0], other.shape[0], WINDOW)
    x, y = _windows(picture, height), _windows(other, height)
    axes = (-2, -1)
    m_x, m_y = x.mean(axes), y.mean(axes)
    s_x, s_y = x.var(axes), y.var(axes)
    s_xy = ((x - m_x[..., None, None]) * (y - m_y[..., None, None])).mean(axes)
    c_1, c_2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    value = (2 * m_x * m_y + c_1) * (2 * s_xy + c_2) / ((m_x**2 + m_y**2 + c_1) * (s_x + s_y + c_2))
    # A window says something if any of its colours does.
    says = ((s_x > 0) | (s_y > 0) | (m_x != m_y)).any(axis=2)
    return float(np.clip(value.mean(axis=2)[says].mean(), 0.0, 1.0)) if says.any() else 1.0


def _windows(picture: Picture, height: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """All windows, [down, across, colours, WINDOW, WINDOW]."""
    whole = np.full((height, *picture.shape[1:]), WHITE, np.float64)
    whole[: picture.shape[0]] = picture
    return sliding_window_view(whole, (WINDOW, WINDOW), axis=(0, 1))[::STRIDE, ::STRIDE]
