"""What helps when photos are few: a shipped network to start from, or learning from all of them without labels first?

    python benchmarks/few_photos.py photos/ --photos 10 30 100 --draws 5 --steps 600 --workers 2 --json few-photos.json

DATA is a folder of class folders. Of its training photos so many of each class are drawn, several times; with each draw
one and the same network is trained in different ways, every training of as many steps on as many pictures:

    nothing          from random weights
    nothing, longer  the same, with the steps of `self-supervised` and of its pre-training together
    zoo              from a shipped network (--start), its last layer new
    self-supervised  from a training on all training photos of the folder that read no label, of as many steps
    run              from a run of the same network (--run), where one is given

Test photos are answered once by every training; nothing is chosen by them. Figures are means over draws with their 95 %
t interval, and differences are paired by draw: `helps` where the whole interval lies above 0, `harms` where it lies
below. The same words once more go on wherever it was stopped.
"""

import argparse
import json
import multiprocessing
import shlex
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import torch

from econet.data.augmentation import Augmenter, pictures
from econet.data.dataset import Dataset, Images
from econet.data.load import load_data
from econet.data.split import shuffled
from econet.errors import UserError
from econet.files import write_text
from econet.jobs.options import TrainOptions
from econet.jobs.train import train
from econet.measurement.machine import describe_machine
from econet.runs.folder import Run
from econet.statistics.intervals import t_interval
from econet.statistics.streams import stream_seed
from econet.training.inference import logits_of
from econet.training.interruption import Interrupted
from econet.training.progress import Silent
from econet.training.starts import find_start
from econet.training.weights import trained_network
from econet.version import __version__

NOTHING, LONGER, ZOO, WITHOUT_LABELS, RUN = "nothing", "nothing, longer", "zoo", "self-supervised", "run"
# What is drawn has 10, 30, 100 photos a class: whole batches of each, for ten classes.
BATCH = 50
# Validation chooses nothing here, and is asked after every epoch: a few pictures will do.
VALIDATION_A_CLASS = 2
LEAST_DRAWS = 3
MEND, SIGNALLED = 2, 128


@dataclass(frozen=True)
class Asked:
    """What all trainings share."""

    data: str
    out: Path
    start: str
    run: Path | None
    image_size: int
    steps: int


@dataclass(frozen=True)
class Task:
    """One training on one draw; with `photos` None the one without labels that `self-supervised` starts from."""

    way: str
    photos: int | None
    draw: int

    def folder(self, asked: Asked) -> Path:
        """Its run folder."""
        size = "all-photos" if self.photos is None else f"{self.photos}-photos"
        return asked.out / size / self.way.replace(", ", "-") / f"draw-{self.draw}"


@cache
def whole(data: str, image_size: int) -> Dataset:
    """All photos, with few for validation."""
    dataset = load_data(data, image_size=image_size)
    few = rows_of_each(dataset.validation, VALIDATION_A_CLASS, 0)
    return replace(dataset, validation=dataset.validation.take(few), listing=())


def rows_of_each(images: Images, count: int, draw: int) -> np.ndarray:
    """The rows of `count` pictures of each class, or of all where a class has fewer, drawn by number `draw`."""
    order = shuffled(len(images), stream_seed(draw, "draw", count))
    rows = [order[images.labels[order] == label][:count] for label in np.unique(images.labels)]
    return np.sort(np.concatenate(rows))


def drawn(dataset: Dataset, task: Task) -> Dataset:
    """The data set with the task's training photos alone."""
    if task.photos is None:
        return dataset
    part = dataset.train.take(rows_of_each(dataset.train, task.photos, task.draw))
    return replace(dataset, train=part, fingerprint=f"{dataset.fingerprint}-{task.photos}-{task.draw}")


def options_of(task: Task, asked: Asked, images: int) -> TrainOptions:
    """How a task trains: the network of the start, whatever it starts from."""
    steps = asked.steps * (2 if task.way == LONGER else 1)
    starts = {
        ZOO: Path(asked.start),
        RUN: asked.run,
        WITHOUT_LABELS: None if task.photos is None else Task(WITHOUT_LABELS, None, task.draw).folder(asked),
    }
    return TrainOptions(
        model=find_start(Path(asked.start)).model,
        start=starts.get(task.way),
        self_supervised=task.photos is None,
        epochs=max(1, round(steps / max(1, images // BATCH))),
        batch_size=BATCH,
        seed=task.draw,
        deterministic=True,
        threads=1,
    )


def train_task(task: Task, asked: Asked) -> dict[str, Any]:
    """Train, answer the test photos and keep the outcome; what is done already is read."""
    home = task.folder(asked)
    outcome = home / "outcome.json"
    if outcome.exists():
        return json.loads(outcome.read_text())
    dataset = drawn(whole(asked.data, asked.image_size), task)
    began = time.perf_counter()
    run = train(home, dataset, options_of(task, asked, len(dataset.train)), Silent(), resume=True)
    found = {
        **asdict(task),
        "training_photos": len(dataset.train),
        "steps": run.finished.steps,
        "seconds": round(run.finished.seconds, 1),
        "with_overhead_s": round(time.perf_counter() - began, 1),
        "augment": run.config.training.augment,
        "accuracy": accuracy(run, dataset) if task.photos else None,
        "turned_right": None if task.photos else run.finished.validation_accuracy,
        "warnings": list(run.finished.warnings),
    }
    write_text(outcome, json.dumps(found, indent=2) + "\n")
    return found


def accuracy(run: Run, dataset: Dataset) -> float:
    """The share of test photos that the float network answers rightly."""
    store = Augmenter(pictures(dataset.test), dataset.preprocess, "none", torch.device("cpu"))
    answers = logits_of(trained_network(run), store.plain, len(dataset.test), "fp32").argmax(1).numpy()
    return float((answers == dataset.test.labels).mean())


def all_done(tasks: Sequence[Task], asked: Asked, workers: int) -> Iterator[dict[str, Any]]:
    """The outcome of each task as it is there, several trained at once."""
    if workers == 1:
        yield from (train_task(task, asked) for task in tasks)
        return
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        for future in as_completed([pool.submit(train_task, task, asked) for task in tasks]):
            yield future.result()


def mean(values: Sequence[float]) -> dict[str, Any]:
    """A mean over draws, and its t interval where there are enough of them."""
    interval = t_interval(values) if len(values) >= LEAST_DRAWS else None
    return {"mean": fmean(values), "interval": interval, "n": len(values), "values": list(values)}


def difference(found: Sequence[float], against: Sequence[float]) -> dict[str, Any]:
    """What one way brings more than another with the same draws, and what can be said of it."""
    gain = mean([one - other for one, other in zip(found, against, strict=True)])
    low, high = gain["interval"] or (float("-inf"), float("inf"))
    return {**gain, "says": "helps" if low > 0 else "harms" if high < 0 else f"cannot be told by {gain['n']} draws"}


def summary(outcomes: Sequence[dict[str, Any]], sizes: Sequence[int], ways: Sequence[str]) -> dict[str, Any]:
    """For each number of photos each way's accuracy, its seconds, and how it stands to others."""
    result: dict[str, Any] = {}
    for size in sizes:
        rows = {
            way: sorted((one for one in outcomes if (one["way"], one["photos"]) == (way, size)), key=_draw)
            for way in ways
        }
        right = {way: [one["accuracy"] for one in found] for way, found in rows.items()}
        result[str(size)] = {
            way: {
                "accuracy": mean(right[way]),
                "seconds": fmean(one["seconds"] for one in rows[way]),
                "augment": rows[way][0]["augment"],
                "more_than": {
                    other: difference(right[way], right[other])
                    for other in ((NOTHING, LONGER) if way == WITHOUT_LABELS else (NOTHING,))
                    if other != way
                },
            }
            for way in ways
        }
    return result


def _draw(outcome: dict[str, Any]) -> int:
    return outcome["draw"]


def told(figures: dict[str, Any]) -> Iterator[str]:
    """The summary in lines for people."""
    for size, ways in figures.items():
        yield f"{size} photos a class"
        for way, found in ways.items():
            parts = [f"  {way}: {shown(found['accuracy'])}"]
            parts += [f"{shown(gain)} to {other}: {gain['says']}" for other, gain in found["more_than"].items()]
            yield "; ".join(parts)


def shown(figure: dict[str, Any]) -> str:
    """A figure in percent with its interval."""
    ends = [f"{100 * end:.1f}" for end in figure["interval"] or ()]
    between = f" ({' to '.join(ends)})" if ends else ""
    return f"{100 * figure['mean']:.1f} %{between}"


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    """What was asked on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="a folder of class folders")
    parser.add_argument("--photos", type=int, nargs="+", default=[10, 30, 100], help="of each class")
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--steps", type=int, default=600, help=f"of {BATCH} pictures, of every training")
    parser.add_argument("--start", default="fashion-mnist-econet-76k", help="a name in the zoo")
    parser.add_argument("--run", type=Path, help="a run of the same network to start from, too")
    parser.add_argument("--image-size", type=int, default=64)
    parser.add_argument("--workers", type=int, default=1, help="trainings at once, each on one thread")
    parser.add_argument("--out", type=Path, default=Path("runs") / "few-photos")
    parser.add_argument("--json", type=Path, help="where the record goes")
    return parser.parse_args(words)


def main(words: Sequence[str] | None = None) -> int:
    given = arguments(words)
    asked = Asked(given.data, given.out, given.start, given.run, given.image_size, given.steps)
    ways = [NOTHING, LONGER, ZOO, WITHOUT_LABELS, *([RUN] if given.run else [])]
    draws = range(given.draws)
    first = [Task(WITHOUT_LABELS, None, draw) for draw in draws]
    then = [Task(way, size, draw) for size in given.photos for draw in draws for way in ways]
    outcomes: list[dict[str, Any]] = []
    try:
        for tasks in (first, then):
            for found in all_done(tasks, asked, given.workers):
                outcomes.append(found)
                print(json.dumps(found), file=sys.stderr, flush=True)
    except UserError as error:
        print(error, file=sys.stderr)
        return MEND
    except (Interrupted, KeyboardInterrupt) as stopped:
        return SIGNALLED + (stopped.number if isinstance(stopped, Interrupted) else signal.SIGINT)
    figures = summary(outcomes, given.photos, ways)
    dataset = whole(asked.data, asked.image_size)
    record = {
        "data": {"name": dataset.name, "fingerprint": dataset.fingerprint, "classes": list(dataset.classes)},
        "photos": {"train": len(dataset.train), "test": len(dataset.test), "image_size": asked.image_size},
        "network": find_start(Path(asked.start)).model,
        "start": asked.start,
        "draws": given.draws,
        "steps": asked.steps,
        "batch_size": BATCH,
        "photos_a_class": figures,
        "outcomes": outcomes,
        "machine": asdict_of(describe_machine()),
        "econet": __version__,
        "torch": str(torch.__version__),
        "command": shlex.join(["python", "benchmarks/few_photos.py", *(words or sys.argv[1:])]),
    }
    if given.json is not None:
        write_text(given.json, json.dumps(record, indent=2) + "\n")
    print("\n".join(told(figures)))
    return 0


def asdict_of(record: Any) -> dict[str, Any]:
    """A record as plain JSON types."""
    return {name: getattr(record, name) for name in record.__struct_fields__}


if __name__ == "__main__":
    sys.exit(main())
