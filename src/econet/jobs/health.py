"""The quick part of `check`: duplicates, leaks and what each split holds. No torch, nothing is trained."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from econet.data.dataset import Dataset, Images
from econet.data.duplicates import Duplicates, Pair, find_duplicates
from econet.data.sketches import sketched
from econet.data.sources.photo_files import printable
from econet.data.sources.places import expanded
from econet.data.stream import as_streamed, in_parts
from econet.images.preprocess import Pixels
from econet.runs.check_records import (
    CheckedPicture,
    DuplicateHealth,
    Finding,
    Leak,
    SplitHealth,
    SplitName,
)

SPLITS: tuple[SplitName, ...] = ("train", "validation", "test")
# So many pictures are compared each with each in minutes; of more only one split is compared with the others.
MOST_EVERYWHERE = 120_000
# The share of test pictures with near duplicates in training beyond which a comparison is void; equal pixels void it
# from the first one.
MOST_NEAR = 0.05

Searched = Literal["everywhere", "test", "validation"]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class AllPictures:
    """The three splits of a data set as one row of N pictures."""

    dataset: Dataset

    @property
    def parts(self) -> tuple[Images, Images, Images]:
        """Train, validation, test."""
        return self.dataset.train, self.dataset.validation, self.dataset.test

    @property
    def labels(self) -> NDArray[np.int64]:
        """The class of each, [N]."""
        return np.concatenate([part.labels for part in self.parts])

    @property
    def split(self) -> NDArray[np.intp]:
        """The number of the split each is in, [N], counted as in SPLITS."""
        return np.repeat(np.arange(len(SPLITS)), [len(part) for part in self.parts])

    def batches(self) -> Iterator[Pixels]:
        """The pixels of all, part by part."""
        for part in self.parts:
            yield from in_parts(part.pixels)

    def locate(self, number: int) -> tuple[int, int]:
        """(the split's number, the place in it) of a picture."""
        for split, part in enumerate(self.parts):
            if number < len(part):
                return split, number
            number -= len(part)
        raise IndexError("there is no such picture")

    def pixels_of(self, picture: CheckedPicture) -> Pixels:
        """The pixels [H, W, C] of a picture that `picture` gave. Raises ValueError for one that has no place."""
        if picture.place is None:
            raise ValueError(f"{picture.path} was not loaded")
        return self.parts[[*SPLITS].index(picture.split)].pixels[picture.place]

    def picture(self, number: int) -> CheckedPicture:
        """What a record says of one picture."""
        split, place = self.locate(number)
        part = self.parts[split]
        return CheckedPicture(
            split=SPLITS[split],
            place=place,
            row=None if part.rows is None else int(part.rows[place]),
            path=self._path(part, place),
            label=self.dataset.classes[part.labels[place]],
        )

    def _path(self, part: Images, place: int) -> str | None:
        if part.files:
            return printable(part.files[place].relative_to(expanded(self.dataset.source).resolve()).as_posix())
        streamed = as_streamed(part.pixels)
        return None if streamed is None else printable(streamed.name(place))


def searched_for(dataset: Dataset) -> Searched:
    """Everywhere, unless there are too many pictures for that."""
    total = len(dataset.train) + len(dataset.validation) + len(dataset.test)
    return "everywhere" if total <= MOST_EVERYWHERE else "test"


def look_for_duplicates(pictures: AllPictures, searched: Searched) -> tuple[Duplicates, DuplicateHealth, list[Finding]]:
    """Find duplicates: near ones of every picture or of one split's, exact ones everywhere."""
    began = time.monotonic()
    split, labels = pictures.split, pictures.labels
    everything = np.ones(len(split), np.bool_)
    asked = everything if searched == "everywhere" else split == SPLITS.index(searched)
    among = everything if searched == "everywhere" else ~asked
    found = find_duplicates(sketched(pictures.batches()), asked, among)
    conflicts = sum(labels[pair.first] != labels[pair.second] for pair in found.pairs)
    health = DuplicateHealth(
        searched=searched,
        images=len(split),
        copies=sum(pair.exact for pair in found.pairs),
        near_pairs=sum(not pair.exact for pair in found.pairs),
        conflicts=int(conflicts),
        leaks=tuple(
            _leak(found, split, held, other) for held, other in ((2, 0), (2, 1), (1, 0)) if (split == held).any()
        ),
        seconds=round(time.monotonic() - began, 3),
    )
    return found, health, _findings(pictures, found.pairs, labels, split)


def _leak(found: Duplicates, split: NDArray[np.intp], held: int, other: int) -> Leak:
    own = np.flatnonzero(split == held)
    exact = np.isin(found.exact[own], found.exact[split == other])
    leaked = np.isin(found.all[own], found.all[split == other])
    return Leak(
        split=SPLITS[held],
        other=SPLITS[other],
        exact=int(exact.sum()),
        near=int((leaked & ~exact).sum()),
        share=float(leaked.mean()),
        places=tuple(int(place) for place in np.flatnonzero(leaked)),
    )


def _findings(
    pictures: AllPictures, pairs: tuple[Pair, ...], labels: NDArray[np.int64], split: NDArray[np.intp]
) -> list[Finding]:
    """A line a pair; those that touch the proof first, then those under two labels. The later split's is to act on."""

    def urgency(pair: Pair) -> tuple[bool, bool, bool, float]:
        leak = split[pair.first] != split[pair.second]
        same = labels[pair.first] == labels[pair.second]
        return not (leak and split[pair.second] == len(SPLITS) - 1), not leak, bool(same), -pair.likeness

    return [
        Finding(
            kind="exact duplicate" if pair.exact else "near duplicate",
            picture=pictures.picture(pair.second),
            partner=pictures.picture(pair.first),
            score=round(pair.likeness, 4),
            leak=bool(split[pair.first] != split[pair.second]),
            labels_differ=bool(labels[pair.first] != labels[pair.second]),
            mirrored=pair.mirrored,
        )
        for pair in sorted(pairs, key=urgency)
    ]


def split_health(split: SplitName, counts: NDArray[np.int64] | list[int], classes: tuple[str, ...]) -> SplitHealth:
    """What one split holds of each class."""
    present = [int(count) for count in counts if count]
    return SplitHealth(
        split=split,
        images=sum(present),
        per_class=tuple(int(count) for count in counts),
        missing=tuple(name for name, count in zip(classes, counts, strict=True) if not count),
        imbalance=max(present) / min(present) if present else None,
    )


def void_reasons(splits: tuple[SplitHealth, ...], duplicates: DuplicateHealth | None) -> tuple[str, ...]:
    """Why a comparison on these data would prove nothing.

    A class without a picture in a split; a test picture with equal pixels in training; near duplicates of training
    pictures making up more than MOST_NEAR of the test split.
    """
    reasons = [f"class {name!r} has no picture in {each.split}" for each in splits for name in each.missing]
    for leak in duplicates.leaks if duplicates else ():
        if (leak.split, leak.other) != ("test", "train"):
            continue
        if leak.exact:
            are = "1 test picture is" if leak.exact == 1 else f"{leak.exact} test pictures are"
            reasons.append(f"{are} in training too, pixel for pixel")
        if leak.share > MOST_NEAR:
            reasons.append(
                f"{100 * leak.share:.1f} % of the test pictures have a duplicate in training, "
                f"more than {100 * MOST_NEAR:.0f} %"
            )
    return tuple(reasons)
