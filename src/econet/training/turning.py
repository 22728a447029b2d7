"""Self-supervised learning: tell by how many quarter turns a picture was turned, and learn what it shows on the way.

Source: Gidaris, Singh and Komodakis 2018, "Unsupervised Representation Learning by Predicting Image Rotations", section
2: quarter turns leave no trace in the pixels by which they could be told, and four of them suffice. Chosen among the
methods without labels for small networks on a CPU: one picture once through the network is a lesson, any batch size
will do, no second network is needed, and one that collapsed to a single answer is right a quarter of the time, which is
seen. Where pictures have no upright, as those of a microscope, there is nothing to learn, and it is said so.
"""

import torch
from torch import Tensor

from econet.data.augmentation import Augmenter
from econet.data.unlabelled import TURNS
from econet.statistics.intervals import wilson

CHANCE = 1 / len(TURNS)


def dealt_turns(count: int, generator: torch.Generator) -> Tensor:
    """Quarter turns [count] for a batch: each number of them as often as the others, in random order."""
    return torch.randperm(count, generator=generator) % len(TURNS)


def turned(images: Tensor, turns: Tensor) -> Tensor:
    """Square images [N, C, H, H], each turned counter-clockwise by its number of quarter turns [N]; same layout."""
    result = torch.empty_like(images)
    for number in range(len(TURNS)):
        rows = torch.nonzero(turns == number)[:, 0].to(images.device)
        result[rows] = torch.rot90(images[rows], number, (2, 3))
    return result


class TurnedPictures:
    """Every picture of a split in all four positions, one after the other."""

    def __init__(self, store: Augmenter) -> None:
        self._store = store
        self.labels = torch.arange(len(store) * len(TURNS)) % len(TURNS)

    def plain(self, indices: Tensor) -> Tensor:
        """Those at `indices` [B], unchanged but for the turn: float32 [B, C, H, W]."""
        return turned(self._store.plain(indices // len(TURNS)), indices % len(TURNS))


def learned_nothing(accuracy: float, images: int) -> str | None:
    """What to say of a network that still turns by chance, by its accuracy on `images` pictures; None of others."""
    if wilson(accuracy * images, images)[0] > CHANCE:
        return None
    return (
        f"it tells how pictures are turned no better than chance ({accuracy:.1%} right on {images} held out): nothing "
        "was learned that could help; perhaps they have no upright, or it took too few steps"
    )
