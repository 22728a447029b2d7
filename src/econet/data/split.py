"""The split: a share of every class held out, by the seed alone."""

from typing import Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from econet.errors import UserError
from econet.statistics.streams import stream_seed

Indices = NDArray[np.intp]

# What a source without pictures for it gives to test.
TEST_SHARE = 0.15


class Labelled(Protocol):
    """Pictures of one split, in memory or as files."""

    @property
    def labels(self) -> NDArray[np.int64]:
        """The class of each, [N]."""
        ...

    def take(self, positions: Indices) -> Self:
        """Those at `positions`, in that order."""
        ...


Part = TypeVar("Part", bound=Labelled)


def divided(
    train: Part, held: Part | None, test: Part | None, validation: float, seed: int, classes: tuple[str, ...]
) -> tuple[Part, Part, Part]:
    """(train, validation, test): what the source brings stays as it is, the rest is held out of training.

    `validation` is the share of the training pictures that is held out where `held` is None.
    Raises UserError where a class has too few pictures for it.
    """
    if test is None:
        kept, out = stratified(train.labels, TEST_SHARE, seed, "test", classes)
        train, test = train.take(kept), train.take(out)
    if held is None:
        kept, out = stratified(train.labels, validation, seed, "validation", classes)
        train, held = train.take(kept), train.take(out)
    return train, held, test


def stratified(
    labels: NDArray[np.int64], share: float, seed: int, purpose: str, classes: tuple[str, ...]
) -> tuple[Indices, Indices]:
    """Positions (kept, held out) of `labels` [N], each in rising order, together every position once.

    Of each class the nearest whole number to `share` (0 < share <= 0.5) is held out, at least one picture.
    `purpose` ("validation", "test") names the random stream under `split`. Raises UserError where a class has a
    single picture, which cannot lie on both sides.
    """
    order = shuffled(len(labels), stream_seed(seed, "split", purpose))
    held: list[Indices] = []
    for label in np.unique(labels):
        members = order[labels[order] == label]
        if len(members) < 2:
            raise UserError(
                f"class {classes[label]!r} has too few pictures to hold some out for {purpose}",
                f"{len(members)} is left for training, and both parts need at least one",
                f"add pictures of {classes[label]!r}, or take the class out",
            )
        held.append(members[: max(1, int(share * len(members) + 0.5))])
    out = np.sort(np.concatenate(held))
    return np.setdiff1d(np.arange(len(labels)), out), out


def fold_of(labels: NDArray[np.int64], fold: int, folds: int, seed: int) -> tuple[Indices, Indices]:
    """Positions (kept, in the fold) of `labels` [N], each in rising order: `fold` 0 to `folds` - 1 of as many parts.

    Every class is dealt out as evenly as it goes, one fold after the other, so that each picture is in one fold.
    """
    order = shuffled(len(labels), stream_seed(seed, "split", "folds"))
    dealt = np.empty(len(labels), np.intp)
    start = 0
    for label in np.unique(labels):
        members = order[labels[order] == label]
        dealt[members] = (start + np.arange(len(members))) % folds
        start += len(members)
    return np.flatnonzero(dealt != fold), np.flatnonzero(dealt == fold)


def choosing_half(count: int, seed: int) -> NDArray[np.bool_]:
    """[count]: which validation pictures may stop a training early; on the others its file states how sure it is.

    A random half, rounded up, of the stream `split/choosing` of the split's `seed`.
    """
    half = np.zeros(count, bool)
    half[shuffled(count, stream_seed(seed, "split", "choosing"))[: (count + 1) // 2]] = True
    return half


def shuffled(count: int, seed: int) -> Indices:
    """A permutation from PCG64's raw words, which NumPy promises to keep; `permutation` may change."""
    return np.argsort(np.random.PCG64(seed).random_raw(count), kind="stable")
