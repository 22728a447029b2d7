"""Ranges that leave the rarest values out: a few large ones would make the grid coarse for all others.

Nagel et al. 2021, "A White Paper on Neural Network Quantization" (arXiv 2106.08295), section 3.1, compares such ways to
set a range. What lies outside is clipped to the range's end.
"""

from collections.abc import Mapping

import numpy as np
import onnx
from numpy.typing import NDArray

from econet.compression.qdq_plan import Range
from econet.deployment.intermediate import intermediate_values
from econet.images.preprocess import Pixels

# Fine enough that the end of a range moves by less than an eighth of an 8-bit step.
_BINS = 2048


def percentile_ranges(
    model: onnx.ModelProto, calibration: Pixels, ranges: Mapping[str, Range], outside: float
) -> dict[str, Range]:
    """The `ranges` of an fp32 artifact, narrowed until a share `outside` of the values lies beyond each end.

    `calibration` are the images, uint8 [N, C, H, W], that `ranges` - smallest and largest values - were seen on.
    Raises ValueError unless 0 <= outside < 0.5.
    """
    if not 0 <= outside < 0.5:
        raise ValueError(f"a share of {outside} cannot lie beyond both ends")
    counts = {name: np.zeros(_BINS, np.int64) for name in ranges}
    for values in intermediate_values(model, calibration):
        for name, value in values.items():
            counts[name] += np.histogram(value, _BINS, _spread(ranges[name]))[0]
    return {name: _narrowed(counts[name], ranges[name], outside) for name in ranges}


def _spread(bounds: Range) -> Range:
    """The ends of a histogram, which must lie apart."""
    low, high = bounds
    return (low, high) if high > low else (low - 0.5, low + 0.5)


def _narrowed(counts: NDArray[np.int64], bounds: Range, outside: float) -> Range:
    low, high = bounds
    if high <= low:
        return bounds
    share = np.cumsum(counts) / counts.sum()
    first = int(np.searchsorted(share, outside, side="right"))
    last = int(np.searchsorted(share, 1 - outside, side="left"))
    step = (high - low) / _BINS
    return low + step * first, min(high, low + step * (last + 1))
