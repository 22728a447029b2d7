"""A nursery of trainings that are killed: every line on standard input is an order for one child, forked from here.

An order: `folder`, `model`, `width`, `lr`, `epochs`, `batch_size`, other options as `asked` (its teacher a folder's
name), and how the child dies, if it does:
`die_at_step` - it kills itself when that step is done, before the step's checkpoint;
`after_reports`, `pause` - it is killed that many seconds after so many steps were reported;
`operation`, `moment`, `scope` - it kills itself before, halfway through or after its n-th write, fsync, link or
rename, counted from its start in `checkpoint` files alone or in `all` of them.
The answer, a line of JSON: the signal that ended the child (0: none), its exit status, the operations it did.
Forking spares importing torch for every kill; the deaths are real.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

import torch

from econet.data.load import load_data
from econet.jobs.options import TrainOptions
from econet.jobs.train import train
from econet.training import checkpoint
from econet.training.progress import Silent


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Reporter(Silent):
    """Tells the nursery of every step, and dies at one."""

    def __init__(self, pipe: int, die_at_step: int | None) -> None:
        self.pipe = pipe
        self.die_at_step = die_at_step

    def advance(self, step: int, loss: float, images_per_s: float) -> None:
        if step == self.die_at_step:
            die()
        os.write(self.pipe, b".")


class HalfWriter:
    """A binary stream whose `write` is one of the counted operations."""

    def __init__(self, stream, around) -> None:
        self.stream = stream
        self.write = around(stream.write, self._half)

    def _half(self, content: bytes) -> None:
        self.stream.write(content[: len(content) // 2])
        self.stream.flush()

    def __enter__(self):
        return self

    def __exit__(self, *error) -> None:
        self.stream.close()

    def flush(self) -> None:
        self.stream.flush()

    def fileno(self) -> int:
        return self.stream.fileno()


class Operations:
    """Counts what a child does to the disk and kills it at the n-th operation."""

    def __init__(self, order: dict) -> None:
        self.fatal, self.moment = order.get("operation"), order.get("moment", "before")
        self.counting = order.get("scope") == "all"
        self.count = 0

    def install(self) -> None:
        opened, write_whole = Path.open, checkpoint.write_whole

        def watched_open(path: Path, mode: str = "r", *rest, **named):
            stream = opened(path, mode, *rest, **named)
            return HalfWriter(stream, self.around) if mode in ("wb", "ab") else stream

        def write_checkpoint(*arguments, **named) -> None:
            before, self.counting = self.counting, True
            write_whole(*arguments, **named)
            self.counting = before

        Path.open, Path.replace = watched_open, self.around(Path.replace)
        os.fsync, os.link = self.around(os.fsync), self.around(os.link)
        checkpoint.write_whole = write_checkpoint

    def around(self, function, half=None):
        def call(*arguments):
            self.count += self.counting
            if not self.counting or self.count != self.fatal:
                return function(*arguments)
            if self.moment == "halfway" and half is not None:
                half(*arguments)
            elif self.moment != "before":
                function(*arguments)
            return die()

        return call


def child(order: dict, dataset, pipe: int, counted: int) -> None:
    torch.set_num_threads(1)
    asked = order.get("asked", {})
    if "teacher" in asked:
        asked["teacher"] = Path(asked["teacher"])
    operations = Operations(order)
    operations.install()
    options = TrainOptions(
        model=order["model"],
        width=order["width"],
        epochs=order["epochs"],
        batch_size=order["batch_size"],
        lr=order["lr"],
        deterministic=True,
        threads=1,
        **asked,
    )
    reporter = Reporter(pipe, order.get("die_at_step"))
    train(Path(order["folder"]), dataset, options, reporter, resume=True, checkpoint_seconds=0.0)
    os.write(counted, str(operations.count).encode())


def raise_child(order: dict, dataset) -> dict:
    reports, pipe = os.pipe()
    count, counted = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            child(order, dataset, pipe, counted)
            status = 0
        finally:
            os._exit(status)
    os.close(pipe)
    os.close(counted)
    if "after_reports" in order:
        for _ in range(order["after_reports"]):
            os.read(reports, 1)
        time.sleep(order["pause"])
        os.kill(pid, signal.SIGKILL)
    while os.read(reports, 4096):
        pass
    status = os.waitpid(pid, 0)[1]
    operations = int(os.read(count, 64) or b"0")
    os.close(reports)
    os.close(count)
    return {"signal": status & 127, "exit": status >> 8, "operations": operations}


def main() -> None:
    dataset = load_data("fashion-mnist", data_dir=Path(sys.argv[1]), validation=float(sys.argv[2]))
    for line in sys.stdin:
        print(json.dumps(raise_child(json.loads(line), dataset)), flush=True)


if __name__ == "__main__":
    main()
