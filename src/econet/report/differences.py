"""Where the two networks differ: classes that lost or gained, and which classes are taken for which."""

from dataclasses import dataclass

import numpy as np

from econet.measurement.accuracy import Predictions
from econet.report.answers import right
from econet.report.charts.interval import Bar
from econet.runs.artifact_records import Evaluation
from econet.statistics.intervals import tango

MOST_CLASSES = 12
MOST_CONFUSIONS = 8


@dataclass(frozen=True, slots=True)
class Confusion:
    """Pictures of class `truth` that were answered `answer`, by each side."""

    truth: int
    answer: int
    candidate: int
    baseline: int


def class_changes(names: tuple[str, ...], baseline: Predictions, candidate: Predictions) -> list[Bar]:
    """Each class's paired change with its interval, most lost first; of many classes the outermost 12."""
    bars: list[Bar] = []
    for label in np.unique(baseline.truth).tolist():
        of_class = baseline.truth == label
        only_baseline = int(np.count_nonzero(of_class & right(baseline) & ~right(candidate)))
        only_candidate = int(np.count_nonzero(of_class & right(candidate) & ~right(baseline)))
        images = int(np.count_nonzero(of_class))
        estimate = (only_candidate - only_baseline) / images
        interval = tango(only_baseline, only_candidate, images)
        bars.append(Bar(names[label], estimate, interval, note=f", {images:,} pictures"))
    bars.sort(key=lambda bar: bar.estimate)
    if len(bars) <= MOST_CLASSES:
        return bars
    half = MOST_CLASSES // 2
    return [*bars[:half], *bars[-half:]]


def confusions(baseline: Evaluation, candidate: Evaluation) -> list[Confusion]:
    """The pairs of classes that the candidate confuses most often, with the baseline's count beside."""
    of_candidate = np.array(candidate.confusion)
    of_baseline = np.array(baseline.confusion)
    np.fill_diagonal(of_candidate, 0)
    order = np.argsort(-of_candidate, axis=None, kind="stable")[:MOST_CONFUSIONS]
    pairs = [divmod(int(place), of_candidate.shape[1]) for place in order]
    return [
        Confusion(truth, answer, int(of_candidate[truth, answer]), int(of_baseline[truth, answer]))
        for truth, answer in pairs
        if of_candidate[truth, answer]
    ]
