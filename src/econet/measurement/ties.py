"""Top-1 accuracy as the 2012 code counted it, where several classes are equally probable."""

import numpy as np

from econet.measurement.accuracy import Predictions


def accuracy_ties_shared(predictions: Predictions) -> float:
    """Share of right answers, where a true class among m equally most probable ones counts 1 / m.

    `accuracy` of an evaluation counts the one answer that a file gives; 8-bit logits tie now and then, and there the
    two differ. Raises ValueError without images.
    Source: cuda-convnet's scoring (its kernel kLogregCost), which the 2012 network was measured with.
    """
    if not len(predictions):
        raise ValueError("no images to score")
    probabilities = predictions.probabilities
    best = probabilities.max(axis=1, keepdims=True)
    true = np.take_along_axis(probabilities, predictions.truth[:, None].astype(np.int64), axis=1)
    shares = (true == best)[:, 0] / (probabilities == best).sum(axis=1)
    return float(shares.mean())
