"""Augmentation on whole batches of tensors: shift or crop, flip, cutout, normalise - no picture one by one.

The trick is a view: of the padded images and their mirror images every possible window is unfolded without a
copy, so that one indexing operation cuts a different window out of each picture of the batch.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from econet.images.preprocess import Preprocess

Policy = Literal["none", "light", "standard", "strong"]


@dataclass(frozen=True, slots=True)
class Amounts:
    """What a policy does to one size of picture: padding around it and the side of the cut-out square, in pixels.

    `padding` is also the largest shift in every direction; 0 where crops come out of a larger store.
    """

    padding: int
    cutout: int


def amounts(policy: Policy, preprocess: Preprocess) -> Amounts:
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
    store twice more (as it is and mirrored), as uint8.
    """

    def __init__(self, images: Tensor, preprocess: Preprocess, policy: Policy, device: torch.device) -> None:
        self._preprocess = preprocess
        self._images = images.to(device)
        self._amounts = amounts(policy, preprocess)
        self._windows = None if policy == "none" else self._unfold()

    def __len__(self) -> int:
        return len(self._images)

    def batch(self, indices: Tensor, generator: torch.Generator) -> Tensor:
        """The augmented pictures of `indices` [B] (int64) as float32 [B, C, H, W] in channels-last layout.

        Chance comes from `generator` alone (a CPU one, whatever the device), always drawn in the order flip,
        rows, columns, cut-out rows, cut-out columns: the same state gives the same batch on any device.
        """
        windows = self._windows
        if windows is None:
            return self.plain(indices)
        device, count = self._images.device, len(indices)
        flip = torch.randint(2, (count,), generator=generator)
        row = torch.randint(windows.shape[1], (count,), generator=generator)
        column = torch.randint(windows.shape[2], (count,), generator=generator)
        which = indices.to(device) + flip.to(device) * len(self)
        pixels = windows[which, row.to(device), column.to(device)]
        if self._amounts.cutout:
            pixels.masked_fill_(self._cutout(count, generator), self._preprocess.offset)
        return self._normalised(pixels)

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
