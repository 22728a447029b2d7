"""The schema of `check.json`: what was found in a data set before anything is trained on it."""

from typing import Literal

from econet.runs.record import SCHEMA, Record

SplitName = Literal["train", "validation", "test"]
FindingKind = Literal["exact duplicate", "near duplicate", "likely wrong label", "odd size", "set aside"]


class CheckedPicture(Record, frozen=True, kw_only=True):
    """A picture: its split, its place there and in the source's own file (None where it is no set file), and its path.

    Places count from 0. `label` is the class it came with.
    """

    split: str
    place: int | None
    row: int | None
    path: str | None
    label: str


class Finding(Record, frozen=True, kw_only=True):
    """Something to look at. `score` says how sure, from 0 to 1; null where it is a fact.

    Of duplicates: the `partner`, whether as in a mirror, whether the two lie in different splits (`leak`) and whether
    their labels differ. Of a likely wrong label: the class `suggested`.
    """

    kind: FindingKind
    picture: CheckedPicture
    partner: CheckedPicture | None = None
    score: float | None = None
    leak: bool = False
    labels_differ: bool = False
    mirrored: bool = False
    suggested: str | None = None
    reason: str | None = None


class SplitHealth(Record, frozen=True, kw_only=True):
    """One split: pictures of each class in the order of `classes`, and the classes it has none of.

    `imbalance` is the largest class over the smallest that is not empty; null where there is none.
    """

    split: SplitName
    images: int
    per_class: tuple[int, ...]
    missing: tuple[str, ...]
    imbalance: float | None


class Leak(Record, frozen=True, kw_only=True):
    """Pictures of a held-out split that are also in `other`: with equal pixels, nearly, and all as a share of it.

    `places` are those of all of them in the split, counted from 0.
    """

    split: SplitName
    other: SplitName
    exact: int
    near: int
    share: float
    places: tuple[int, ...]


class DuplicateHealth(Record, frozen=True, kw_only=True):
    """What was searched and found. `searched`: everywhere, or near duplicates only of one split in the others.

    `copies` are pictures whose pixels an earlier one has; `near_pairs` pairs that are nearly one; `conflicts` pairs of
    either kind with two labels.
    """

    searched: Literal["everywhere", "test", "validation"]
    images: int
    copies: int
    near_pairs: int
    conflicts: int
    leaks: tuple[Leak, ...]
    seconds: float


class LabelHealth(Record, frozen=True, kw_only=True):
    """How labels were doubted: networks each judged the fold of pictures they had not seen.

    `accuracy` is how often they agree with the labels; `expected` how many labels are likely wrong in all by the
    confident joint; `flagged` how many single ones are named.
    """

    method: Literal["confident learning"] = "confident learning"
    model: str
    folds: int
    images: int
    accuracy: float
    expected: int
    flagged: int
    seconds: float


class SizeHealth(Record, frozen=True, kw_only=True):
    """Sizes (width, height) of the photo files in pixels, and how many are odd."""

    files: int
    smallest: tuple[int, int]
    median: tuple[int, int]
    largest: tuple[int, int]
    odd: int


class CheckedData(Record, frozen=True, kw_only=True):
    """Which data were looked at. `fingerprint` is null where they could not be loaded."""

    source: str
    name: str
    fingerprint: str | None
    classes: tuple[str, ...]


class Check(Record, frozen=True, kw_only=True):
    """`check.json`. `void` says why a comparison on these data would prove nothing; empty where it would.

    `labels` is null where labels were not doubted, and `labels_reason` says why. `provable_margin` is the smallest
    loss of accuracy that the test split can show.
    """

    schema: int = SCHEMA
    created: str
    command: str
    econet: str
    data: CheckedData
    seed: int
    splits: tuple[SplitHealth, ...]
    provable_margin: float | None
    duplicates: DuplicateHealth | None
    labels: LabelHealth | None
    labels_reason: str | None
    sizes: SizeHealth | None
    set_aside: int
    void: tuple[str, ...]
    findings: tuple[Finding, ...]
    warnings: tuple[str, ...]
    seconds: float


class CheckSummary(Record, frozen=True, kw_only=True):
    """What a comparison tells of its data; the whole lies in `check.json` beside it.

    `images` of the proof have `exact` or `near` copies among the training pictures. `without` is both sides' accuracy
    on the others, (baseline, candidate); null where there is none left, or none to leave out.
    """

    exact: int
    near: int
    images: int
    without: tuple[float, float] | None
    missing: tuple[str, ...]
    void: tuple[str, ...]
