"""Random masks (RISE): what the answer is on average when a pixel shows, against when it does not. No torch.

Source: Petsiuk, Das and Saenko 2018, "RISE: Randomized Input Sampling for Explanation of Black-box Models", section 3.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from econet.explanation.question import Map, Question, batch_size
from econet.statistics.streams import stream_seed

# Section 4: grids of 7 x 7 cells, each shown with probability 1/2.
CELLS, SHOWN = 7, 0.5
# What a second of one thread brings, roughly; the number of masks follows from a network's MACs, never from the clock,
# so that the same question has the same answer on every machine.
_MACS = 15_000_000_000
FEWEST, MOST, UNKNOWN = 300, 2_000, 500
# Squared deviation of the masks at a pixel below which nothing can be said about it.
_LEAST_SPREAD = 1e-6


def masks_within(macs: int | None) -> int:
    """How many masks a network of so many MACs is asked; 500 where they are not known."""
    return UNKNOWN if not macs else min(MOST, max(FEWEST, _MACS // macs))


def smooth_masks(count: int, height: int, width: int, seed: int) -> NDArray[np.float32]:
    """`count` random masks [count, height, width] from 0 (hidden) to 1 (shown): coarse grids, enlarged and shifted.

    Section 3.2 of the paper: a grid of 7 x 7 independent cells is enlarged bilinearly to one cell more than the picture
    and cut out of that at random.
    """
    return np.concatenate(list(_parts(count, height, width, seed)))


def random_mask_map(question: Question, *, masks: int, seed: int) -> Map:
    """How much log-probability the class gains when a pixel shows: [h, w], by regression on `masks` random masks.

    The paper's map is the mean of the masks, weighted by the answers, which grows with chance where a pixel happens to
    show more often. The slope cov(answer, mask) / var(mask) has the same order of pixels in the limit without that, is
    told in the answer's own unit, and is exactly 0 for a network that does not look.
    """
    height, width = question.picture.shape[:2]
    scores, (shown, both, squares) = 0.0, np.zeros((3, height, width))
    usual: float | None = None
    for part in _parts(masks, height, width, seed):
        found = question.scores(part)
        usual = float(found[0]) if usual is None else usual  # sums of small differences lose no digits
        found -= usual
        scores += found.sum()
        shown += part.sum(0, dtype=np.float64)
        both += np.tensordot(found, part, 1)
        squares += np.square(part, dtype=np.float64).sum(0)
    together, apart = both - scores * shown / masks, squares - np.square(shown) / masks
    varies = apart > _LEAST_SPREAD
    return np.where(varies, together / np.where(varies, apart, 1), 0.0)


def _parts(count: int, height: int, width: int, seed: int) -> Iterator[NDArray[np.float32]]:
    """The masks in batches, so that not all of them are in memory at once."""
    random = np.random.default_rng(stream_seed(seed, "masks"))
    tall, wide = -(-height // CELLS), -(-width // CELLS)
    grids = (random.random((count, CELLS, CELLS)) < SHOWN).astype(np.float32)
    tops, lefts = random.integers(0, tall, count), random.integers(0, wide, count)
    size, at_once = ((CELLS + 1) * wide, (CELLS + 1) * tall), batch_size(height, width)
    for start in range(0, count, at_once):
        masks = np.empty((min(at_once, count - start), height, width), np.float32)
        for number, mask in enumerate(masks, start):
            large = np.asarray(Image.fromarray(grids[number]).resize(size, Image.Resampling.BILINEAR))
            top, left = int(tops[number]), int(lefts[number])
            mask[...] = large[top : top + height, left : left + width]
        yield masks
