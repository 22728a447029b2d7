"""What the networks say about one picture file: classes, how far to trust them, what each one saw, how long it took."""

import statistics
import time
from collections.abc import Sequence

from econet.deployment.predictor import Prediction, Predictor
from econet.images.preprocess import Pixels, cropped
from econet.report import numbers
from econet.report.embedded import embedded
from econet.runs.record import Record
from econet.serving.fitting import advice, described, fitted
from econet.serving.given import Given, given_to
from econet.serving.networks import Network

TIMED_CALLS = 5
SHOWN_CLASSES = 5
# A set holds the right class so often; of one with many classes the first are named.
COVERAGE = 0.9
_NAMED_IN_SET = 8


class LabelAnswer(Record, frozen=True, kw_only=True):
    """One class, its name fit to show, and its probability."""

    label: str
    probability: float


class Sureness(Record, frozen=True, kw_only=True):
    """How far the answer can be trusted: whether the picture looks unlike those of training, and a set of classes.

    The set holds the right class with the page's coverage; `others` counts those of it that are not in `among`, which
    begins with the likeliest. Both may be empty: then no class is likely enough.
    """

    none_of_these: bool
    among: tuple[str, ...]
    others: int


class Seen(Record, frozen=True, kw_only=True):
    """What the network was given, as the `src` of an image; how that came about; a hint where it looks odd."""

    source: str
    width: int
    height: int
    steps: str
    hint: str | None


class Answer(Record, frozen=True, kw_only=True):
    """One network's answer: the likeliest classes first, and all `others` together.

    `sureness` is None where the file holds no confidence. `latency_ms` is the median of several calls of the network
    alone, without reading and shrinking the picture.
    """

    likeliest: tuple[LabelAnswer, ...]
    others: int
    others_probability: float
    sureness: Sureness | None
    seen: Seen
    latency_ms: float
    latency: str


def answers_to(content: bytes, networks: Sequence[Network], *, swap: bool = False) -> list[Answer]:
    """Each network's answer to the picture file `content`; with `swap` gray ones see dark and light exchanged.

    Raises UserError where it is no picture.
    """
    given = given_to(content, networks, swap=swap)
    return [_answer(network.predictor, each) for network, each in zip(networks, given, strict=True)]


def _answer(predictor: Predictor, given: Given) -> Answer:
    preprocess = predictor.preprocess
    stored = fitted(given.picture, preprocess)
    coverage = None if predictor.confidence is None else COVERAGE
    found = predictor.answer(stored, top=len(predictor.classes), coverage=coverage)
    shown, others = found.predictions[:SHOWN_CLASSES], found.predictions[SHOWN_CLASSES:]
    milliseconds = _median_ms(predictor, stored)
    return Answer(
        likeliest=tuple(LabelAnswer(label=_name(each), probability=each.probability) for each in shown),
        others=len(others),
        others_probability=sum(each.probability for each in others),
        sureness=_sureness(found.none_of_these, found.covering),
        seen=_seen(given, stored, predictor),
        latency_ms=milliseconds,
        latency=numbers.per_image(milliseconds),
    )


def _seen(given: Given, stored: Pixels, predictor: Predictor) -> Seen:
    preprocess = predictor.preprocess
    view = cropped(stored, preprocess)
    small = embedded(view)
    return Seen(
        source=small.source,
        width=small.width,
        height=small.height,
        steps=described(given.picture, preprocess, swapped=given.swapped),
        hint=advice(view, preprocess),
    )


def _sureness(none_of_these: bool | None, covering: Sequence[Prediction] | None) -> Sureness | None:
    if none_of_these is None or covering is None:
        return None
    named = tuple(_name(each) for each in covering[:_NAMED_IN_SET])
    return Sureness(none_of_these=none_of_these, among=named, others=len(covering) - len(named))


def _name(prediction: Prediction) -> str:
    return numbers.shown(prediction.label)


def _median_ms(predictor: Predictor, stored: Pixels) -> float:
    """Milliseconds of one call: the median of a few, after the one that has just given the answer."""
    batch, taken = stored[None], list[float]()
    for _ in range(TIMED_CALLS):
        start = time.perf_counter()
        predictor.logits(batch)
        taken.append(1000 * (time.perf_counter() - start))
    return statistics.median(taken)
