"""Prunings that are killed: every line on standard input is an order for one child, forked from here.

An order names the `folder`, and how the child dies, if it does: `config` - before it writes its n-th `config.json`;
`step` - when it reports that step of the first training it takes up. The answer is the signal that ended the child.
"""

import json
import os
import signal
import sys
from pathlib import Path

import torch

from econet.compression.tracing import traced
from econet.data.load import load_data
from econet.jobs.options import PruneOptions, TrainOptions
from econet.jobs.prune import prune
from econet.runs.folder import Run
from econet.training.progress import Silent

TUNING = TrainOptions(epochs=1, batch_size=48, deterministic=True, threads=1)
OPTIONS = PruneOptions(ratio=0.5, iterations=2, importance="taylor", tuning=TUNING)


class Mortal(Silent):
    """Dies at a step, before its checkpoint is written."""

    def __init__(self, step: int | None) -> None:
        self.step = step

    def advance(self, step: int, loss: float, images_per_s: float) -> None:
        if step == self.step:
            os.kill(os.getpid(), signal.SIGKILL)


def child(order: dict, parent: Run, dataset) -> None:
    torch.set_num_threads(1)
    written, left = Run.write_config, [order.get("config", 0)]

    def write_config(run: Run, config) -> None:
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        written(run, config)

    Run.write_config = write_config
    progress = Mortal(order.get("step"))
    prune(parent, Path(order["folder"]), dataset, OPTIONS, progress, resume=True, checkpoint_seconds=0.0)


def main() -> None:
    dataset = load_data("fashion-mnist", data_dir=Path(sys.argv[1]), validation=0.15)
    traced(torch.nn.Conv2d(1, 1, 1), torch.zeros(2, 1, 4, 4))  # what tracing imports, once for all children
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                child(json.loads(line), Run(Path(sys.argv[2])), dataset)
                status = 0
            finally:
                os._exit(status)
        status = os.waitpid(pid, 0)[1]
        print(status & 127 or status >> 8, flush=True)


if __name__ == "__main__":
    main()
