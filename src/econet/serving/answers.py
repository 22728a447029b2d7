"""What the networks say about one picture file: classes, what each one saw, and how long it took."""

import statistics
import time
from collections.abc import Sequence
from dataclasses import fields
from typing import Literal

from econet.deployment.predictor import Prediction, Predictor
from econet.errors import UserError
from econet.images.decode import FORMATS, DecodeError, decode_bytes
from econet.images.preprocess import Pixels, cropped
from econet.report import numbers
from econet.report.embedded import embedded
from econet.runs.record import Record
from econet.serving.fitting import advice, described, fitted
from econet.serving.networks import Network

TIMED_CALLS = 5
SHOWN_CLASSES = 5


class LabelAnswer(Record, frozen=True, kw_only=True):
    """One class, its name fit to show, and its probability; `remarks` are what else the Predictor says of it."""

    label: str
    probability: float
    remarks: tuple[str, ...] = ()


class Seen(Record, frozen=True, kw_only=True):
    """What the network was given, as the `src` of an image; how that came about; a hint where it looks odd."""

    source: str
    width: int
    height: int
    steps: str
    hint: str | None


class Answer(Record, frozen=True, kw_only=True):
    """One network's answer: the likeliest classes first, and all `others` together.

    `latency_ms` is the median of several calls of the network alone, without reading and shrinking the picture.
    """

    likeliest: tuple[LabelAnswer, ...]
    others: int
    others_probability: float
    seen: Seen
    latency_ms: float
    latency: str


def answers_to(content: bytes, networks: Sequence[Network], *, swap: bool = False) -> list[Answer]:
    """Each network's answer to the picture file `content`; with `swap` gray ones see dark and light exchanged.

    Raises UserError where it is no picture.
    """
    pictures: dict[Literal[1, 3], Pixels] = {}
    for network in networks:
        channels = network.predictor.preprocess.channels
        if channels not in pictures:
            decoded = _decoded(content, channels)
            pictures[channels] = 255 - decoded if swap and channels == 1 else decoded
    return [
        _answer(network.predictor, pictures[network.predictor.preprocess.channels], swapped=swap and network.is_gray)
        for network in networks
    ]


def _decoded(content: bytes, channels: Literal[1, 3]) -> Pixels:
    try:
        return decode_bytes(content, channels)
    except DecodeError as error:
        raise UserError(
            "this is no picture that can be read",
            error.reason,
            f"give a {', '.join(FORMATS[:-1])} or {FORMATS[-1]} file",
        ) from error


def _answer(predictor: Predictor, picture: Pixels, *, swapped: bool) -> Answer:
    preprocess = predictor.preprocess
    stored = fitted(picture, preprocess)
    predictions = predictor.predict(stored, top=len(predictor.classes))
    shown, others = predictions[:SHOWN_CLASSES], predictions[SHOWN_CLASSES:]
    view = cropped(stored, preprocess)
    small = embedded(view)
    milliseconds = _median_ms(predictor, stored)
    return Answer(
        likeliest=tuple(
            LabelAnswer(label=numbers.shown(each.label), probability=each.probability, remarks=remarks(each))
            for each in shown
        ),
        others=len(others),
        others_probability=sum(each.probability for each in others),
        seen=Seen(
            source=small.source,
            width=small.width,
            height=small.height,
            steps=described(picture, preprocess, swapped=swapped),
            hint=advice(view, preprocess),
        ),
        latency_ms=milliseconds,
        latency=numbers.per_image(milliseconds),
    )


def remarks(prediction: Prediction) -> tuple[str, ...]:
    """What a Prediction says beyond label and probability: "in set" of a field `in_set` that holds; numbers as such."""
    others = [field.name for field in fields(prediction) if field.name not in ("label", "probability")]
    found = {name.replace("_", " "): getattr(prediction, name) for name in others}
    return tuple(
        name if value is True else f"{name} {value:.3g}"
        for name, value in found.items()
        if value is True or (isinstance(value, int | float) and value is not False)
    )


def _median_ms(predictor: Predictor, stored: Pixels) -> float:
    """Milliseconds of one call: the median of a few, after the one that has just given the answer."""
    batch, taken = stored[None], list[float]()
    for _ in range(TIMED_CALLS):
        start = time.perf_counter()
        predictor.logits(batch)
        taken.append(1000 * (time.perf_counter() - start))
    return statistics.median(taken)
