"""Temperature: one number that makes a network's probabilities mean what they say, and changes no answer."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

# Where every image is answered rightly the best temperature is 0, where none is it is infinite.
LEAST, MOST = 0.05, 20.0
_STEPS = 100
_CLOSE = 1e-9


def fit_temperature(logits: NDArray[Any], labels: NDArray[Any]) -> float:
    """The temperature T for which softmax(logits / T) has the least mean negative log-likelihood, within 0.05 to 20.

    `logits` [N, K], `labels` [N]. In 1 / T that is convex: Newton's steps on its derivative, halved into a bracket.
    Raises ValueError where there is no image.
    Source: Guo et al. 2017, "On Calibration of Modern Neural Networks", section 4.2.
    """
    if logits.ndim != 2 or not len(labels) or len(labels) != len(logits):
        raise ValueError(f"logits {logits.shape} and labels {labels.shape} do not fit together")
    values = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    true = values[np.arange(len(labels)), labels]
    low, high = 1 / MOST, 1 / LEAST
    if _slope(values, true, high)[0] <= 0:
        return LEAST
    if _slope(values, true, low)[0] >= 0:
        return MOST
    inverse = 1.0
    for _ in range(_STEPS):
        slope, curvature = _slope(values, true, inverse)
        low, high = (inverse, high) if slope < 0 else (low, inverse)
        newton = inverse - slope / curvature if curvature > 0 else low
        moved = newton if low < newton < high else (low + high) / 2
        step, inverse = abs(moved - inverse), moved
        if step <= _CLOSE * inverse:
            break
    return 1 / inverse


def _slope(values: NDArray[np.float64], true: NDArray[np.float64], inverse: float) -> tuple[float, float]:
    """First and second derivative of the mean negative log-likelihood by the inverse temperature."""
    weights = np.exp(inverse * values)
    weights /= weights.sum(axis=1, keepdims=True)
    mean = (weights * values).sum(axis=1)
    variance = (weights * values**2).sum(axis=1) - mean**2
    return float((mean - true).mean()), float(variance.mean())


def log_probabilities(logits: NDArray[Any], temperature: float = 1.0) -> NDArray[np.float64]:
    """log softmax(logits / temperature) [N, K], in nats."""
    values = logits.astype(np.float64) / temperature
    values -= values.max(axis=1, keepdims=True)
    return values - np.log(np.exp(values).sum(axis=1, keepdims=True))
