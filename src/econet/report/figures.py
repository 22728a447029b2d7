"""What the figures of a run show: its first filters, its answers to some pictures, and what it finds alike."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from econet.images.preprocess import Pixels

# The paper's figure 4 shows five labels and six neighbours a picture.
LABELS = 5


@dataclass(frozen=True, slots=True)
class Column:
    """The first-layer filters of one column, [F, C, h, w], and the colourfulness of each; None where all is gray."""

    filters: NDArray[np.float32]
    colourfulness: NDArray[np.float64] | None


@dataclass(frozen=True, slots=True)
class Alike:
    """A training picture, as much of it as the network sees: uint8 [h, w, C], its class, how far it is, its number."""

    pixels: Pixels
    label: int
    distance: float
    position: int


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture as the network sees it, its class where that is known, the answer [K], and what lies nearest to it."""

    name: str
    pixels: Pixels
    truth: int | None
    probabilities: NDArray[np.float32]
    by_hidden: tuple[Alike, ...]
    by_pixels: tuple[Alike, ...]

    @property
    def top(self) -> tuple[tuple[int, float], ...]:
        """The most probable classes with their probabilities, at most five."""
        order = np.argsort(-self.probabilities, kind="stable")[:LABELS]
        return tuple((int(label), float(self.probabilities[label])) for label in order)


@dataclass(frozen=True, slots=True)
class Figures:
    """All of it. `columns` holds one or two; `p_value` of the difference of their colourfulness, None where one."""

    model: str
    data: str
    seed: int
    made: str
    classes: tuple[str, ...]
    columns: tuple[Column, ...]
    p_value: float | None
    shown: tuple[Shown, ...]
    training_images: int
    hidden_width: int

    def purity(self, way: str) -> float | None:
        """Share of the neighbours that are of their picture's class, `by_hidden` or `by_pixels`; None if unknown."""
        same = [each.label == shown.truth for shown in self._told for each in getattr(shown, way)]
        return sum(same) / len(same) if same else None

    @property
    def _told(self) -> list[Shown]:
        return [shown for shown in self.shown if shown.truth is not None]
