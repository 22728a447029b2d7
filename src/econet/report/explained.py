"""What is to be shown of explained pictures: the record, and the arrays that no record holds."""

from dataclasses import dataclass

from econet.explanation.question import Map
from econet.images.preprocess import Pixels
from econet.runs.explanation_records import Explanations


@dataclass(frozen=True, slots=True)
class Pictured:
    """One picture as each subject saw it, uint8 [h, w, C], its map in each, [h, w], and the training pictures alike."""

    seen: tuple[Pixels, ...]
    maps: tuple[Map, ...]
    neighbours: tuple[Pixels, ...]


@dataclass(frozen=True, slots=True)
class Explained:
    """The record, and what belongs to each of its images, in their order."""

    record: Explanations
    pictures: tuple[Pictured, ...]
