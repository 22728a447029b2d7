"""What an explanation asks: one picture, one class, and a network of which nothing is known but its answers.

A map is told in log-probability of the class, not in its logit: a logit can fall with those of all other classes, and
then nothing was lost; and some files give probabilities and have no logits. Not in probability either: what is sure at
0.999 would look as if no part of the picture mattered.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from econet.images.preprocess import Pixels

# Logits [N, K] of pictures of the network's input size, uint8 [N, h, w, C].
Answer = Callable[[Pixels], NDArray[np.float32]]
Map = NDArray[np.float64]

# In a batch: few enough that a large picture's maps inside the network fit the memory.
_BATCH, _BATCH_PIXELS = 64, 1 << 18


@dataclass(frozen=True, slots=True)
class Question:
    """Which parts of `picture`, uint8 [h, w, C] at the input's size, speak to `answer` for class number `label`?

    `hidden` [h, w, C] stands where the picture is hidden.
    """

    answer: Answer
    picture: Pixels
    hidden: Pixels
    label: int

    def scores(self, shown: NDArray[np.float32]) -> NDArray[np.float64]:
        """The class's log-probability [N] where only so much of the picture shows: `shown` [N, h, w], 0 to 1."""
        picture, hidden = (each.astype(np.float32) for each in (self.picture, self.hidden))
        parts: list[NDArray[np.float64]] = []
        for part in in_batches(shown):
            mixed = hidden + part[..., None] * (picture - hidden)
            parts.append(log_softmax(self.answer(np.rint(mixed).astype(np.uint8)))[:, self.label])
        return np.concatenate(parts)


def batch_size(height: int, width: int) -> int:
    """How many pictures of that size are computed at once."""
    return max(1, min(_BATCH, _BATCH_PIXELS // max(1, height * width)))


def in_batches(shown: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    """Parts of `shown` [N, h, w], each a batch that is computed at once."""
    size = batch_size(*shown.shape[1:])
    return (shown[start : start + size] for start in range(0, len(shown), size))


def log_softmax(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """Log-probabilities [N, K] of logits [N, K], in float64."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
