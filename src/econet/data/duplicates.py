"""The same picture twice: equal pixels by digest, near duplicates by description and then by alignment.

A near duplicate is the same shot again: another crop, encoder, brightness or mirror. Candidates are looked for among
all pictures by `described` and must stand out from their own neighbourhood, since in some sets everything resembles
everything; what is left is laid over one another at 32 x 32 pixels. The limits were set by the pairs that Barz and
Denzler 2020, "Do We Train on Test Data? Purging CIFAR of Near-Duplicates", found in CIFAR-10, and by eye for those
that their list lacks; `benchmarks/check_figures.py` measures what is found.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from econet.data.alignment import agreement
from econet.data.neighbours import nearest
from econet.data.sketches import Floats, Sketches, described

# How many neighbours make a neighbourhood.
NEIGHBOURS = 16
# The lead of a pair: by how much of its distance the nearest comes closer than the last of the neighbourhood (the
# complement of Lowe's ratio of distances, 2004, "Distinctive image features from scale-invariant keypoints", section
# 7.1). From here a pair is looked at more closely.
LEAST_LEAD = 0.25
# In a small set even strangers lead: a neighbourhood counts as at least this alike, as it is among 50,000 photographs.
USUAL = 0.6
# A third of lead and two thirds of agreement once aligned: from here a pair is called a near duplicate.
NEAR = 0.67

Whole = NDArray[np.intp]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two pictures, `first` < `second`, that are one. `likeness` is 1 for equal pixels, else NEAR to 1."""

    first: int
    second: int
    exact: bool
    likeness: float
    mirrored: bool


@dataclass(frozen=True, slots=True)
class Duplicates:
    """What was found among N pictures. Of pictures with equal pixels each is paired with the first of them alone.

    `exact` and `all` [N] number the groups: the least number among the pictures that are one, directly or by way of
    others. They are the same picture in `exact` where pixels are equal, in `all` also where they nearly are.
    """

    pairs: tuple[Pair, ...]
    exact: Whole
    all: Whole


def find_duplicates(sketches: Sketches, queries: Mask, among: Mask) -> Duplicates:
    """Duplicates among N pictures; near ones of any of `queries` [N] with any of `among` [N], exact ones everywhere."""
    exact = _by_digest(sketches.digests)
    alone = exact == np.arange(len(exact))
    again = np.flatnonzero(~alone)
    equal = [Pair(int(exact[place]), int(place), exact=True, likeness=1.0, mirrored=False) for place in again]
    near = _near(sketches, np.flatnonzero(queries & alone), np.flatnonzero(among & alone))
    return Duplicates((*equal, *near), exact, _joined(exact, near))


def _by_digest(digests: tuple[bytes, ...]) -> Whole:
    """Of each picture the first that has its digest."""
    first: dict[bytes, int] = {}
    return np.array([first.setdefault(digest, place) for place, digest in enumerate(digests)], np.intp)


def _near(sketches: Sketches, queries: Whole, among: Whole) -> list[Pair]:
    if not len(queries) or not len(among):
        return []
    firsts, seconds, lead, mirrored = _candidates(sketches, queries, among)
    straight = sketches.thumbs[firsts]
    straight[mirrored] = straight[mirrored][:, :, ::-1]
    likeness = (lead + 2 * agreement(straight, sketches.thumbs[seconds])) / 3
    pairs = [
        Pair(int(firsts[k]), int(seconds[k]), exact=False, likeness=float(likeness[k]), mirrored=bool(mirrored[k]))
        for k in np.flatnonzero(likeness >= NEAR)
    ]
    return sorted(pairs, key=lambda pair: (-pair.likeness, pair.first, pair.second))


def _candidates(sketches: Sketches, queries: Whole, among: Whole) -> tuple[Whole, Whole, Floats, Mask]:
    """Pairs that stand out, each once, with their lead and whether they are alike as in a mirror."""
    place = np.full(len(sketches), -1, np.intp)
    place[among] = np.arange(len(among))
    asked = sketches.coarse[queries]
    found = nearest(
        described(asked),
        described(asked, mirrored=True),
        described(sketches.coarse[among]),
        NEIGHBOURS,
        place[queries],
    )
    usual = np.clip(found.likeness[:, -1:], USUAL, 1 - 1e-6)
    lead = (found.likeness - usual) / (1 - usual)
    rows, columns = np.nonzero(lead >= LEAST_LEAD)
    # Of a pair found from both ends the better lead counts, so that neither end's crowd hides it.
    order = np.argsort(-lead[rows, columns], kind="stable")
    rows, columns = rows[order], columns[order]
    one, other = queries[rows], among[found.index[rows, columns]]
    low, high = np.minimum(one, other), np.maximum(one, other)
    _, once = np.unique(low * len(sketches) + high, return_index=True)
    chosen = rows[once], columns[once]
    return low[once], high[once], np.minimum(lead[chosen], 1), found.mirrored[chosen]


def _joined(exact: Whole, near: list[Pair]) -> Whole:
    """The groups of `exact` joined by the pairs of `near`; each group is named by its least number."""
    root = exact.copy()

    def top(place: int) -> int:
        while root[place] != place:
            root[place] = root[root[place]]
            place = int(root[place])
        return place

    for pair in near:
        low, high = sorted((top(pair.first), top(pair.second)))
        root[high] = low
    return np.array([top(place) for place in range(len(root))], np.intp)
