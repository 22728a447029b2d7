"""What each child process of `training_step.py` does: our loop, the tutorial's loop, or nothing but convolutions."""

import copy
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

from econet.data.augmentation import Augmenter
from econet.images.preprocess import Preprocess
from econet.models import catalog
from econet.runs.records import TrainingConfig
from econet.statistics.streams import stream_seed
from econet.training import machine
from econet.training.allocator import keep_large_blocks
from econet.training.averaging import Average
from econet.training.loop import epoch_order
from econet.training.optimizers import MOMENTUM, Optimizers
from econet.training.step import learn
from input_pipeline import POLICY, PillowPictures, seconds_a_call

LEARNING_RATE = 0.001
CPU = torch.device("cpu")
# Dense convolutions as alexnet_small has them: (channels in, channels out, kernel, side).
SHAPES = ((128, 128, 3, 6), (32, 64, 5, 13), (64, 64, 3, 14))

# One slice of work: about so many seconds -> figures by name.
Slice = Callable[[float], dict[str, float]]


@dataclass(frozen=True, slots=True)
class Lesson:
    """What every side of one comparison learns: network, pictures, batch and threads are the same."""

    architecture: dict[str, Any]
    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]
    preprocess: Preprocess
    batch_size: int
    threads: int

    def network(self) -> nn.Module:
        """The untrained network, the same weights on every side."""
        torch.manual_seed(0)
        return catalog.network(self.architecture).train()


def serve(pipe: Connection, side: str, lesson: Lesson) -> None:
    """A child's life: prepare `side`, tell what was chosen, then a slice a request until None comes."""
    torch.set_num_threads(lesson.threads)
    if side == "econet":
        work, chosen = _our_loop(lesson)
    elif side == "ceiling":
        work, chosen = _convolutions(lesson.batch_size), {}
    else:
        work, chosen = _tutorial(lesson, workers=int(side.split()[1])), {}
    pipe.send(chosen)
    while (seconds := pipe.recv()) is not None:
        pipe.send(work(seconds))


def _our_loop(lesson: Lesson) -> tuple[Slice, dict[str, Any]]:
    """EcoNet's own pieces, put together as `econet.training.loop` does."""
    keep_large_blocks()
    config = _training_config(lesson.batch_size)
    train = Augmenter(torch.from_numpy(lesson.pixels), lesson.preprocess, POLICY, CPU)
    labels = torch.from_numpy(lesson.labels)
    original = lesson.network()

    ready, answers = train.plain(torch.arange(lesson.batch_size)), labels[: lesson.batch_size]

    def trial(precision: str, compiled: bool) -> Callable[[], object]:
        trainee = machine.placed(copy.deepcopy(original), CPU)
        optimizers = Optimizers(trainee, config)

        def step() -> None:
            learn(trainee, None, ready, answers, config, precision)
            optimizers.step(1.0)

        return step

    choices = machine.choose(CPU, lesson.threads, False, lesson.batch_size, trial)
    machine.apply(choices)
    steps = _our_steps(machine.placed(original, CPU), train, labels, config, choices.precision)
    return _rate(lambda: next(steps), lesson.batch_size, warmup=1), {"precision": choices.precision}


def _our_steps(
    network: nn.Module, train: Augmenter, labels: Tensor, config: TrainingConfig, precision: str
) -> Generator[list[float]]:
    """Steps without end: batch, forward, loss, backward, optimizer, average; each gives (loss, right answers)."""
    average, optimizers = Average(network, config.ema), Optimizers(network, config)
    size, step, epoch = config.batch_size, 0, 0
    while True:
        for indices in epoch_order(0, epoch, len(labels)).split(size)[: len(labels) // size]:
            generator = torch.Generator().manual_seed(stream_seed(0, "augmentation", step))
            torch.manual_seed(stream_seed(0, "dropout", step))
            images = train.batch(indices, generator)
            loss, right = learn(network, None, images, labels[indices], config, precision)
            totals = torch.stack([loss.double(), right.double()]).tolist()
            optimizers.step(1.0)
            average.update(step)
            step += 1
            yield totals
        epoch += 1


def _tutorial(lesson: Lesson, workers: int) -> Slice:
    """The loop of PyTorch's own tutorials: float32, channels first, the system's allocator, a loader of pictures."""
    network = lesson.network()
    pictures = PillowPictures(lesson.pixels, lesson.labels, lesson.preprocess)
    loader = DataLoader(pictures, lesson.batch_size, shuffle=True, num_workers=workers, drop_last=True)
    optimizer = torch.optim.SGD(
        network.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM, nesterov=True, weight_decay=5e-4
    )
    batches = _endless(loader)

    def step() -> None:
        images, labels = next(batches)
        optimizer.zero_grad()
        F.cross_entropy(network(images), labels).backward()
        optimizer.step()

    # Workers go on preparing for a moment while other sides are timed: those batches are learned, but not counted.
    return _rate(step, lesson.batch_size, warmup=2 * workers + 1)


def _endless(loader: DataLoader[Any]) -> Iterator[tuple[Tensor, Tensor]]:
    while True:
        yield from loader


def _convolutions(batch_size: int) -> Slice:
    """GFLOP/s of dense convolutions, forward and backward, in both number types: what this machine can reach."""
    calls: dict[str, tuple[Callable[[], object], float]] = {}
    for inputs, outputs, kernel, side in SHAPES:
        flop = 6 * batch_size * inputs * outputs * kernel**2 * side**2
        for number in (torch.float32, torch.bfloat16):
            name = f"{kernel}x{kernel} {inputs}->{outputs} @{side} {'bf16' if number is torch.bfloat16 else 'fp32'}"
            calls[name] = _convolution(batch_size, inputs, outputs, kernel, side, number), flop

    def work(seconds: float) -> dict[str, float]:
        span = seconds / len(calls)
        return {name: flop / seconds_a_call(call, span, 1) / 1e9 for name, (call, flop) in calls.items()}

    return work


def _convolution(
    batch_size: int, inputs: int, outputs: int, kernel: int, side: int, number: torch.dtype
) -> Callable[[], object]:
    x = torch.randn(batch_size, inputs, side, side, dtype=number).contiguous(memory_format=torch.channels_last)
    layer = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False, dtype=number)
    layer.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    with torch.no_grad():
        gradient = torch.randn_like(layer(x))
    x.requires_grad_()
    return lambda: torch.autograd.grad(layer(x), (x, layer.weight), gradient)


def _rate(step: Callable[[], object], batch_size: int, warmup: int) -> Slice:
    """A slice of training steps, told as images/s."""
    return lambda seconds: {"images_per_s": batch_size / seconds_a_call(step, seconds, warmup)}


def _training_config(batch_size: int) -> TrainingConfig:
    """The tutorial's optimizer, so that only the loops differ; smoothing and average as EcoNet's defaults have them."""
    return TrainingConfig(
        epochs=1,
        time_s=None,
        batch_size=batch_size,
        optimizer="sgd",
        schedule="one-cycle",
        lr=LEARNING_RATE,
        weight_decay=5e-4,
        label_smoothing=0.05,
        ema=0.99,
        augment=POLICY,
        patience=None,
        teacher=None,
        from_weights=None,
    )
