"""Is an explanation true: does the answer go where the map says it comes from? No torch.

Deletion hides the pixels that a map calls important first and watches the answer fall; insertion shows them first and
watches it rise. A true map makes the one area small and the other large, against maps that know nothing but are as
smooth: random masks of the same picture.
Source: Petsiuk, Das and Saenko 2018, "RISE", section 4.2.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from econet.explanation.question import Map, Question
from econet.explanation.random_masks import smooth_masks
from econet.statistics.intervals import Interval, t_interval
from econet.statistics.streams import stream_seed

# The picture goes in so many equal parts, and so many random masks are asked beside the map.
STEPS, RANDOM = 16, 10
# Against Adebayo's test: maps of a network with random weights whose order still agrees with the true one's by more
# than this do not come from the network.
MOST_LIKE_RANDOM = 0.3


@dataclass(frozen=True, slots=True)
class Areas:
    """The areas under both curves, 0 to 1: the mean probability of the class while pixels go, and while they come."""

    deletion: float
    insertion: float


@dataclass(frozen=True, slots=True)
class AgainstRandom:
    """A map's areas on one picture, and the mean areas of random masks there."""

    found: Areas
    random: Areas

    @property
    def deletion_gain(self) -> float:
        """By how much less is left while pixels go than under random masks; above 0 the map knows something."""
        return self.random.deletion - self.found.deletion

    @property
    def insertion_gain(self) -> float:
        """By how much more is there while pixels come than under random masks; above 0 the map knows something."""
        return self.found.insertion - self.random.insertion


@dataclass(frozen=True, slots=True)
class Mean:
    """The mean of a figure over pictures, with its 95 % t interval."""

    value: float
    interval: Interval
    images: int


def against_random(question: Question, found: Map, *, seed: int) -> AgainstRandom:
    """Hold a map [h, w] against `RANDOM` random masks of the same picture, drawn by `seed`."""
    height, width = found.shape
    # A stream of their own: the map may have been made of the masks that this very seed draws.
    random = smooth_masks(RANDOM, height, width, stream_seed(seed, "evidence"))
    areas = [_areas(question, each) for each in (found, *random.astype(np.float64))]
    others = areas[1:]
    mean = Areas(
        float(np.mean([each.deletion for each in others])), float(np.mean([each.insertion for each in others]))
    )
    return AgainstRandom(areas[0], mean)


def curves(question: Question, found: Map) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The class's probability [STEPS + 1] while the map's strongest pixels go first, and while they come first."""
    place = np.empty(found.size)
    place[np.argsort(-found, axis=None, kind="stable")] = np.arange(found.size)
    shares = np.linspace(0, 1, STEPS + 1)[:, None, None]
    gone = place.reshape(found.shape) < shares * found.size
    probability = np.exp(question.scores(np.concatenate([~gone, gone]).astype(np.float32)))
    return probability[: STEPS + 1], probability[STEPS + 1 :]


def mean_of(values: Sequence[float]) -> Mean:
    """The mean over pictures of a figure that was paired on each. Raises ValueError under three pictures."""
    return Mean(float(np.mean(values)), t_interval(values), len(values))


def depends_on_weights(correlations: Sequence[float | None]) -> tuple[Mean, bool]:
    """Whether maps come from what a network learned, by their rank correlations with those of random weights.

    `correlations` are the pictures' own; a map that became flat has None and counts as 0. It holds where the interval
    of the mean lies below 0.3. A map that never asks the network, such as its edges, stays at 1 and fails.
    Source: Adebayo et al. 2018, "Sanity Checks for Saliency Maps", section 3.
    """
    mean = mean_of([0.0 if each is None else each for each in correlations])
    return mean, mean.interval[1] < MOST_LIKE_RANDOM


def _areas(question: Question, found: Map) -> Areas:
    deletion, insertion = curves(question, found)
    return Areas(_area(deletion), _area(insertion))


def _area(curve: NDArray[np.float64]) -> float:
    """The area under a curve over equal steps from 0 to 1, by trapezoids."""
    return float((curve[:-1] + curve[1:]).sum() / (2 * (len(curve) - 1)))
