"""Windows into pictures: every possible one, of the padded pictures and their mirror images, is a view to index."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from econet.data.dataset import Images
from econet.data.stream import StreamedPixels, as_streamed
from econet.images.preprocess import Pixels, Preprocess


def pictures(images: Images) -> Tensor | StreamedPixels:
    """A split's pictures as the Augmenter takes them: a tensor that shares their memory, or streamed."""
    streamed = as_streamed(images.pixels)
    return torch.from_numpy(images.pixels) if streamed is None else streamed


@dataclass(frozen=True, slots=True)
class Edge:
    """What lies around a picture: so many pixels of one gray level."""

    padding: int
    level: int


class Held:
    """Pictures in memory, uint8 [N, H, W, C]; without an `edge` only whole ones are handed out."""

    def __init__(self, images: Tensor, preprocess: Preprocess, edge: Edge | None) -> None:
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


class Streamed:
    """Pictures decoded batch by batch; the same windows as of pictures in memory."""

    def __init__(self, pixels: StreamedPixels, preprocess: Preprocess, edge: Edge, device: torch.device) -> None:
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


def _unfolded(images: Tensor, preprocess: Preprocess, edge: Edge) -> Tensor:
    """Every window of `images` [N, H, W, C] and their mirror images: a view [2N, rows, columns, h, w, C]."""
    count, padding = len(images), edge.padding
    height, width = images.shape[1] + 2 * padding, images.shape[2] + 2 * padding
    # Filled in place: the padded pictures once more in memory would be gigabytes of 50,000 with 128 pixels a side.
    both = images.new_full((2 * count, height, width, images.shape[3]), edge.level)
    inside = both[:, padding : height - padding, padding : width - padding]
    inside[:count] = images
    inside[count:] = images.flip(2)
    height, width = preprocess.image_size
    return both.unfold(1, height, 1).unfold(2, width, 1).permute(0, 1, 2, 4, 5, 3)
