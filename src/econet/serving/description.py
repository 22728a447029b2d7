"""What the page is told before the first picture: the networks, their samples, and what may be sent."""

from collections.abc import Iterator, Sequence
from typing import Literal

from econet.report import numbers
from econet.report.embedded import embedded
from econet.report.heat import legend
from econet.runs.record import Record
from econet.serving.answers import COVERAGE, TIMED_CALLS
from econet.serving.networks import Network
from econet.serving.samples import Sample
from econet.serving.upload import MOST_BYTES

# Of 255: training pictures with a mean below this have a dark ground.
_MIDDLE = 128


class NetworkNote(Record, frozen=True, kw_only=True):
    """A network in words: size and accuracy in the `headline`, the rest as `facts`; `ground` is that of drawings."""

    name: str
    headline: str
    facts: tuple[str, ...]
    input: str
    gray: bool
    ground: Literal["black", "white"]


class SampleNote(Record, frozen=True, kw_only=True):
    """A sample picture: where it is fetched, and its true class."""

    source: str
    label: str
    data: str


class Description(Record, frozen=True, kw_only=True):
    """All that the page needs; every text in it is shown as text, never as markup.

    `coverage` is that of the sets of classes; `scale` the colours of maps, as the `src` of an image.
    """

    networks: tuple[NetworkNote, ...]
    samples: tuple[SampleNote, ...]
    most_bytes: int
    timed_calls: int
    coverage: float
    scale: str
    same_classes: bool


def describe(networks: Sequence[Network], samples: Sequence[Sample]) -> Description:
    """The description of these networks and samples, the latter at `/samples/<place>`."""
    return Description(
        networks=tuple(_note(network) for network in networks),
        samples=tuple(
            SampleNote(source=f"/samples/{place}", label=sample.label, data=sample.data)
            for place, sample in enumerate(samples)
        ),
        most_bytes=MOST_BYTES,
        timed_calls=TIMED_CALLS,
        coverage=COVERAGE,
        scale=embedded(legend()).source,
        same_classes=len({network.predictor.classes for network in networks}) == 1,
    )


def accuracy_of(network: Network) -> str:
    """Its accuracy in a few words; says so where no record tells."""
    found = network.evaluation
    if found is None:
        return "accuracy not recorded"
    return f"{numbers.percent(found.accuracy, numbers.digits_for(found.accuracy_interval))} right"


def _note(network: Network) -> NetworkNote:
    record = network.predictor.preprocess
    height, width = record.image_size
    return NetworkNote(
        name=network.name,
        headline=f"{numbers.file_size(network.bytes)}, {accuracy_of(network)}",
        facts=(*_measured(network), *_made(network)),
        input=f"{width} × {height} {'gray' if network.is_gray else 'colour'}",
        gray=network.is_gray,
        ground="black" if network.is_gray and record.offset < _MIDDLE else "white",
    )


def _measured(network: Network) -> Iterator[str]:
    """What stands behind the accuracy."""
    found = network.evaluation
    if found is not None:
        digits = numbers.digits_for(found.accuracy_interval)
        low, high = (f"{100 * end:.{digits}f}" for end in found.accuracy_interval)
        images = f"{numbers.whole(found.data.images)} {found.data.split} images"
        yield f"{low} to {high} % on {images} of {numbers.shown(found.data.name)}"
        yield f"its confidence was off by {100 * found.ece:.1f} points there"


def _made(network: Network) -> Iterator[str]:
    """What kind of network it is."""
    predictor = network.predictor
    yield f"{numbers.shown(predictor.name)}, {predictor.precision}, {len(predictor.classes)} classes"
