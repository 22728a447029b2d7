"""Augmentation on whole batches of tensors: shift or crop, flip, cutout, colour, normalise - no picture one by one.

The trick is a view: of the padded images and their mirror images every possible window is unfolded without a
copy, so that one indexing operation cuts a different window out of each picture of the batch.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from econet.data.colour_noise import colour_axes, noise_deviations
from econet.data.store import mean_image
from econet.images.preprocess import Preprocess
from econet.runs.choices import Augment
from econet.runs.records import ColourNoise


@dataclass(frozen=True, slots=True)
class Amounts:
    """What a policy does to one size of picture: padding around it and the side of the cut-out square, in pixels.

    `padding` is also the largest shift in every direction; 0 where crops come out of a larger store.
    """

    padding: int
    cutout: int


def amounts(policy: Augment, preprocess: Preprocess) -> Amounts:
    """The pixels that `policy` moves and cuts at this size.

    Shifts follow the input's shorter side: 2 px at 28, and for `standard` 4 px at 32 and an eighth above.
    """
    side = min(preprocess.image_size)
    if policy == "none" or preprocess.resize_size != preprocess.image_size:
        padding = 0
    elif policy == "light" or side < 32:
        padding = max(1, side // 14)
    else:
        padding = side // 8
    return Amounts(padding=padding, cutout=side // 4 if policy == "strong" else 0)


class Augmenter:
    """One split's pictures on a device, handed out as normalised float32 batches [B, C, H, W], channels last.

    `images` is the store, uint8 [N, H, W, C] of `preprocess.resize_size`. Any policy but `none` holds the padded
    store twice more (as it is and mirrored), as uint8. `chunk` images in a row of a batch share crop and mirror.
    Raises UserError for colour noise on gray pictures.
    """

    def __init__(
        self,
        images: Tensor,
        preprocess: Preprocess,
        policy: Augment,
        device: torch.device,
        *,
        colour: ColourNoise | None = None,
        chunk: int = 1,
    ) -> None:
        self._preprocess = preprocess
        self._chunk = chunk
        self._colour = None if colour is None else _Colour(images, preprocess, colour, device)
        self._images = images.to(device)
        self._amounts = amounts(policy, preprocess)
        self._windows = None if policy == "none" else self._unfold()

    def __len__(self) -> int:
        return len(self._images)

    def batch(self, indices: Tensor, generator: torch.Generator, progress: float = 0.0) -> Tensor:
        """The augmented pictures of `indices` [B] (int64) as float32 [B, C, H, W] in channels-last layout.

        Chance comes from `generator` alone (a CPU one, whatever the device), always drawn in the order flip,
        rows, columns, cut-out rows, cut-out columns, colour: the same state gives the same batch on any device.
        `progress` is the share of the training that lies behind; colour noise may end before the training does.
        """
        windows = self._windows
        if windows is None:
            return self.plain(indices)
        device, count = self._images.device, len(indices)
        flip = self._drawn(2, count, generator)
        row = self._drawn(windows.shape[1], count, generator)
        column = self._drawn(windows.shape[2], count, generator)
        which = indices.to(device) + flip.to(device) * len(self)
        pixels = windows[which, row.to(device), column.to(device)]
        if self._amounts.cutout:
            pixels.masked_fill_(self._cutout(count, generator), self._preprocess.offset)
        if self._colour is None or progress >= self._colour.until:
            return self._normalised(pixels)
        return self._normalised(self._colour.noisy(pixels, generator))

    def plain(self, indices: Tensor) -> Tensor:
        """The pictures of `indices` [B] as evaluation sees them: the centre, unchanged; same layout as `batch`."""
        pixels = self._images[indices.to(self._images.device)]
        height, width = self._preprocess.image_size
        top, left = (pixels.shape[1] - height) // 2, (pixels.shape[2] - width) // 2
        return self._normalised(pixels[:, top : top + height, left : left + width])

    def _unfold(self) -> Tensor:
        """Every window of the store and its mirror images: a view [2N, rows, columns, H, W, C].

        Padding is the offset, which becomes 0 when normalised, as the network's own padding is.
        """
        pad = self._amounts.padding
        padded = F.pad(self._images, (0, 0, pad, pad, pad, pad), value=float(self._preprocess.offset))
        both = torch.cat([padded, padded.flip(2)])
        height, width = self._preprocess.image_size
        return both.unfold(1, height, 1).unfold(2, width, 1).permute(0, 1, 2, 4, 5, 3)

    def _drawn(self, choices: int, count: int, generator: torch.Generator) -> Tensor:
        """One of `choices` numbers for each of `count` pictures, the same for a whole chunk of them."""
        draws = torch.randint(choices, (-(-count // self._chunk),), generator=generator)
        return draws.repeat_interleave(self._chunk)[:count]

    def _cutout(self, count: int, generator: torch.Generator) -> Tensor:
        """A mask [B, H, W, 1] of one square a picture around any of its pixels, cut off at the border.

        Source: DeVries and Taylor 2017, "Improved Regularization of Convolutional Neural Networks with Cutout".
        """
        rows, columns = (
            self._span(size, torch.randint(size, (count, 1), generator=generator))
            for size in self._preprocess.image_size
        )
        return (rows[:, :, None] & columns[:, None, :])[..., None]

    def _span(self, size: int, middle: Tensor) -> Tensor:
        """Which of `size` positions lie in the cut-out side around `middle` [B, 1]: bool [B, size]."""
        side = self._amounts.cutout
        start = middle.to(self._images.device) - side // 2
        position = torch.arange(size, device=self._images.device)
        return (position >= start) & (position < start + side)

    def _normalised(self, pixels: Tensor) -> Tensor:
        """`(pixel - offset) * scale` of uint8 [B, H, W, C], seen as float32 [B, C, H, W]."""
        preprocess = self._preprocess
        return pixels.float().sub_(preprocess.offset).mul_(preprocess.scale).permute(0, 3, 1, 2)


class _Colour:
    """Colour noise on uint8 batches: one draw a picture and use, the same for all of its pixels."""

    def __init__(self, images: Tensor, preprocess: Preprocess, config: ColourNoise, device: torch.device) -> None:
        pixels = images.cpu().numpy()
        axes = colour_axes(pixels)
        deviations = noise_deviations(axes, config.reading)
        self.until = config.until
        self._divisor = config.divisor
        self._shifts = torch.from_numpy((deviations[:, None] * axes.axes).astype("float32")).to(device)
        self._mean = torch.from_numpy(mean_image(pixels, preprocess)).to(device)

    def noisy(self, pixels: Tensor, generator: torch.Generator) -> Tensor:
        """`mean + (pixel - mean + noise) / divisor` of uint8 [B, H, W, C], as float32: not yet normalised."""
        draws = torch.randn((len(pixels), len(self._shifts)), generator=generator).to(pixels.device)
        shifted = pixels.float() + (draws @ self._shifts)[:, None, None, :]
        return shifted if self._divisor == 1 else self._mean + (shifted - self._mean) / self._divisor
