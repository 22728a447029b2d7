"""Sample pictures: of the test split of what a network was trained on, where that lies on this machine."""

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from econet.data.dataset import FileLine, Images
from econet.data.listing import read_listing
from econet.data.sources.cifar import CIFAR10, CIFAR100, cifar_test_pictures
from econet.data.sources.idx import CLASSES, bundled_test_pictures
from econet.images.decode import DecodeError, decode_bytes, read_picture
from econet.report import numbers
from econet.report.embedded import png
from econet.runs.folder import Run
from econet.runs.records import RunConfig
from econet.serving.networks import Network

MOST_OF_A_SET = 10
_LARGEST_FILE = 8_000_000
# What every browser can show; EcoNet itself reads more.
_MEDIA_TYPES = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp", "GIF": "image/gif", "BMP": "image/bmp"}
_CIFAR = {layout.name: layout for layout in (CIFAR10, CIFAR100)}


@dataclass(frozen=True, slots=True)
class Sample:
    """A picture file (`content`, of `media_type`), its true class and its data set; both names fit to show."""

    content: bytes
    media_type: str
    label: str
    data: str


def sample_pictures(networks: Sequence[Network], data_dir: Path | None = None) -> list[Sample]:
    """Up to ten test pictures of each network's data, the classes in turn; none where the data is not here.

    Raises UserError where the data is here but damaged.
    """
    found: dict[tuple[str, Path | None], list[Sample]] = {}
    for network in networks:
        known = network.data in ("fashion-mnist", *_CIFAR)
        key = (network.data or "", None if known else network.path.resolve().parent)
        if key not in found:
            found[key] = _of(network, data_dir)
    return [sample for samples in found.values() for sample in samples]


def _of(network: Network, data_dir: Path | None) -> list[Sample]:
    if network.data == "fashion-mnist":
        return _of_arrays(bundled_test_pictures(), CLASSES, network.data)
    if network.data in _CIFAR:
        here = cifar_test_pictures(_CIFAR[network.data], data_dir)
        return _of_arrays(here[1], here[0], network.data) if here else []
    return _of_folder(Run(network.path.parent))


def _of_arrays(images: Images, classes: Sequence[str], data: str) -> list[Sample]:
    """Pictures kept as arrays, made into PNG files."""
    labels = [classes[int(label)] for label in images.labels[:1000]]
    return [
        Sample(png(images.pixels[place]), "image/png", numbers.shown(labels[place]), data) for place in _in_turn(labels)
    ]


def _of_folder(run: Run) -> list[Sample]:
    """Photos that the run's list names as test pictures and that still are what they were."""
    listing = run.folder / "data.jsonl"
    if not run.exists or not listing.is_file():
        return []
    recorded = run.recorded
    if not isinstance(recorded, RunConfig):
        return []
    root, data = Path(recorded.data.source), numbers.shown(recorded.data.name)
    lines = [line for line in read_listing(listing) if line.split == "test" and line.set_aside is None]
    chosen = (lines[place] for place in _in_turn([line.label for line in lines]))
    return [sample for line in chosen if (sample := _photo(root, line, data)) is not None]


def _photo(root: Path, line: FileLine, data: str) -> Sample | None:
    """The file as it is, or None where it is gone, another by now, large, or nothing that a browser can show."""
    path = root / line.path
    try:
        if line.bytes > _LARGEST_FILE or not path.resolve().is_relative_to(root.resolve()):
            return None
        content = read_picture(path)
        if hashlib.sha256(content).hexdigest() != line.sha256:
            return None
        decode_bytes(content, 3)
        with Image.open(io.BytesIO(content), formats=tuple(_MEDIA_TYPES)) as picture:
            media_type = _MEDIA_TYPES[str(picture.format)]
    except (DecodeError, OSError):
        return None
    return Sample(content, media_type, numbers.shown(line.label), data)


def _in_turn(labels: Sequence[str]) -> list[int]:
    """Places of up to ten: the first of each class, then the second of each, in the order of the classes' names."""
    turns: dict[str, int] = {}
    ranked: list[tuple[int, str, int]] = []
    for place, label in enumerate(labels):
        turns[label] = turns.get(label, 0) + 1
        ranked.append((turns[label], label, place))
    return [place for _, _, place in sorted(ranked)[:MOST_OF_A_SET]]
