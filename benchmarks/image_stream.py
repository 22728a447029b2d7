"""How fast JPEGs come from disk: our worker processes against torch's DataLoader with the same decoding.

    python benchmarks/image_stream.py --rounds 5
    python benchmarks/image_stream.py --data /data/imagenet --workers 8 16

Both sides bring every picture to 256 pixels the shorter side and cut the centre out, by the same functions, and hand it
over as uint8 batches in the order of one permutation. A round is so many pictures from the first to the last with
nothing left over, worker processes already running; the sides take turns in every round, so that other work on the
machine hits both. Without --data the pictures are made: 500 x 375, the commonest size of ILSVRC, of some 100 KB.

Beside it, in one process: what a picture costs, and what it would cost if libjpeg decoded at a half or a quarter of the
size where that is still enough (Pillow's `draft`), which gives other pixels than the shipped file's own decoding.
"""

import argparse
import io
import json
import os
import platform
import shlex
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from econet.data.decoders import Decoders, usual_workers
from econet.data.sources.imagenet import imagenet
from econet.data.sources.listed import PictureFiles
from econet.data.stream import StreamedPixels
from econet.images.decode import decode
from econet.images.preprocess import Preprocess, resized
from input_pipeline import machine

STORE = Preprocess(
    image_size=(224, 224),
    channels=3,
    resize="shorter-side",
    resize_size=(256, 256),
    crop="centre",
    offset=0,
    scale=1.0,
)
COMMON, LARGE = (500, 375), (1600, 1200)
MADE = 256
Round = Callable[[np.ndarray], int]


class Pictures(Dataset[Tensor]):
    """Pictures one by one, decoded as ours are."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = paths

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Tensor:
        return torch.from_numpy(np.array(resized(decode(self.paths[index], 3), STORE)))


class Order:
    """The batches of one round, given anew before each."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []

    def __iter__(self) -> Any:
        return iter(self.batches)

    def __len__(self) -> int:
        return len(self.batches)


def picture(size: tuple[int, int], seed: int) -> Image.Image:
    """Soft shapes and some grain: a JPEG of quality 90 at 500 x 375 takes some 100 KB, as ILSVRC's do."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (12, 16, 3), np.uint8)).resize(size, Image.Resampling.BICUBIC)
    grain = rng.normal(0, 14, (size[1], size[0], 1))
    return Image.fromarray(np.clip(np.asarray(coarse) + grain, 0, 255).astype(np.uint8))


def made_pictures(folder: Path) -> list[Path]:
    """Files of the commonest size."""
    paths = [folder / f"{number}.JPEG" for number in range(MADE)]
    for number, path in enumerate(paths):
        picture(COMMON, number).save(path, "JPEG", quality=90)
    return paths


def ours(paths: Sequence[Path], workers: int, batch_size: int) -> Round:
    """A round of ours: the bytes handed over."""
    root = paths[0].parent
    names = tuple(path.name if path.parent == root else str(path) for path in paths)
    files = PictureFiles(names, np.zeros(len(paths), np.int64))
    pixels = StreamedPixels(root, files, STORE, Decoders(STORE, workers))

    def once(order: np.ndarray) -> int:
        return sum(batch.nbytes for batch in pixels.batches(np.split(order, range(batch_size, len(order), batch_size))))

    return once


def loader(paths: Sequence[Path], workers: int, batch_size: int) -> Round:
    """A round of a DataLoader with workers that stay."""
    order_of_round = Order()
    batches = DataLoader(
        Pictures(paths),
        batch_sampler=order_of_round,
        num_workers=workers,
        persistent_workers=workers > 0,
        prefetch_factor=4 if workers else None,
    )

    def once(order: np.ndarray) -> int:
        order_of_round.batches = [part.tolist() for part in np.split(order, range(batch_size, len(order), batch_size))]
        return sum(batch.nbytes for batch in batches)

    return once


def cpu_seconds() -> float:
    """Processor time so far of this process and its running children; Linux tells it, elsewhere it is not a number."""
    children = [pid for file in Path("/proc/self/task").glob("*/children") for pid in file.read_text().split()]
    if not Path("/proc/self/stat").exists():
        return float("nan")
    fields = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in ("self", *children)]
    return sum(int(each[11]) + int(each[12]) for each in fields) / os.sysconf("SC_CLK_TCK")


def measure(
    paths: Sequence[Path], workers: Sequence[int], batch_size: int, rounds: int, count: int
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Images/s and milliseconds of processor time a picture, of every side, a value a round."""
    sides: dict[str, Round] = {"loader, 0 workers": loader(paths, 0, batch_size)}
    for number in workers:
        sides[f"loader, {number} workers"] = loader(paths, number, batch_size)
        sides[f"econet, {number} workers"] = ours(paths, number, batch_size)
    rng = np.random.default_rng(0)
    for once in sides.values():
        once(rng.integers(len(paths), size=batch_size))  # starts the workers
    rates: dict[str, list[float]] = {name: [] for name in sides}
    costs: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        order = rng.integers(len(paths), size=count)
        for name, once in sides.items():
            start, before = time.perf_counter(), cpu_seconds()
            taken = once(order)
            rates[name].append(count / (time.perf_counter() - start))
            costs[name].append(1000 * (cpu_seconds() - before) / count)
            if taken != count * 256 * 256 * 3:
                raise RuntimeError(f"{name} handed over {taken} bytes")
    return rates, costs


def drafts(rounds: int) -> dict[str, dict[str, float]]:
    """Milliseconds a picture in this process, in full and by `draft`, and how far the pixels then differ."""
    found: dict[str, dict[str, float]] = {}
    for size in (COMMON, LARGE):
        stream = io.BytesIO()
        picture(size, 0).save(stream, "JPEG", quality=90)
        sides: dict[str, tuple[int, int] | None] = {"full": None, "draft": (256, 256)}
        seconds: dict[str, list[float]] = {name: [] for name in sides}
        for _ in range(4 * rounds):
            for name, least in sides.items():
                start = time.perf_counter()
                _decoded(stream, least)
                seconds[name].append(time.perf_counter() - start)
        full, draft = (_decoded(stream, least).astype(int) for least in sides.values())
        gap = np.abs(full - draft)
        found[f"{size[0]} x {size[1]}, {stream.tell() // 1000} KB"] = {
            **{f"{name}_ms": 1000 * statistics.median(values) for name, values in seconds.items()},
            "mean_difference": float(gap.mean()),
            "largest_difference": int(gap.max()),
        }
    return found


def _decoded(stream: io.BytesIO, least: tuple[int, int] | None) -> np.ndarray:
    with Image.open(io.BytesIO(stream.getvalue())) as opened:
        if least is not None:
            opened.draft("RGB", least)
        return resized(np.array(opened.convert("RGB")), STORE)


def summary(rates: dict[str, list[float]], costs: dict[str, list[float]], workers: Sequence[int]) -> dict[str, Any]:
    """Median, lowest and highest rate, processor time, and round by round the ratio at the same number of workers."""
    ratios = {
        str(number): sorted(
            mine / theirs
            for mine, theirs in zip(rates[f"econet, {number} workers"], rates[f"loader, {number} workers"], strict=True)
        )
        for number in workers
    }
    return {
        "images_per_s": {n: {"median": statistics.median(r), "min": min(r), "max": max(r)} for n, r in rates.items()},
        "cpu_ms_a_picture": {name: statistics.median(values) for name, values in costs.items()},
        "econet_over_loader": {
            n: {"median": statistics.median(r), "min": r[0], "max": r[-1]} for n, r in ratios.items()
        },
    }


def table(result: dict[str, Any]) -> str:
    """The result for a reader."""
    made = result["machine"]
    lines = [
        f"{made['cpu']}, {made['cores']} cores, load {made['load_average']:.1f}",
        f"{result['data']}, batch {result['batch_size']}, {result['rounds']} rounds of {result['pictures']} pictures",
        f"{'':20}{'images/s':>12}{'min':>12}{'max':>12}{'CPU ms each':>14}",
    ]
    for name, rate in result["images_per_s"].items():
        cost = result["cpu_ms_a_picture"][name]
        lines.append(f"{name:20}{rate['median']:>12,.0f}{rate['min']:>12,.0f}{rate['max']:>12,.0f}{cost:>14.2f}")
    for number, ratio in result["econet_over_loader"].items():
        low, high = ratio["min"], ratio["max"]
        lines.append(f"econet / loader, {number} workers: {ratio['median']:.2f} ({low:.2f}-{high:.2f})")
    for name, cost in result["draft"].items():
        lines.append(
            f"{name}: {cost['full_ms']:.1f} ms in full, {cost['draft_ms']:.1f} ms by draft, pixels "
            f"{cost['mean_difference']:.2f} apart on average, {cost['largest_difference']} at most"
        )
    return "\n".join([*lines, result["command"]])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="a folder in the shape of ILSVRC; else pictures are made")
    parser.add_argument("--workers", type=int, nargs="+", default=[usual_workers()])
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pictures", type=int, default=1024, help="a round")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if asked.data is None:
            paths = made_pictures(Path(folder))
        else:
            found = imagenet(asked.data)
            paths = [found.root / name for name in found.train.names]
        rates, costs = measure(paths, asked.workers, asked.batch_size, asked.rounds, asked.pictures)
    result = {
        "command": shlex.join(["python", *sys.argv]),
        "machine": machine(),
        "python": platform.python_version(),
        "data": f"{MADE} made pictures of 500 x 375" if asked.data is None else str(asked.data),
        "batch_size": asked.batch_size,
        "rounds": asked.rounds,
        "pictures": asked.pictures,
        **summary(rates, costs, asked.workers),
        "draft": drafts(asked.rounds),
    }
    print(json.dumps(result, indent=2) if asked.json else table(result))


if __name__ == "__main__":
    main()
