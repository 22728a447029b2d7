"""Noise along the pixels' principal colours, on whole batches."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from econet.data.colour_noise import ColourAxes, colour_axes, noise_deviations
from econet.data.pixel_statistics import PixelStatistics
from econet.data.store import mean_image
from econet.data.stream import StreamedPixels
from econet.images.preprocess import Preprocess
from econet.runs.choices import ColourNoise


class Colour:
    """Colour noise on uint8 batches: one draw a picture and use, the same for all of its pixels."""

    def __init__(
        self,
        images: Tensor | StreamedPixels,
        preprocess: Preprocess,
        config: ColourNoise,
        device: torch.device,
        statistics: PixelStatistics | None,
    ) -> None:
        axes, mean = _measured(images, preprocess, statistics)
        deviations = noise_deviations(axes, config.reading)
        self.until = config.until
        self._divisor = config.divisor
        self._shifts = torch.from_numpy((deviations[:, None] * axes.axes).astype("float32")).to(device)
        self._mean = torch.from_numpy(mean).to(device)

    def drawn(self, count: int, generator: torch.Generator) -> Tensor:
        """The draws of `count` pictures along each axis."""
        return torch.randn((count, len(self._shifts)), generator=generator)

    def noisy(self, pixels: Tensor, draws: Tensor) -> Tensor:
        """`mean + (pixel - mean + noise) / divisor` of uint8 [B, H, W, C], as float32: not yet normalised."""
        shifted = pixels.float() + (draws.to(pixels.device) @ self._shifts)[:, None, None, :]
        return shifted if self._divisor == 1 else self._mean + (shifted - self._mean) / self._divisor


def _measured(
    images: Tensor | StreamedPixels, preprocess: Preprocess, statistics: PixelStatistics | None
) -> tuple[ColourAxes, NDArray[np.float32]]:
    """The axes of the colours and the mean image: those of `statistics`, else of all images in memory."""
    if statistics is not None and statistics.colour is not None:
        return statistics.colour, statistics.mean_image
    pixels = images.cpu().numpy() if isinstance(images, Tensor) else np.asarray(images)
    return colour_axes(pixels), mean_image(pixels, preprocess)
