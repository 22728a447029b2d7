"""What two columns on two devices cost: bytes exchanged, and seconds a step against the same network on one.

    python benchmarks/two_devices.py --rounds 5

Bytes an image are those that the columns of the published network put on the line for one batch, counted as they are
sent (on torch's meta device, which computes no values), beside the gradients that two data-parallel processes send.
Seconds are of whole training steps of alexnet_towers:mini on random pictures, in one process and in two over gloo, each
process on the same number of threads. The two sides take turns inside every round; a figure is the median over rounds
with the lowest and the highest.
"""

import argparse
import json
import os
import shlex
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn import functional as F

from econet.measurement.machine import describe_machine
from econet.models import catalog, cost
from econet.models.architecture import from_data
from econet.models.exchange import Link
from econet.models.towers import COLUMNS, Column
from econet.training import machine
from econet.training.allocator import keep_large_blocks
from econet.training.optimizers import MOMENTUM
from econet.training.sgd_2012 import Sgd2012
from econet.training.towers import sharing_for

PUBLISHED, BATCH_OF_2012, GRADIENT_BYTES = "alexnet_towers:paper", 128, 4
SMALL = "alexnet_towers:mini"
CPU = torch.device("cpu")


class Counted(Link):
    """A line that only counts."""

    def post(self, sends: Tensor | None, receives: Tensor | None) -> list[dist.Work]:
        return []


def bytes_an_image() -> dict[str, float]:
    """Bytes that cross for one image, forward and backward: between columns, and between data-parallel processes."""
    architecture = from_data(catalog.architecture(PUBLISHED, catalog.PUBLISHED_SHAPE[PUBLISHED], 1000))
    links = [Counted(number) for number in range(COLUMNS)]
    with torch.device("meta"):
        for link in links:
            logits = Column(architecture, link)(torch.empty(1, *architecture.input))
            F.cross_entropy(logits, torch.empty(1, dtype=torch.long)).backward()
    gradients = COLUMNS * GRADIENT_BYTES * cost.parameters(architecture) / BATCH_OF_2012
    towers = sum(link.sent_bytes for link in links)
    return {"towers": towers, "data_parallel": gradients, "ratio": gradients / towers}


def serve(pipe: Connection, rank: int, processes: int, meeting: str, batch_size: int, threads: int) -> None:
    """A child's life: one column, or both; then so many steps a request, until None comes."""
    os.environ.update(RANK=str(rank), WORLD_SIZE=str(processes))
    if processes > 1:
        dist.init_process_group("gloo", f"file://{meeting}", rank=rank, world_size=processes)
    torch.set_num_threads(threads)
    keep_large_blocks()
    step = training_step(batch_size)
    step()
    pipe.send(None)
    while (steps := pipe.recv()) is not None:
        started = time.perf_counter()
        for _ in range(steps):
            step()
        pipe.send((time.perf_counter() - started) / steps)
    if processes > 1:
        dist.destroy_process_group()


def training_step(batch_size: int) -> Callable[[], None]:
    """One step a call as the trainer takes it: forward, loss, backward, update."""
    torch.manual_seed(0)
    sharing = sharing_for(SMALL, "sgd-2012", CPU)
    network = machine.placed(sharing.prepared(catalog.build(SMALL)), CPU).train()
    optimizer = Sgd2012([{"params": list(network.parameters())}], lr=1e-6, momentum=MOMENTUM)
    images = (255 * torch.rand(batch_size, 3, 32, 32)).contiguous(memory_format=torch.channels_last)
    labels = torch.randint(10, (batch_size,))

    def step() -> None:
        F.cross_entropy(network(images), labels).backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def seconds_a_step(asked: argparse.Namespace) -> dict[str, list[float]]:
    """Seconds of a step on each side, a figure a round; of two processes, the slower one's."""
    context = get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        children: dict[str, list[tuple[Connection, Any]]] = {"one process": [], "two processes": []}
        for processes, side in enumerate(children.values(), 1):
            for rank in range(processes):
                here, there = context.Pipe()
                words = (there, rank, processes, f"{folder}/meeting", asked.batch_size, asked.threads)
                child = context.Process(target=serve, args=words, daemon=True)
                child.start()
                side.append((here, child))
        ask(children["one process"] + children["two processes"])
        found: dict[str, list[float]] = {name: [] for name in children}
        for _ in range(asked.rounds):
            for name, side in children.items():
                for pipe, _ in side:
                    pipe.send(asked.steps)
                found[name].append(max(ask(side)))
        for pipe, child in children["one process"] + children["two processes"]:
            pipe.send(None)
            child.join()
    return found


def ask(side: Sequence[tuple[Connection, Any]]) -> list[Any]:
    """What every child of a side answers."""
    return [pipe.recv() for pipe, _ in side]


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, lowest and highest."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def table(result: dict[str, Any]) -> str:
    """The result for a reader."""
    made, crossing = result["machine"], result["bytes_an_image"]
    lines = [
        f"{PUBLISHED}: {crossing['towers']:,} bytes an image between the columns, {crossing['data_parallel']:,.0f} "
        f"between data-parallel processes at batch {BATCH_OF_2012}: {crossing['ratio']:.2f} times as many",
        "",
        f"{made['cpu']}, {made['cores']} cores, load {made['load_average']:.1f}; torch {torch.__version__}",
        f"{SMALL}, 32 x 32 x 3, batch {result['batch_size']}, {made['threads']} thread(s) a process, "
        f"n = {result['rounds']} rounds of {result['steps']} steps",
        f"{'seconds a step':16}{'median':>10}{'min':>10}{'max':>10}",
    ]
    for side, seconds in result["seconds_a_step"].items():
        lines.append(f"{side:16}{seconds['median']:>10.4f}{seconds['min']:>10.4f}{seconds['max']:>10.4f}")
    ratio = result["ratio"]
    lines.append(f"two processes / one: {ratio['median']:.2f} ({ratio['min']:.2f}-{ratio['max']:.2f})")
    return "\n".join([*lines, "", result["command"]])


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    """What was asked on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=3, help="of each side in each round")
    parser.add_argument("--threads", type=int, default=1, help="of each process")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    return parser.parse_args(words)


def main() -> None:
    asked = arguments()
    load, described = os.getloadavg()[0], describe_machine()
    seconds = seconds_a_step(asked)
    pairs = zip(seconds["two processes"], seconds["one process"], strict=True)
    result = {
        "command": shlex.join(["python", *sys.argv]),
        "machine": {
            "cpu": described.cpu,
            "cores": described.cores,
            "load_average": load,
            "threads": asked.threads,
        },
        "batch_size": asked.batch_size,
        "rounds": asked.rounds,
        "steps": asked.steps,
        "bytes_an_image": bytes_an_image(),
        "seconds_a_step": {side: spread(values) for side, values in seconds.items()},
        "ratio": spread([two / one for two, one in pairs]),
    }
    print(json.dumps(result, indent=2) if asked.json else table(result))


if __name__ == "__main__":
    main()
