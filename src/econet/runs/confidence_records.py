"""The schemas of confidence: what an artifact holds of it, and what an evaluation found of it."""

from econet.runs.record import Record

# The coverages an artifact has thresholds for: 50 %, 51 %, ... 99 %.
LEAST_COVERAGE, MOST_COVERAGE = 50, 99


class Confidence(Record, frozen=True, kw_only=True):
    """The entry `econet.confidence` of an artifact; fitted on validation images, which are divided in two.

    `temperature` divides the logits (fitted on the first `images[0]`). Of the other `images[1]`: `scores` holds, for a
    coverage of 50 %, 51 %, ..., the largest -log probability of a class that belongs to the set, up to the highest
    coverage that so many images can state; an image whose -log softmax is on average over the classes less than
    `familiar` (at a temperature of 1) looks unlike the training pictures, which is a false alarm on `false_alarms` of
    pictures like them.
    """

    temperature: float
    scores: tuple[float, ...]
    familiar: float
    false_alarms: float
    images: tuple[int, int]


class Covered(Record, frozen=True, kw_only=True):
    """Sets of a stated coverage on the images of an evaluation: the share that holds the true class, with the interval
    it lies in for 95 of 100 choices of calibration and of these images; classes in a set on average; the share of sets
    that hold none.
    """

    stated: float
    covered: float
    interval: tuple[float, float]
    mean_classes: float
    empty: float


class Foreign(Record, frozen=True, kw_only=True):
    """Pictures of another source than the training's: how many, the share of them noticed as none of the classes, and
    the area under the ROC curve by which familiarity tells them from the images of the evaluation.
    """

    name: str
    fingerprint: str
    images: int
    noticed: float
    auroc: float


class ConfidenceFound(Record, frozen=True, kw_only=True):
    """Confidence measured: calibration error and likelihood without the temperature (those with it are the
    evaluation's own), sets at three coverages, the share of images called unlike the training pictures, and what was
    noticed of pictures from other sources, where some were asked for.
    """

    temperature: float
    ece_before: float
    nll_before: float
    coverage: tuple[Covered, ...]
    false_alarms_stated: float
    false_alarms: float
    foreign: tuple[Foreign, ...] = ()
