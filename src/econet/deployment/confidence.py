"""Confidence in an artifact: how it is fitted on validation images, kept in the file, and used on logits. No torch."""

import math
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
from numpy.typing import NDArray

from econet.errors import UserError
from econet.runs.confidence_records import LEAST_COVERAGE, MOST_COVERAGE, Confidence
from econet.statistics.conformal import alarm_threshold, threshold
from econet.statistics.detection import familiarity
from econet.statistics.temperature import LEAST, MOST, fit_temperature, log_probabilities

KEY = "econet.confidence"
# With fewer validation images neither half could state a coverage of 90 % with any precision.
LEAST_IMAGES = 100
FALSE_ALARMS = 0.05
_DIGITS = 4
Floats = NDArray[np.float32]


def fit_confidence(logits: Floats, labels: NDArray[Any], choosing: NDArray[np.bool_]) -> Confidence | None:
    """The confidence of a file whose `logits` [N, K] of validation images are these; None with fewer than 100 images.

    `choosing` [N] marks the half that may have stopped the training: it fits the temperature. The thresholds come
    from the other half, which nothing was fitted to.
    """
    if len(labels) < LEAST_IMAGES or not 1 < np.count_nonzero(choosing) < len(labels) - 1:
        return None
    rest = ~choosing
    temperature = float(f"{fit_temperature(logits[choosing], labels[choosing]):.{_DIGITS}g}")
    strange = -log_probabilities(logits[rest], temperature)[np.arange(np.count_nonzero(rest)), labels[rest]]
    steps = [threshold(strange, percent / 100) for percent in range(LEAST_COVERAGE, MOST_COVERAGE + 1)]
    return Confidence(
        temperature=temperature,
        scores=tuple(_rounded_up(step) for step in steps if math.isfinite(step)),
        familiar=-_rounded_up(-alarm_threshold(familiarity(logits[rest]), FALSE_ALARMS)),
        false_alarms=FALSE_ALARMS,
        images=(int(np.count_nonzero(choosing)), int(np.count_nonzero(rest))),
    )


def _rounded_up(value: float) -> float:
    """To four digits, never down: a rounded threshold covers no less."""
    if value == 0 or not math.isfinite(value):
        return value
    unit = 10.0 ** (math.floor(math.log10(abs(value))) - _DIGITS + 1)
    near = float(f"{math.ceil(value / unit) * unit:.{_DIGITS}g}")
    return near if near >= value else float(f"{near + unit:.{_DIGITS}g}")


def probabilities_of(logits: Floats, confidence: Confidence | None) -> Floats:
    """softmax(logits / T) [N, K]; without confidence T is 1. The likeliest class is that of the logits."""
    temperature = 1.0 if confidence is None else confidence.temperature
    return np.exp(log_probabilities(logits, temperature)).astype(np.float32)


def score_limit(confidence: Confidence, coverage: float) -> float:
    """The largest -log probability in a set of this coverage, 0.5 to 0.99; between two percents that of the upper one.

    Infinite where the file's validation images were too few for it: the set then holds every class.
    Raises UserError outside that range.
    """
    percent = math.ceil(100 * coverage - 1e-9)
    if not LEAST_COVERAGE <= percent <= MOST_COVERAGE:
        raise UserError(
            f"a coverage of {coverage:g} cannot be stated",
            "the file has thresholds for 0.5 to 0.99",
            "--coverage 0.9",
        )
    place = percent - LEAST_COVERAGE
    return confidence.scores[place] if place < len(confidence.scores) else math.inf


def covering(logits: Floats, confidence: Confidence, coverage: float) -> NDArray[np.bool_]:
    """[N, K]: which classes belong to the set of each image; the true one does with probability `coverage`.

    A set may be empty: then no class is likely enough at that coverage. Raises UserError as `score_limit`.
    """
    return -log_probabilities(logits, confidence.temperature) <= score_limit(confidence, coverage)


def unlike(logits: Floats, confidence: Confidence) -> NDArray[np.bool_]:
    """[N]: which images look unlike the training pictures, so that none of the classes may be right."""
    return familiarity(logits) < confidence.familiar


def embed_confidence(model: onnx.ModelProto, confidence: Confidence) -> None:
    """Put `confidence` among the metadata of `model`, in place of what stood there."""
    kept = [(entry.key, entry.value) for entry in model.metadata_props if entry.key != KEY]
    del model.metadata_props[:]
    for key, value in (*kept, (KEY, msgspec.json.encode(confidence).decode())):
        model.metadata_props.add(key=key, value=value)


def read_confidence(model: onnx.ModelProto, path: Path) -> Confidence | None:
    """The confidence of a model read from `path`; None where it holds none. Raises UserError where it is wrong."""
    text = {entry.key: entry.value for entry in model.metadata_props}.get(KEY)
    if text is None:
        return None
    try:
        return checked(msgspec.json.decode(text, type=Confidence), path)
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise _wrong(path, str(error)) from error


def checked(confidence: Confidence, path: Path) -> Confidence:
    """The same, where its numbers can be. Raises UserError naming the file `path` where they cannot."""
    scores = confidence.scores
    if not LEAST <= confidence.temperature <= MOST:
        raise _wrong(path, f"its temperature is {confidence.temperature:g}")
    if len(scores) > MOST_COVERAGE - LEAST_COVERAGE + 1 or list(scores) != sorted(scores) or min(scores, default=0) < 0:
        raise _wrong(path, "its scores do not rise from 0 or above")
    return confidence


def _wrong(path: Path, why: str) -> UserError:
    return UserError(f"the confidence in {path} cannot be read", why, "export the file again with `econet export`")
