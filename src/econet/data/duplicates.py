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
# In a small set even strangers lead: a neighbourhood counts as at least this alike, as it is among 50,000 photographs,
# and once aligned agrees at least so far.
USUAL = 0.6
USUAL_AGREEMENT = 0.35
# Of the neighbourhood these are aligned too, counted from 0: what they reach is no sign of a copy.
_REFERENCES = [9, 12, 15]
# A third of the first lead and two thirds of the lead in agreement: from here a pair is called a near duplicate.
NEAR = 0.55

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


@dataclass(frozen=True, slots=True)
class _Candidates:
    """M pairs that stand out: `query` and `other` [M] with their `lead`, and the references [M, 3] of the query.

    `mirrored`: alike as in a mirror; `known`: whether there are so many neighbours that there is such a reference.
    """

    query: Whole
    other: Whole
    lead: Floats
    mirrored: Mask
    reference: Whole
    reference_mirrored: Mask
    known: Mask

    def take(self, chosen: Whole) -> "_Candidates":
        """Those at `chosen`, in that order."""
        return _Candidates(*(getattr(self, name)[chosen] for name in _Candidates.__slots__))


def _near(sketches: Sketches, queries: Whole, among: Whole) -> list[Pair]:
    if not len(queries) or not len(among):
        return []
    found = _candidates(sketches, queries, among)
    agreeing = _agreement(sketches, found.query, found.other, found.mirrored)
    # What pictures usually reach only lowers the likeness: without it most pairs drop out already.
    chosen = np.flatnonzero((found.lead + 2 * agreeing) / 3 >= NEAR)
    found, agreeing = found.take(chosen), agreeing[chosen]
    likeness = (found.lead + 2 * _lead(agreeing, _usual_agreement(sketches, found))) / 3
    pairs = [
        Pair(
            *sorted((int(found.query[k]), int(found.other[k]))),
            exact=False,
            likeness=float(likeness[k]),
            mirrored=bool(found.mirrored[k]),
        )
        for k in np.flatnonzero(likeness >= NEAR)
    ]
    return sorted(pairs, key=lambda pair: (-pair.likeness, pair.first, pair.second))


def _lead(value: Floats, usual: Floats) -> Floats:
    """The share of what is missing to 1 from `usual` that `value` has covered."""
    return (value - usual) / (1 - usual)


def _agreement(sketches: Sketches, one: Whole, other: Whole, mirrored: Mask) -> Floats:
    straight = sketches.thumbs[one]
    straight[mirrored] = straight[mirrored][:, :, ::-1]
    return agreement(straight, sketches.thumbs[other])


def _usual_agreement(sketches: Sketches, found: _Candidates) -> Floats:
    """The middle one of how far each query agrees with its references, [M]."""
    columns = [
        np.where(
            found.known[:, k],
            _agreement(sketches, found.query, found.reference[:, k], found.reference_mirrored[:, k]),
            USUAL_AGREEMENT,
        )
        for k in range(len(_REFERENCES))
    ]
    return np.clip(np.median(np.stack(columns, 1), axis=1), USUAL_AGREEMENT, 1 - 1e-6).astype(np.float32)


def _candidates(sketches: Sketches, queries: Whole, among: Whole) -> _Candidates:
    """Pairs that stand out, each once."""
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
    lead = _lead(found.likeness, np.clip(found.likeness[:, -1:], USUAL, 1 - 1e-6))
    rows, columns = np.nonzero(lead >= LEAST_LEAD)
    # Of a pair found from both ends the better lead counts, so that neither end's crowd hides it.
    order = np.argsort(-lead[rows, columns], kind="stable")
    rows, columns = rows[order], columns[order]
    one, other = queries[rows], among[found.index[rows, columns]]
    _, once = np.unique(np.minimum(one, other) * len(sketches) + np.maximum(one, other), return_index=True)
    rows, columns = rows[once], columns[once]
    return _Candidates(
        query=one[once],
        other=other[once],
        lead=np.minimum(lead[rows, columns], 1).astype(np.float32),
        mirrored=found.mirrored[rows, columns],
        reference=among[found.index[rows][:, _REFERENCES]],
        reference_mirrored=found.mirrored[rows][:, _REFERENCES],
        known=found.likeness[rows][:, _REFERENCES] > -2,
    )


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
