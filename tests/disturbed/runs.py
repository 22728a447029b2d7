"""A nursery of runs that are disturbed: every line on standard input is an order for one child, forked from here.

    python -m disturbed.runs DATA_DIR VALIDATION        (in tests/)

An order: `folder`, `model`, `width`, `lr`, `epochs`, `batch_size`, other options as `asked` (its teacher a folder's
name), `whole` where the run is then exported, evaluated and proven as well, and what disturbs the child, if anything:
`die_at_step` - it kills itself when that step is done, before the step's checkpoint;
`after_reports`, `pause` - it is killed that many seconds after so many steps were reported;
`after_reports`, `second` - a second child with the same order is begun then, whose end is told; the first is killed;
`operation`, `fault`, `moment`, `scope` - its n-th operation on the disk goes wrong, as disk.py says, counted from its
start in `checkpoint` files alone or in `all` of them.
The answer, a line of JSON: the signal that ended the child (0: none), its exit status as the terminal's (0 done, 2 a
UserError, 70 a bug), what it said then, the operations it did, its number and the seconds it took.
Forking spares importing torch for every death; the deaths are real.
"""

import json
import os
import select
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import torch

from disturbed.disk import Disk, die
from econet.cli.ending import BUG, DONE, MEND, as_user_error
from econet.data.load import load_data
from econet.jobs.options import TrainOptions
from econet.jobs.train import train
from econet.training import checkpoint
from econet.training.progress import Silent


class Reporter(Silent):
    """Tells the nursery of every step, and dies at one."""

    def __init__(self, pipe: int, die_at_step: int | None) -> None:
        self.pipe = pipe
        self.die_at_step = die_at_step

    def advance(self, step: int, loss: float, images_per_s: float) -> None:
        if step == self.die_at_step:
            die()
        os.write(self.pipe, b".")


def disk_for(order: dict[str, Any]) -> Disk:
    """The disk of this child, counting all operations or those on checkpoints alone."""
    disk = Disk(order.get("fault", "kill"), order.get("operation"), order.get("moment", "before"))
    disk.counting = order.get("scope") == "all"
    written = checkpoint.write_whole

    def write_checkpoint(*arguments: Any, **named: Any) -> None:
        before, disk.counting = disk.counting, True
        written(*arguments, **named)
        disk.counting = before

    checkpoint.write_whole = write_checkpoint
    return disk


def child(order: dict[str, Any], dataset: Any, reports: int) -> None:
    """The run that was ordered, from wherever it stands to its end."""
    asked = order.get("asked", {})
    if "teacher" in asked:
        asked["teacher"] = Path(asked["teacher"])
    names = ("model", "width", "epochs", "batch_size", "lr")
    options = TrainOptions(**{name: order[name] for name in names}, deterministic=True, threads=1, **asked)
    reporter = Reporter(reports, order.get("die_at_step"))
    run = train(Path(order["folder"]), dataset, options, reporter, resume=True, checkpoint_seconds=0.0)
    if order.get("whole"):
        from disturbed.shipping import shipped

        shipped(run, dataset)


def ended(order: dict[str, Any], dataset: Any, reports: int) -> dict[str, Any]:
    """How the child came to its end, where it was not killed."""
    torch.set_num_threads(1)
    disk, said, status = disk_for(order), "", DONE
    try:
        with disk.installed():
            child(order, dataset, reports)
    except Exception as error:
        mendable = as_user_error(error)
        status = BUG if mendable is None else MEND
        said = "".join(traceback.format_exception(error)[-3:]) if mendable is None else str(mendable)
    return {"exit": status, "said": said, "operations": disk.count}


class Child:
    """A forked run."""

    def __init__(self, order: dict[str, Any], dataset: Any) -> None:
        self.order, self.began = order, time.monotonic()
        self.reports, pipe = os.pipe()
        self.endings, told = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.write(told, json.dumps(ended(order, dataset, pipe)).encode())
            finally:
                os._exit(0)
        os.close(pipe)
        os.close(told)

    def wait_for_reports(self, steps: int) -> None:
        """Until so many steps were reported."""
        for _ in range(steps):
            os.read(self.reports, 1)

    def kill(self, pause: float) -> None:
        """Kill it after so many seconds, or at its end, where that comes first."""
        select.select([self.endings], [], [], pause)
        os.kill(self.pid, signal.SIGKILL)

    def answer(self) -> dict[str, Any]:
        """Wait for its end, and tell of it."""
        while os.read(self.reports, 4096):
            pass
        status = os.waitpid(self.pid, 0)[1]
        found = json.loads(os.read(self.endings, 1 << 16) or b"{}")
        os.close(self.reports)
        os.close(self.endings)
        gone = {"signal": status & 127, "exit": BUG, "said": "", "operations": 0}
        return {**gone, **found, "pid": self.pid, "seconds": time.monotonic() - self.began}


def answered(order: dict[str, Any], dataset: Any) -> dict[str, Any]:
    """Fork a child, disturb it and tell how it ended; of `second`, how one ends that is begun while the first is on."""
    child = Child(order, dataset)
    child.wait_for_reports(order.get("after_reports", 0))
    if order.get("second"):
        second = Child(order, dataset).answer()
        child.kill(0)
        return {**second, "holder": child.answer()["pid"]}
    if "pause" in order:
        child.kill(order["pause"])
    return child.answer()


def main() -> None:
    dataset = load_data("fashion-mnist", data_dir=Path(sys.argv[1]), validation=float(sys.argv[2]))
    for line in sys.stdin:
        order = json.loads(line)
        if order.get("whole"):
            import disturbed.shipping  # noqa: F401 - here, once for all children
        print(json.dumps(answered(order, dataset)), flush=True)


if __name__ == "__main__":
    main()
