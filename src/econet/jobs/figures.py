"""`show --figures`: what the filters of a run look like, what it answers to pictures, and what it finds alike."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from econet.claims.colourfulness import colourfulness
from econet.claims.nearest import Nearest
from econet.data.dataset import Dataset
from econet.data.split import shuffled
from econet.data.stream import in_parts
from econet.errors import UserError
from econet.images.decode import DecodeError, decode
from econet.images.preprocess import Pixels, Preprocess, cropped, resized, scaled
from econet.jobs.run_data import check_same_data, load_again
from econet.models.architecture import Conv
from econet.models.network import ConvLayer, Network
from econet.report.figures import Alike, Column, Figures, Shown
from econet.runs.folder import Run
from econet.statistics.permutation import permutation_p
from econet.statistics.streams import stream_seed
from econet.training.progress import Progress
from econet.training.weights import trained_network

# As in the paper's figure 4: eight test pictures, six neighbours each.
PICTURES = 8
NEIGHBOURS = 6
_BATCH = 100


@dataclass(frozen=True, slots=True)
class Query:
    """A picture to answer: its name, uint8 [H, W, C] as the store keeps it, and its class where that is known."""

    name: str
    pixels: Pixels
    truth: int | None


def run_figures(run: Run, images: Sequence[Path], progress: Progress, *, data_dir: Path | None = None) -> Figures:
    """The figures of a finished run: of `images`, or of eight test images drawn by the run's seed.

    Every training image is compared, in one pass that holds few of them at a time. The test images choose
    nothing. Raises UserError where the run is not finished or its network is not of the catalog, the data are not those
    it was made with, or a picture cannot be read.
    """
    network = _catalog_network(run)
    preprocess = run.config.data.preprocess
    own = [_from_file(path, preprocess) for path in images]
    dataset = load_again(run.config.data, data_dir=data_dir)
    check_same_data(run.config.data, dataset, run.folder)
    queries = own or _drawn(dataset, run.config.seed)
    body, last = nn.Sequential(*list(network.layers)[:-1]), network.layers[-1]
    seen = np.stack([cropped(query.pixels, preprocess) for query in queries])
    with torch.inference_mode():
        hidden = body(_inputs(seen, preprocess))
        probabilities = last(hidden).softmax(1).numpy()
        progress.note(f"comparing {len(queries)} pictures with {len(dataset.train):,} training images")
        by_hidden, by_pixels = _nearest(dataset, preprocess, body, hidden, seen)
    columns, p_value = first_filters(network, run.config.seed)
    return Figures(
        model=run.config.model,
        data=run.config.data.name,
        seed=run.config.seed,
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        classes=dataset.classes,
        columns=columns,
        p_value=p_value,
        shown=tuple(
            Shown(query.name, seen[place], query.truth, probabilities[place], by_hidden[place], by_pixels[place])
            for place, query in enumerate(queries)
        ),
        training_images=len(dataset.train),
        hidden_width=hidden.shape[1],
    )


def first_filters(network: Network, seed: int) -> tuple[tuple[Column, ...], float | None]:
    """The first layer's filters, apart where the network has two columns, and the p of their colourfulness.

    A network has two columns where a later convolution reads them apart. `seed` draws the permutations; p is None where
    there is one column, and where the pictures are gray.
    """
    first = next(module for module in network.modules() if isinstance(module, ConvLayer))
    filters = first.conv.weight.detach().numpy()
    colour = colourfulness(filters) if filters.shape[1] > 1 else None
    if not any(isinstance(layer, Conv) and layer.groups == 2 for layer in network.architecture.layers):
        return (Column(filters, colour),), None
    half = len(filters) // 2
    if colour is None:
        return (Column(filters[:half], None), Column(filters[half:], None)), None
    columns = (Column(filters[:half], colour[:half]), Column(filters[half:], colour[half:]))
    return columns, permutation_p(colour[:half], colour[half:], seed)


def _catalog_network(run: Run) -> Network:
    network = trained_network(run) if "layers" in run.config.architecture else None
    if not isinstance(network, Network):
        raise UserError(
            f"{run.folder} has no figures",
            f"{run.config.model} is a network of your own, whose first filters and last hidden layer are not recorded",
            "a run of a network of the catalog, such as --model alexnet:mini",
        )
    return network


def _from_file(path: Path, preprocess: Preprocess) -> Query:
    try:
        picture = decode(path, preprocess.channels)
    except DecodeError as error:
        raise UserError(f"cannot read {path}", error.reason, "a picture file such as JPEG or PNG") from error
    height, width = preprocess.resize_size
    if preprocess.resize == "none" and picture.shape[:2] != (height, width):
        raise UserError(
            f"{path} does not fit the run",
            f"it is {picture.shape[0]}x{picture.shape[1]}; the network was trained on {height}x{width}, resizing none",
            f"bring the picture to {height}x{width} first",
        )
    return Query(path.name, resized(picture, preprocess), None)


def _drawn(dataset: Dataset, seed: int) -> list[Query]:
    """Eight test images, fewer where the split is smaller."""
    chosen = shuffled(len(dataset.test), stream_seed(seed, "figures"))[:PICTURES]
    test = dataset.test.take(chosen)
    names = [test.files[place].name if test.files else f"test image {number}" for place, number in enumerate(chosen)]
    return [
        Query(name, picture, int(label)) for name, picture, label in zip(names, test.pixels, test.labels, strict=True)
    ]


def _inputs(seen: Pixels, preprocess: Preprocess) -> Tensor:
    """What the network sees of pictures uint8 [N, h, w, C], as it takes it: float32 [N, C, h, w]."""
    return torch.from_numpy(scaled(seen, preprocess)).permute(0, 3, 1, 2)


def _flat(seen: Pixels) -> Tensor:
    return torch.from_numpy(seen.reshape(len(seen), -1).astype(np.float32))


def _nearest(
    dataset: Dataset, preprocess: Preprocess, body: nn.Module, hidden: Tensor, seen: Pixels
) -> tuple[list[tuple[Alike, ...]], list[tuple[Alike, ...]]]:
    """The nearest training images to each picture: by the last hidden layer, and by the pixels that are seen."""
    by_hidden, by_pixels = Nearest(hidden, NEIGHBOURS), Nearest(_flat(seen), NEIGHBOURS)
    for part in _batches(dataset.train.pixels):
        view = cropped(part, preprocess)
        by_hidden.see(body(_inputs(view, preprocess)))
        by_pixels.see(_flat(view))
    return _alike(dataset, preprocess, by_hidden), _alike(dataset, preprocess, by_pixels)


def _batches(pixels: Pixels) -> Iterator[Pixels]:
    for part in in_parts(pixels):
        for start in range(0, len(part), _BATCH):
            yield part[start : start + _BATCH]


def _alike(dataset: Dataset, preprocess: Preprocess, found: Nearest) -> list[tuple[Alike, ...]]:
    return [
        _pictures(dataset, preprocess, positions, distances)
        for positions, distances in zip(found.positions.numpy(), found.distances.numpy(), strict=True)
    ]


def _pictures(
    dataset: Dataset, preprocess: Preprocess, positions: NDArray[np.int64], distances: NDArray[np.float64]
) -> tuple[Alike, ...]:
    """The training images at `positions` [n], as the network sees them."""
    pixels = cropped(dataset.train.pixels[positions], preprocess)
    labels = dataset.train.labels[positions]
    return tuple(
        Alike(picture, int(label), float(distance), int(position))
        for picture, label, distance, position in zip(pixels, labels, distances, positions, strict=True)
    )
