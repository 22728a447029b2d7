"""Our training loop against the loop of PyTorch's tutorials, on the same network, batch, pictures and threads.

    python benchmarks/training_step.py --rounds 7

Tutorial: a DataLoader of pictures transformed one by one with Pillow, float32, channels first, the best of 0, 1 and
2 workers. Ours: batches cut from tensors, channels last, bf16 where it is faster, the allocator setting, and the
average of the weights besides. Both use SGD with Nesterov momentum. Every side is a process of its own; the processes
take turns, one works while the others wait. Beside the rates stands what dense convolutions reach on this machine in
the same run (the highest of all rounds), and which share of it each side reaches at 6 FLOP a MAC and image: a
multiplication and an addition, forward once and backward twice.
"""

import argparse
import json
import multiprocessing
import os
import shlex
import statistics
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

import numpy as np

from econet.data.load import load_data
from econet.data.store import normalisation
from econet.errors import UserError
from econet.images.preprocess import Preprocess
from econet.measurement.machine import describe_machine
from econet.models import catalog, cost
from econet.models.architecture import from_data
from input_pipeline import machine
from training_sides import Lesson, serve

TUTORIALS = ("tutorial, 0 workers", "tutorial, 1 worker", "tutorial, 2 workers")
SIDES = ("econet", *TUTORIALS, "ceiling")
RANDOM_PICTURES = 20_000

Figures = dict[str, float]


@dataclass(frozen=True, slots=True)
class Case:
    """One comparison and the ratio it should reach."""

    model: str
    data: str
    side: int
    target: float

    @property
    def name(self) -> str:
        """Model and picture size, as `--only` takes it."""
        return f"{self.model}-{self.side}"


CASES = (
    Case("alexnet_small", "fashion-mnist", 28, 2.0),
    Case("econet", "fashion-mnist", 28, 1.7),
    Case("econet", "cifar10", 32, 2.5),
)


def lesson_for(case: Case, asked: argparse.Namespace) -> tuple[Lesson, str]:
    """The network and pictures of `case`, and in words which pictures they are: random ones where CIFAR-10 is not."""
    try:
        data = load_data(case.data, data_dir=asked.data_dir)
        pixels, labels, preprocess = data.train.pixels, data.train.labels, data.preprocess
        words = data.name
    except UserError as error:
        if case.data != "cifar10":
            raise
        draw = np.random.default_rng(0)
        pixels = draw.integers(0, 256, (RANDOM_PICTURES, case.side, case.side, 3), dtype=np.uint8)
        labels = draw.integers(0, 10, RANDOM_PICTURES)
        offset, scale = normalisation(pixels)
        size = (case.side, case.side)
        preprocess = Preprocess(image_size=size, channels=3, resize_size=size, offset=offset, scale=scale)
        words = f"random pictures ({error.what})"
    switches = {"width": asked.width} if case.model == "econet" and asked.width else {}
    shape = (preprocess.channels, *preprocess.image_size)
    architecture = catalog.architecture(case.model, shape, 10, **switches)
    return Lesson(architecture, pixels, labels, preprocess, asked.batch_size, asked.threads), words


@contextmanager
def children(lesson: Lesson) -> Generator[tuple[dict[str, Connection], dict[str, Any]]]:
    """A process for every side, ready and waiting, and what our side chose; they end with the block."""
    context = multiprocessing.get_context("spawn")
    pipes: dict[str, Connection] = {}
    processes: list[SpawnProcess] = []

    def start(side: str) -> None:
        pipes[side], theirs = context.Pipe()
        processes.append(context.Process(target=serve, args=(theirs, side, lesson)))
        processes[-1].start()
        theirs.close()

    try:
        for side in SIDES[1:]:
            start(side)
        for side in SIDES[1:]:
            pipes[side].recv()
        start(SIDES[0])  # measures what the machine likes, so the others are at rest
        yield pipes, pipes[SIDES[0]].recv()
        for pipe in pipes.values():
            pipe.send(None)
    except BaseException:
        for process in processes:
            process.terminate()
        raise
    finally:
        for process in processes:
            process.join()


def measure(lesson: Lesson, rounds: int, seconds: float) -> tuple[dict[str, list[Figures]], dict[str, Any]]:
    """Every side's figures, one entry a round, and what our side chose. Odd rounds go the other way round."""
    figures: dict[str, list[Figures]] = {side: [] for side in SIDES}
    with children(lesson) as (pipes, chosen):
        for number in range(rounds):
            for side in SIDES if number % 2 == 0 else SIDES[::-1]:
                pipes[side].send(seconds)
                figures[side].append(pipes[side].recv())
    return figures, chosen


def summary(case: Case, macs: int, figures: dict[str, list[Figures]]) -> dict[str, Any]:
    """Rates, the ratio of medians with the lowest and highest round, the ceiling and the shares of it."""
    rates = {side: [entry["images_per_s"] for entry in figures[side]] for side in SIDES if side != "ceiling"}
    medians = {side: statistics.median(values) for side, values in rates.items()}
    best = max(TUTORIALS, key=medians.__getitem__)
    by_round = [ours / theirs for ours, theirs in zip(rates["econet"], rates[best], strict=True)]
    ceilings = {name: max(entry[name] for entry in figures["ceiling"]) for name in figures["ceiling"][0]}
    kernel = max(ceilings, key=ceilings.__getitem__)
    ratio = medians["econet"] / medians[best]
    return {
        "images_per_s": {
            side: {"median": medians[side], "min": min(values), "max": max(values)} for side, values in rates.items()
        },
        "best_tutorial": best,
        "ratio": {"median": ratio, "min": min(by_round), "max": max(by_round)},
        "target": case.target,
        "reached": ratio >= case.target,
        "ceiling_gflop_per_s": ceilings[kernel],
        "ceiling_kernel": kernel,
        "convolutions_gflop_per_s": ceilings,
        "share_of_ceiling": {side: 6e-9 * macs * rate / ceilings[kernel] for side, rate in medians.items()},
    }


def compared(case: Case, asked: argparse.Namespace) -> dict[str, Any]:
    """One comparison, measured and summed up."""
    lesson, words = lesson_for(case, asked)
    architecture = from_data(lesson.architecture)
    macs = cost.macs(architecture)
    figures, chosen = measure(lesson, asked.rounds, asked.seconds)
    return {
        "name": case.name,
        "model": case.model,
        "width": asked.width or 1.0 if case.model == "econet" else None,
        "data": words,
        "image": [*lesson.preprocess.image_size, lesson.preprocess.channels],
        "macs": macs,
        "parameters": cost.parameters(architecture),
        **chosen,
        **summary(case, macs, figures),
    }


def table(result: dict[str, Any]) -> str:
    """The result for a reader."""
    made = result["machine"]
    lines = [
        f"{made['cpu']}, {made['cores']} cores, {made['threads']} used, load {made['load_average']:.1f} at the start; "
        f"torch {made['torch']}, Python {made['python']}",
        f"batch {result['batch_size']}, n = {result['rounds']} rounds of {result['seconds']:g} s a side",
    ]
    for one in result["comparisons"]:
        lines += ["", *_lines(one)]
    return "\n".join([*lines, "", result["command"]])


def _lines(one: dict[str, Any]) -> list[str]:
    width = f", width {one['width']:g}" if one["width"] else ""
    ratio = one["ratio"]
    verdict = "reached" if one["reached"] else "NOT reached"
    lines = [
        f"{one['model']}{width}, {one['data']} {one['image']}, {one['macs']:,} MACs; ours in {one['precision']}",
        f"{'images/s':22}{'median':>10}{'min':>10}{'max':>10}{'of the ceiling':>16}",
    ]
    for side, rate in one["images_per_s"].items():
        share = f"{one['share_of_ceiling'][side]:.1%}"
        lines.append(f"{side:22}{rate['median']:>10,.0f}{rate['min']:>10,.0f}{rate['max']:>10,.0f}{share:>16}")
    return [
        *lines,
        f"econet / {one['best_tutorial']}: {ratio['median']:.2f} ({ratio['min']:.2f}-{ratio['max']:.2f}); "
        f"the target {one['target']:g} is {verdict}",
        f"ceiling: {one['ceiling_gflop_per_s']:.0f} GFLOP/s, convolution {one['ceiling_kernel']}, forward and backward",
    ]


def free_cores() -> int:
    """Cores without other work, by the load average of the last minute; at least one."""
    return max(1, describe_machine().cores - round(os.getloadavg()[0]))


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    """What was asked on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [case.name for case in CASES]
    parser.add_argument("--only", choices=names, action="append", help="one comparison; may be repeated")
    parser.add_argument("--width", type=float, help="of econet; by default the catalog's")
    parser.add_argument("--data-dir", type=Path, help="where CIFAR-10 lies; random pictures where it is not found")
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.7, help="of each side in each round")
    parser.add_argument("--threads", type=int, default=free_cores(), help="by default as many as cores are free now")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    return parser.parse_args(words)


def main() -> None:
    asked = arguments()
    result = {
        "command": shlex.join(["python", *sys.argv]),
        "machine": {**machine(), "threads": asked.threads},
        "batch_size": asked.batch_size,
        "rounds": asked.rounds,
        "seconds": asked.seconds,
        "comparisons": [compared(case, asked) for case in CASES if not asked.only or case.name in asked.only],
    }
    print(json.dumps(result, indent=2) if asked.json else table(result))


if __name__ == "__main__":
    main()
