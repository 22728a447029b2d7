"""What is to be shown of explained pictures: the record, and the arrays that no record holds."""

from dataclasses import dataclass
from html import escape

from econet.explanation.question import Map
from econet.images.preprocess import Pixels
from econet.report import explanation_words as words
from econet.report.embedded import embedded, reduced
from econet.report.heat import overlay
from econet.runs.explanation_records import ExplainedImage, Explanations


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

    def _repr_html_(self) -> str:
        """What a notebook shows: every picture beside its maps, with the answers."""
        return "".join(_row(*each) for each in zip(self.record.images, self.pictures, strict=True))


def _row(image: ExplainedImage, picture: Pictured) -> str:
    shown = [picture.seen[0], *(overlay(*each) for each in zip(picture.seen, picture.maps, strict=True))]
    drawn = "".join(f'<img src="{embedded(reduced(each)).source}" width="112" alt=""> ' for each in shown)
    said = "; ".join(words.answers(each) for each in image.explanations)
    return f"<p>{escape(image.image)}: {escape(said)}</p><p>{drawn}</p>"
