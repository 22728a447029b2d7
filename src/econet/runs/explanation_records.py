"""The schema of `explanation.json`: what networks answered to pictures, where they looked, and whether that is true."""

from typing import Literal

from econet.runs.artifact_records import Precision
from econet.runs.choices import ExplainMethod
from econet.runs.record import SCHEMA, Record


class ExplainedSubject(Record, frozen=True, kw_only=True):
    """Who was asked. `macs` of one answer, None where they are not known."""

    path: str
    name: str
    kind: Literal["file", "network", "hand-crafted"]
    precision: Precision
    macs: int | None


class ClassAnswer(Record, frozen=True, kw_only=True):
    """One class and its probability."""

    label: str
    probability: float


class PictureMap(Record, frozen=True, kw_only=True):
    """A map of one picture for the class `about`, in `score`.

    `asked` is how often the network answered for it, `places` how many (rows, columns) Grad-CAM could tell apart.
    A flat map says that no part of the picture matters more than another; it has no place. `grid` is the map as 8 x 8
    means, the upper left first; `maps.npz` holds it whole.
    """

    method: ExplainMethod
    about: str
    probability: float
    score: Literal["log-probability", "logit"]
    asked: int
    places: tuple[int, int] | None
    flat: bool
    place: str | None
    grid: tuple[tuple[float, ...], ...]


class MapEvidence(Record, frozen=True, kw_only=True):
    """Areas under the curves of deletion and insertion (0 to 1), the map's and the mean of random masks of the picture.

    `forgotten` is the rank correlation with the map of the same network with random weights; None where that map is
    flat, or where the weights cannot be reached.
    """

    deletion: float
    insertion: float
    random_deletion: float
    random_insertion: float
    forgotten: float | None


class Explanation(Record, frozen=True, kw_only=True):
    """What one subject said to one picture, the likeliest classes first."""

    answers: tuple[ClassAnswer, ...]
    map: PictureMap
    evidence: MapEvidence | None


class MapAgreement(Record, frozen=True, kw_only=True):
    """How far two subjects agree: their answers, the order of their maps' pixels, and these maps' strongest fifths.

    `top_overlap` is the share of one fifth that is in the other, 0.2 by chance; both are None where a map is flat.
    """

    same_answer: bool
    rank_correlation: float | None
    top_overlap: float | None


class AlikePicture(Record, frozen=True, kw_only=True):
    """A training picture: its class, its distance in the last hidden layer, its number among the training pictures."""

    label: str
    distance: float
    position: int


class ExplainedImage(Record, frozen=True, kw_only=True):
    """One picture: an explanation for each subject, in their order."""

    image: str
    explanations: tuple[Explanation, ...]
    agreement: MapAgreement | None
    neighbours: tuple[AlikePicture, ...] | None


class Explanations(Record, frozen=True, kw_only=True):
    """`explanation.json`."""

    schema: int = SCHEMA
    created: str
    command: str
    econet: str
    seed: int
    subjects: tuple[ExplainedSubject, ...]
    images: tuple[ExplainedImage, ...]
