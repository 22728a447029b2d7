"""Augmentation on whole batches of tensors: shift or crop, flip, cutout, colour, normalise - no picture one by one.

The trick is a view: of the padded images and their mirror images every possible window is unfolded without a
copy, so that one indexing operation cuts a different window out of each picture of the batch.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from econet.data.augmentation.changes import ChangeDraws, changed, drawn_changes
from econet.data.augmentation.colour import Colour
from econet.data.augmentation.policies import amounts
from econet.data.augmentation.windows import Edge, Held, Streamed
from econet.data.pixel_statistics import PixelStatistics
from econet.data.stream import StreamedPixels
from econet.images.preprocess import Preprocess
from econet.runs.choices import Augment, ColourNoise


@dataclass(frozen=True, slots=True)
class Draws:
    """All chance in the pictures of a batch, an entry a picture; None where a policy draws nothing of the kind.

    `window` [N, 3] is mirror coin, row and column, `cutout` [N, 2] the square's middle, `colour` [N, A] the noise along
    each axis.
    """

    window: Tensor | None = None
    cutout: Tensor | None = None
    change: ChangeDraws | None = None
    colour: Tensor | None = None

    def of(self, rows: Tensor) -> "Draws":
        """Those of `rows`."""
        return Draws(
            window=None if self.window is None else self.window[rows],
            cutout=None if self.cutout is None else self.cutout[rows],
            change=None if self.change is None else self.change.of(rows),
            colour=None if self.colour is None else self.colour[rows],
        )


class Augmenter:
    """One split's pictures on a device, handed out as normalised float32 batches [B, C, H, W], channels last.

    `images` is the store, uint8 [N, H, W, C] of `preprocess.resize_size`, or streamed pictures of that size. Any policy
    but `none` holds a padded store in memory twice more (as it is and mirrored), as uint8. `chunk` images in a row of a
    batch share crop and mirror. Colour noise is measured on the store where `statistics` are not given. Beyond the edge
    lies the gray level `beyond`: by default the offset, which becomes 0 when normalised, as networks pad.
    Raises UserError for colour noise on gray pictures.
    """

    def __init__(
        self,
        images: Tensor | StreamedPixels,
        preprocess: Preprocess,
        policy: Augment,
        device: torch.device,
        *,
        colour: ColourNoise | None = None,
        chunk: int = 1,
        statistics: PixelStatistics | None = None,
        beyond: int | None = None,
    ) -> None:
        self._preprocess = preprocess
        self._beyond = preprocess.offset if beyond is None else beyond
        self._chunk = chunk
        self._device = device
        self._colour = None if colour is None else Colour(images, preprocess, colour, device, statistics)
        self._amounts = amounts(policy, preprocess)
        self._varies = policy != "none"
        edge = Edge(self._amounts.padding, self._beyond)
        self._store: Held | Streamed = (
            Held(images.to(device), preprocess, edge if self._varies else None)
            if isinstance(images, Tensor)
            else Streamed(images, preprocess, edge, device)
        )

    def __len__(self) -> int:
        return len(self._store)

    def expect(self, batches: Iterable[Tensor]) -> None:
        """Say which indices the next calls of `batch` will bring, each this process's part: streams decode ahead."""
        self._store.expect(batches)

    def batch(
        self, indices: Tensor, generator: torch.Generator, progress: float = 0.0, mine: Tensor | None = None
    ) -> Tensor:
        """The augmented pictures of `indices` [B] (int64) as float32 [B, C, H, W] in channels-last layout.

        Chance comes from `generator` alone: the same state draws the same for the batch on any device. `progress` is
        the share of the training that lies behind; colour noise may end before the training does. Of several processes
        each names its part of the batch, positions `mine` [b]: all draw for the whole batch and make their own pictures
        only.
        """
        draws = self.drawn(len(indices), generator, progress)
        return self.made(indices, draws) if mine is None else self.made(indices[mine], draws.of(mine))

    def drawn(self, count: int, generator: torch.Generator, progress: float = 0.0) -> Draws:
        """The chance in `count` pictures, from `generator` (a CPU one, whatever the device).

        Always in the order flip, rows, columns, cut-out rows, cut-out columns, change, colour.
        """
        window = cutout = change = colour = None
        if self._varies:
            rows, columns = self._store.places
            window = torch.stack([self._chunked(choices, count, generator) for choices in (2, rows, columns)], dim=1)
        if self._amounts.cutout:
            sides = self._preprocess.image_size
            cutout = torch.cat([torch.randint(side, (count, 1), generator=generator) for side in sides], dim=1)
        if self._amounts.changes:
            change = drawn_changes(count, self._preprocess.channels, generator)
        if self._colour is not None and progress < self._colour.until:
            colour = self._colour.drawn(count, generator)
        return Draws(window=window, cutout=cutout, change=change, colour=colour)

    def made(self, indices: Tensor, draws: Draws) -> Tensor:
        """The pictures of `indices` [B] as `draws` vary them; same layout as `batch`.

        `batch` is this after `drawn`. Who keeps the draws can make the same pictures again, one by one or in any order.
        """
        pixels = (
            self._centre(indices) if draws.window is None else self._store.windows(indices, *draws.window.unbind(1))
        )
        if draws.change is not None:
            pixels = changed(pixels, draws.change, self._beyond)
        if draws.cutout is not None:
            pixels.masked_fill_(self._cutout(draws.cutout), self._beyond)
        if self._colour is not None and draws.colour is not None:
            pixels = self._colour.noisy(pixels, draws.colour)
        return self._normalised(pixels)

    def plain(self, indices: Tensor) -> Tensor:
        """The pictures of `indices` [B] as evaluation sees them: the centre, unchanged; same layout as `batch`."""
        return self._normalised(self._centre(indices))

    def _centre(self, indices: Tensor) -> Tensor:
        """The central windows of the pictures of `indices` [B]: uint8 [B, H, W, C]."""
        pixels = self._store.whole(indices)
        height, width = self._preprocess.image_size
        top, left = (pixels.shape[1] - height) // 2, (pixels.shape[2] - width) // 2
        return pixels[:, top : top + height, left : left + width]

    def _chunked(self, choices: int, count: int, generator: torch.Generator) -> Tensor:
        """One of `choices` numbers for each of `count` pictures, the same for a whole chunk of them."""
        draws = torch.randint(choices, (-(-count // self._chunk),), generator=generator)
        return draws.repeat_interleave(self._chunk)[:count]

    def _cutout(self, middle: Tensor) -> Tensor:
        """A mask [B, H, W, 1] of one square a picture around its `middle` [B, 2], cut off at the border.

        Source: DeVries and Taylor 2017, "Improved Regularization of Convolutional Neural Networks with Cutout".
        """
        height, width = self._preprocess.image_size
        rows, columns = self._span(height, middle[:, :1]), self._span(width, middle[:, 1:])
        return (rows[:, :, None] & columns[:, None, :])[..., None]

    def _span(self, size: int, middle: Tensor) -> Tensor:
        """Which of `size` positions lie in the cut-out side around `middle` [B, 1]: bool [B, size]."""
        side = self._amounts.cutout
        start = middle.to(self._device) - side // 2
        position = torch.arange(size, device=self._device)
        return (position >= start) & (position < start + side)

    def _normalised(self, pixels: Tensor) -> Tensor:
        """`(pixel - offset) * scale` of uint8 [B, H, W, C], seen as float32 [B, C, H, W]."""
        preprocess = self._preprocess
        return pixels.float().sub_(preprocess.offset).mul_(preprocess.scale).permute(0, 3, 1, 2)
