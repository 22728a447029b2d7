"""A linear classifier on fixed features: multinomial logistic regression, its regularisation chosen on validation."""

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from econet.runs.handcrafted_records import Trial

Floats = NDArray[np.float32]
Labels = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class LinearClassifier:
    """`weights` [K, D] and `bias` [K]: logits are `features @ weights.T + bias`."""

    weights: Floats
    bias: Floats

    def accuracy(self, features: Floats, labels: Labels) -> float:
        """The share of `features` [N, D] whose largest logit is that of their label."""
        return float(((features @ self.weights.T + self.bias).argmax(1) == labels).mean())


def choose_classifier(
    train: tuple[Floats, Labels],
    validation: tuple[Floats, Labels],
    *,
    penalties: tuple[float, ...],
    most_iterations: int,
    tell: Callable[[Trial], object],
) -> tuple[LinearClassifier, list[Trial]]:
    """Fit with one penalty after the other, largest first and each from the one before, until validation gets worse.

    A penalty P adds P / 2 times the squares of the weights to the mean loss, the features having a standard
    deviation of 1. The best on validation is returned, of equals the larger penalty, for features as they were
    given: the training features [N, D] are centred and scaled in place.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    features, labels = train
    mean, scale = _standardise(features)
    solver: Any = LogisticRegression(solver="lbfgs", max_iter=most_iterations, warm_start=True)
    chosen: list[tuple[LinearClassifier, Trial]] = []
    trials: list[Trial] = []
    for penalty in sorted(penalties, reverse=True):
        began = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # recorded instead
            solver.set_params(C=1 / (penalty * len(labels))).fit(features, labels)
        scaled = _rows(solver.coef_, solver.intercept_)
        plain = _unscaled(scaled, mean, scale)
        iterations = int(np.max(solver.n_iter_))
        trial = Trial(
            penalty=penalty,
            iterations=iterations,
            converged=iterations < most_iterations,
            train_accuracy=scaled.accuracy(features, labels),
            validation_accuracy=plain.accuracy(*validation),
            seconds=round(time.perf_counter() - began, 3),
        )
        trials.append(trial)
        tell(trial)
        if chosen and trial.validation_accuracy < chosen[-1][1].validation_accuracy:
            break
        if not chosen or trial.validation_accuracy > chosen[-1][1].validation_accuracy:
            chosen.append((plain, trial))
    if not chosen:
        raise ValueError("no penalty was given to try")
    return chosen[-1][0], trials


def _standardise(features: Floats) -> tuple[Floats, np.float32]:
    """Take the mean from features [N, D] and bring all values together to a deviation of 1, in place: (mean, scale).

    One scale for all, so that noise in a feature that hardly varies is not blown up.
    """
    mean = features.mean(axis=0, dtype=np.float64).astype(np.float32)
    features -= mean
    squares = sum(float(np.einsum("nd,nd->", piece, piece)) for piece in np.array_split(features, 64))
    scale = np.float32(1 / max((squares / features.size) ** 0.5, 1e-12))
    features *= scale
    return mean, scale


def _rows(weights: NDArray[np.floating[Any]], bias: NDArray[np.floating[Any]]) -> LinearClassifier:
    """A row a class; of two classes scikit-learn keeps one row, the log-odds of the second."""
    if len(weights) == 1:
        weights, bias = np.concatenate([-weights, weights]) / 2, np.concatenate([-bias, bias]) / 2
    return LinearClassifier(weights.astype(np.float32), bias.astype(np.float32))


def _unscaled(scaled: LinearClassifier, mean: Floats, scale: np.float32) -> LinearClassifier:
    """The same classifier for features before they were centred and scaled."""
    weights = (scaled.weights * scale).astype(np.float32)
    return LinearClassifier(weights, (scaled.bias - weights @ mean).astype(np.float32))
