"""Augmentation on whole batches of tensors: shift or crop, flip, cutout, colour, normalise - no picture one by one.

The trick is a view: of the padded images and their mirror images every possible window is unfolded without a
copy, so that one indexing operation cuts a different window out of each picture of the batch.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from econet.data.colour_noise import ColourAxes, colour_axes, noise_deviations
from econet.data.dataset import Images
from econet.data.pixel_statistics import PixelStatistics
from econet.data.store import mean_image
from econet.data.stream import StreamedPixels, as_streamed
from econet.images.preprocess import Pixels, Preprocess
from econet.runs.choices import Augment, ColourNoise


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
        self._colour = None if colour is None else _Colour(images, preprocess, colour, device, statistics)
        self._amounts = amounts(policy, preprocess)
        self._varies = policy != "none"
        edge = _Edge(self._amounts.padding, self._beyond)
        self._store: _Held | _Streamed = (
            _Held(images.to(device), preprocess, edge if self._varies else None)
            if isinstance(images, Tensor)
            else _Streamed(images, preprocess, edge, device)
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

        Chance comes from `generator` alone (a CPU one, whatever the device), always drawn in the order flip,
        rows, columns, cut-out rows, cut-out columns, colour: the same state gives the same batch on any device.
        `progress` is the share of the training that lies behind; colour noise may end before the training does.
        Of several processes each names its part of the batch, positions `mine` [b]: all draw for the whole batch and
        make their own pictures only.
        """
        part = torch.arange(len(indices)) if mine is None else mine
        pixels = self._varied(indices, part, generator) if self._varies else self._centre(indices[part])
        if self._colour is None or progress >= self._colour.until:
            return self._normalised(pixels)
        draws = self._colour.drawn(len(indices), generator)
        return self._normalised(self._colour.noisy(pixels, draws[part]))

    def plain(self, indices: Tensor) -> Tensor:
        """The pictures of `indices` [B] as evaluation sees them: the centre, unchanged; same layout as `batch`."""
        return self._normalised(self._centre(indices))

    def _centre(self, indices: Tensor) -> Tensor:
        """The central windows of the pictures of `indices` [B]: uint8 [B, H, W, C]."""
        pixels = self._store.whole(indices)
        height, width = self._preprocess.image_size
        top, left = (pixels.shape[1] - height) // 2, (pixels.shape[2] - width) // 2
        return pixels[:, top : top + height, left : left + width]

    def _varied(self, indices: Tensor, part: Tensor, generator: torch.Generator) -> Tensor:
        """A drawn window of each picture at `part` [b] of `indices` [B], cut out where the policy says so: uint8."""
        count = len(indices)
        rows, columns = self._store.places
        flip = self._drawn(2, count, generator)
        row = self._drawn(rows, count, generator)
        column = self._drawn(columns, count, generator)
        pixels = self._store.windows(indices[part], flip[part], row[part], column[part])
        if self._amounts.cutout:
            pixels.masked_fill_(self._cutout(count, generator)[part.to(self._device)], self._beyond)
        return pixels

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
        start = middle.to(self._device) - side // 2
        position = torch.arange(size, device=self._device)
        return (position >= start) & (position < start + side)

    def _normalised(self, pixels: Tensor) -> Tensor:
        """`(pixel - offset) * scale` of uint8 [B, H, W, C], seen as float32 [B, C, H, W]."""
        preprocess = self._preprocess
        return pixels.float().sub_(preprocess.offset).mul_(preprocess.scale).permute(0, 3, 1, 2)


def pictures(images: Images) -> Tensor | StreamedPixels:
    """A split's pictures as the Augmenter takes them: a tensor that shares their memory, or streamed."""
    streamed = as_streamed(images.pixels)
    return torch.from_numpy(images.pixels) if streamed is None else streamed


@dataclass(frozen=True, slots=True)
class _Edge:
    """What lies around a picture: so many pixels of one gray level."""

    padding: int
    level: int


class _Held:
    """Pictures in memory, uint8 [N, H, W, C]; without an `edge` only whole ones are handed out."""

    def __init__(self, images: Tensor, preprocess: Preprocess, edge: _Edge | None) -> None:
        self._images = images
        self._windows = None if edge is None else _unfolded(images, preprocess, edge)

    def __len__(self) -> int:
        return len(self._images)

    def expect(self, batches: Iterable[Tensor]) -> None:
        """Nothing to prepare."""

    @property
    def places(self) -> tuple[int, int]:
        """How many rows and columns a window can begin at."""
        return (1, 1) if self._windows is None else (self._windows.shape[1], self._windows.shape[2])

    def whole(self, indices: Tensor) -> Tensor:
        """The pictures of `indices` [B] in full."""
        return self._images[indices.to(self._images.device)]

    def windows(self, indices: Tensor, flip: Tensor, row: Tensor, column: Tensor) -> Tensor:
        """A window of each of `indices` [B], of its mirror image where `flip` is 1."""
        if self._windows is None:
            raise ValueError("these pictures are kept whole")
        device = self._images.device
        which = indices.to(device) + flip.to(device) * len(self)
        return self._windows[which, row.to(device), column.to(device)]


class _Streamed:
    """Pictures decoded batch by batch; the same windows as of pictures in memory."""

    def __init__(self, pixels: StreamedPixels, preprocess: Preprocess, edge: _Edge, device: torch.device) -> None:
        self._pixels = pixels
        self._preprocess = preprocess
        self._edge = edge
        self._device = device
        self._ahead: Iterator[tuple[Tensor, Pixels]] = iter(())

    def __len__(self) -> int:
        return len(self._pixels)

    def expect(self, batches: Iterable[Tensor]) -> None:
        """Decode `batches` from now on, ahead of being asked."""
        wanted = list(batches)
        self._ahead = zip(wanted, self._pixels.batches([indices.numpy() for indices in wanted]), strict=True)

    @property
    def places(self) -> tuple[int, int]:
        """How many rows and columns a window can begin at."""
        sizes = zip(self._preprocess.resize_size, self._preprocess.image_size, strict=True)
        rows, columns = (stored + 2 * self._edge.padding - seen + 1 for stored, seen in sizes)
        return rows, columns

    def whole(self, indices: Tensor) -> Tensor:
        """The pictures of `indices` [B] in full: the next of those expected, else decoded now."""
        expected, pixels = next(self._ahead, (None, None))
        if expected is None or pixels is None:
            return torch.from_numpy(self._pixels[indices.cpu().numpy()]).to(self._device)
        if not torch.equal(expected, indices):
            raise ValueError("a batch was asked for that is not the expected one")
        return torch.from_numpy(pixels).to(self._device)

    def windows(self, indices: Tensor, flip: Tensor, row: Tensor, column: Tensor) -> Tensor:
        """A window of each of `indices` [B], of its mirror image where `flip` is 1."""
        images = self.whole(indices)
        device = self._device
        which = torch.arange(len(images), device=device) + flip.to(device) * len(images)
        return _unfolded(images, self._preprocess, self._edge)[which, row.to(device), column.to(device)]


def _unfolded(images: Tensor, preprocess: Preprocess, edge: _Edge) -> Tensor:
    """Every window of `images` [N, H, W, C] and their mirror images: a view [2N, rows, columns, h, w, C]."""
    padding = edge.padding
    padded = F.pad(images, (0, 0, padding, padding, padding, padding), value=float(edge.level))
    both = torch.cat([padded, padded.flip(2)])
    height, width = preprocess.image_size
    return both.unfold(1, height, 1).unfold(2, width, 1).permute(0, 1, 2, 4, 5, 3)


class _Colour:
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
