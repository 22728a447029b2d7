"""What a batch costs: ours, cut from tensors, against a DataLoader that transforms picture by picture with Pillow.

    python benchmarks/input_pipeline.py --data fashion-mnist --rounds 5

Both sides do the same: pad, shift, flip, normalise. They take turns inside every round of one run, so that other
work on the machine hits both; a figure is the median over rounds with the lowest and the highest. The share is that
of one training step of alexnet_small on the same batch, measured in the same rounds.
"""

import argparse
import json
import os
import platform
import random
import shlex
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, RandomSampler

from econet.data.augmentation import Augmenter, amounts
from econet.data.dataset import Dataset as EcoNetDataset
from econet.data.load import load_data
from econet.images.preprocess import Preprocess
from econet.measurement.machine import describe_machine
from econet.models import catalog
from econet.runs.records import TrainingConfig
from econet.training.allocator import keep_large_blocks
from econet.training.machine import placed
from econet.training.optimizers import Optimizers
from econet.training.step import learn

POLICY = "standard"
WORKERS = (0, 1, 2)
Call = Callable[[], object]


class PillowPictures(Dataset[tuple[Tensor, int]]):
    """Pictures one by one, as tutorials do it: pad, random crop, flip, to tensor, normalise."""

    def __init__(self, pixels: np.ndarray, labels: np.ndarray, preprocess: Preprocess) -> None:
        self.pixels, self.labels, self.preprocess = pixels, labels, preprocess
        self.padding = amounts(POLICY, preprocess).padding

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        height, width = self.preprocess.image_size
        stored = self.pixels[index]
        gray = stored.shape[2] == 1
        picture = Image.fromarray(stored[:, :, 0] if gray else stored)
        fill = self.preprocess.offset if gray else (self.preprocess.offset,) * 3
        picture = ImageOps.expand(picture, self.padding, fill)
        top, left = random.randrange(2 * self.padding + 1), random.randrange(2 * self.padding + 1)
        picture = picture.crop((left, top, left + width, top + height))
        if random.random() < 0.5:
            picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        values = torch.from_numpy(np.array(picture)).reshape(height, width, -1).permute(2, 0, 1).float()
        return (values - self.preprocess.offset) * self.preprocess.scale, int(self.labels[index])


def our_batches(data: EcoNetDataset, batch_size: int) -> Call:
    """One batch of ours a call, in a new random order."""
    augmenter = Augmenter(torch.from_numpy(data.train.pixels), data.preprocess, POLICY, torch.device("cpu"))
    generator = torch.Generator().manual_seed(0)
    return lambda: augmenter.batch(torch.randint(len(augmenter), (batch_size,), generator=generator), generator)


def loader_batches(data: EcoNetDataset, batch_size: int, workers: int) -> Iterator[Any]:
    """Batches of a DataLoader without end."""
    pictures = PillowPictures(data.train.pixels, data.train.labels, data.preprocess)
    endless = RandomSampler(pictures, replacement=True, num_samples=10**9)
    return iter(DataLoader(pictures, batch_size=batch_size, sampler=endless, num_workers=workers))


def training_step(data: EcoNetDataset, batch_size: int, precision: str) -> Call:
    """One training step of alexnet_small a call (forward, loss, backward, optimizer) on a batch that lies ready."""
    config = TrainingConfig(
        epochs=1,
        time_s=None,
        batch_size=batch_size,
        optimizer="sgd",
        schedule="one-cycle",
        lr=0.001,
        weight_decay=5e-4,
        label_smoothing=0.05,
        ema=0.99,
        augment=POLICY,
        patience=None,
        teacher=None,
        from_weights=None,
    )
    shape = (data.preprocess.channels, *data.preprocess.image_size)
    architecture = catalog.architecture("alexnet_small", shape, len(data.classes))
    network = placed(catalog.network(architecture), torch.device("cpu")).train()
    optimizers = Optimizers(network, config)
    images = our_batches(data, batch_size)()
    labels = torch.randint(len(data.classes), (batch_size,))
    assert isinstance(images, Tensor)

    def step() -> None:
        learn(network, None, images, labels, config, precision)
        optimizers.step(1.0)

    return step


def seconds_a_call(call: Call, span: float, warmup: int) -> float:
    """Mean seconds of one call over about `span` seconds, after `warmup` calls that do not count."""
    for _ in range(warmup):
        call()
    calls, start = 0, time.perf_counter()
    while (passed := time.perf_counter() - start) < span:
        call()
        calls += 1
    return passed / calls


def measure(data: EcoNetDataset, batch_size: int, rounds: int, span: float, precision: str) -> dict[str, list[float]]:
    """Seconds a batch of every side, a value a round; the sides take turns."""
    sides: dict[str, Call] = {"econet": our_batches(data, batch_size)}
    warmups = {"econet": 3, "step": 2}
    for workers in WORKERS:
        name = f"loader, {workers} workers"
        batches = loader_batches(data, batch_size, workers)
        sides[name] = lambda batches=batches: next(batches)
        # Batches that workers prepared while another side was timed would be free: they are thrown away.
        warmups[name] = 2 * workers + 1
    sides["step"] = training_step(data, batch_size, precision)
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, call in sides.items():
            seconds[name].append(seconds_a_call(call, span, warmups[name]))
    return seconds


def summary(seconds: dict[str, list[float]], batch_size: int) -> dict[str, Any]:
    """Images/s (median, min, max), the ratio to the best loader by round, and the shares of a step."""
    rates = {name: sorted(batch_size / value for value in values) for name, values in seconds.items() if name != "step"}
    best = max((name for name in rates if name != "econet"), key=lambda name: statistics.median(rates[name]))
    ratios = [loader / ours for loader, ours in zip(seconds[best], seconds["econet"], strict=True)]
    step = statistics.median(seconds["step"])
    return {
        "images_per_s": {n: {"median": statistics.median(r), "min": r[0], "max": r[-1]} for n, r in rates.items()},
        "best_loader": best,
        "ratio_to_best_loader": {"median": statistics.median(ratios), "min": min(ratios), "max": max(ratios)},
        "step_ms": 1000 * step,
        "share_of_step": {name: statistics.median(seconds[name]) / step for name in rates},
    }


def machine() -> dict[str, Any]:
    """What this ran on, and how busy it was."""
    return {
        "cpu": describe_machine().cpu,
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "load_average": os.getloadavg()[0],
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="fashion-mnist", help="fashion-mnist, cifar10, cifar100 or a folder")
    parser.add_argument("--data-dir", type=Path, help="where CIFAR lies")
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each side in each round")
    parser.add_argument("--threads", type=int, help="of torch; by default torch's own choice")
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="bf16", help="of the training step")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    asked = parser.parse_args()
    keep_large_blocks()
    if asked.threads:
        torch.set_num_threads(asked.threads)
    data = load_data(asked.data, data_dir=asked.data_dir)
    seconds = measure(data, asked.batch_size, asked.rounds, asked.seconds, asked.precision)
    result = {
        "command": shlex.join(["python", *sys.argv]),
        "machine": machine(),
        "data": data.name,
        "image": [*data.preprocess.image_size, data.preprocess.channels],
        "batch_size": asked.batch_size,
        "rounds": asked.rounds,
        "precision": asked.precision,
        **summary(seconds, asked.batch_size),
    }
    print(json.dumps(result, indent=2) if asked.json else table(result))


def table(result: dict[str, Any]) -> str:
    """The result for a reader."""
    made, ratio = result["machine"], result["ratio_to_best_loader"]
    lines = [
        f"{made['cpu']}, {made['cores']} cores, {made['threads']} threads, load {made['load_average']:.1f}",
        f"{result['data']} {result['image']}, batch {result['batch_size']}, n = {result['rounds']} rounds",
        f"{'':20}{'images/s':>12}{'min':>12}{'max':>12}{'of a step':>12}",
    ]
    for name, rate in result["images_per_s"].items():
        share = f"{result['share_of_step'][name]:.1%}"
        lines.append(f"{name:20}{rate['median']:>12,.0f}{rate['min']:>12,.0f}{rate['max']:>12,.0f}{share:>12}")
    lines += [
        f"econet / {result['best_loader']}: {ratio['median']:.0f} ({ratio['min']:.0f}-{ratio['max']:.0f})",
        f"one training step of alexnet_small ({result['precision']}): {result['step_ms']:.1f} ms",
        result["command"],
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
