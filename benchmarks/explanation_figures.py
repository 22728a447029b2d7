"""Is what `explain` says true? Deletion and insertion against random masks, random weights, agreement, seconds.

    python benchmarks/explanation_figures.py runs/cifar10-econet --images 200 --json explanation-figures.json

RUN is a finished run; its artifact is its int8 file, else its fp32 one. Asked are pictures of the test split, evenly
spread, about the class that is answered; nothing is chosen by them. Every map is held against random masks of the same
picture (gains above 0 with an interval over pictures: the map knows something) and against the maps of the same network
with random weights, from the last layer on (a rank correlation near 0: the map comes from what was learned). Edges of
the picture, a map that never asks the network, go through the same tests and have to fail the second one. A figure is a
mean over pictures with its 95 % t interval; seconds are medians on one thread.
"""

import argparse
import json
import os
import shlex
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch

from econet.data.stream import in_memory
from econet.explanation.agreement import rank_correlation, top_overlap
from econet.explanation.edges import edge_map
from econet.explanation.evidence import against_random, depends_on_weights, mean_of
from econet.explanation.hiding import blurred
from econet.explanation.question import Map, Question
from econet.files import write_text
from econet.images.preprocess import Pixels, cropped
from econet.jobs.explain import ExplainOptions, explain_map
from econet.jobs.explain_subject import Subject, open_subject
from econet.jobs.run_data import check_same_data, load_again
from econet.measurement.machine import describe_machine
from econet.runs.choices import ExplainMethod
from econet.runs.folder import Run, open_run
from econet.version import __version__

ARTIFACT: tuple[ExplainMethod, ...] = ("masks", "occlusion")
NETWORK: tuple[ExplainMethod, ...] = ("grad-cam", "masks", "occlusion")
EDGES = "edges"
# Maps are made with the last layer's weights random, with those of half of the layers, with all.
STAGES = ("last layer", "half of the layers", "all layers")
# So many networks with random weights take turns over the pictures: one alone may have a taste of its own.
FORGETFUL = 5
PAIRS = (
    ("artifact masks", "artifact occlusion"),
    ("artifact masks", "run masks"),
    ("artifact masks", "run grad-cam"),
    ("artifact occlusion", "run grad-cam"),
    ("run masks", "run grad-cam"),
)


@dataclass(frozen=True)
class Way:
    """One way to make a map [h, w] of a picture for a class: by one of the two subjects, or by none."""

    name: str
    subject: Subject
    map_of: Callable[[Subject, Pixels, int], Map]


@dataclass(frozen=True)
class Measured:
    """What one way came to on one picture; `forgotten` by stage, None where a map is flat."""

    found: Map
    seconds: float
    deletion: float
    insertion: float
    deletion_gain: float
    insertion_gain: float
    forgotten: tuple[float | None, ...]


def ways(artifact: Subject, network: Subject, masks: int | None, seed: int) -> list[Way]:
    """Every way that is compared, the control last."""

    def by(method: ExplainMethod) -> Callable[[Subject, Pixels, int], Map]:
        options = ExplainOptions(method=method, masks=masks, seed=seed)
        return lambda subject, seen, label: explain_map(subject, seen, label, options)[0]

    return [
        *(Way(f"artifact {method}", artifact, by(method)) for method in ARTIFACT),
        *(Way(f"run {method}", network, by(method)) for method in NETWORK),
        Way(EDGES, artifact, lambda subject, seen, label: edge_map(seen)),
    ]


def stages_of(subject: Subject, seed: int) -> list[Subject]:
    """The subject at each stage of forgetting."""
    if subject.forgotten is None:
        raise SystemExit(f"the weights of {subject.path} cannot be reached: name a run with an ONNX file")
    every = list(subject.forgotten(seed))
    return [every[place] for place in (0, len(every) // 2, len(every) - 1)]


def pictures_of(run: Run, count: int, data_dir: Path | None) -> Pixels:
    """Test pictures of the run's data as the network sees them, evenly spread over the split."""
    dataset = load_again(run.config.data, data_dir=data_dir)
    check_same_data(run.config.data, dataset, run.folder)
    places = np.linspace(0, len(dataset.test) - 1, min(count, len(dataset.test))).round().astype(np.intp)
    chosen = dataset.test.take(places)
    return cropped(in_memory(chosen, count).pixels, run.config.data.preprocess)


def measured(way: Way, forgetful: Sequence[Subject], seen: Pixels, seed: int) -> Measured:
    """Make the map, time it and hold it against random masks and random weights."""
    label = int(way.subject.answer(seen[None]).argmax())
    began = time.perf_counter()
    found = way.map_of(way.subject, seen, label)
    seconds = time.perf_counter() - began
    areas = against_random(Question(way.subject.answer, seen, blurred(seen), label), found, seed=seed)
    return Measured(
        found=found,
        seconds=seconds,
        deletion=areas.found.deletion,
        insertion=areas.found.insertion,
        deletion_gain=areas.deletion_gain,
        insertion_gain=areas.insertion_gain,
        forgotten=tuple(rank_correlation(found, way.map_of(each, seen, label)) for each in forgetful),
    )


def summary(rows: Sequence[Measured]) -> dict[str, Any]:
    """The means of one way over all pictures, and whether it passes both tests."""
    gains = {name: mean_of([getattr(row, name) for row in rows]) for name in ("deletion_gain", "insertion_gain")}
    stages = {name: depends_on_weights([row.forgotten[place] for row in rows]) for place, name in enumerate(STAGES)}
    return {
        "seconds": statistics.median(row.seconds for row in rows),
        "deletion": asdict(mean_of([row.deletion for row in rows])),
        "insertion": asdict(mean_of([row.insertion for row in rows])),
        **{name: asdict(gain) for name, gain in gains.items()},
        "better_than_random_masks": all(gain.interval[0] > 0 for gain in gains.values()),
        "random_weights": {name: asdict(mean) for name, (mean, _) in stages.items()},
        "comes_from_the_weights": stages[STAGES[-1]][1],
    }


def agreement(first: Sequence[Measured], second: Sequence[Measured]) -> dict[str, Any]:
    """How far two ways point at the same, over all pictures; a flat map counts as no agreement."""
    pairs = [(one.found, other.found) for one, other in zip(first, second, strict=True)]
    return {
        "rank_correlation": asdict(mean_of([rank_correlation(*pair) or 0.0 for pair in pairs])),
        "top_overlap": asdict(mean_of([top_overlap(*pair) or 0.0 for pair in pairs])),
    }


def measure(asked: argparse.Namespace) -> dict[str, Any]:
    """Everything, over the pictures asked for."""
    run = open_run(asked.run)
    file = next((path for path in (run.artifact("int8"), run.artifact("fp32")) if path.exists()), None)
    if file is None:
        raise SystemExit(f"{asked.run} has no ONNX file: econet export {asked.run} --int8")
    artifact, network = open_subject(file), open_subject(run.folder)
    pictures = pictures_of(run, asked.images, asked.data_dir)
    turns = {
        id(subject): [stages_of(subject, asked.seed + turn) for turn in range(FORGETFUL)]
        for subject in (artifact, network)
    }
    everything = ways(artifact, network, asked.masks, asked.seed)
    rows: dict[str, list[Measured]] = {way.name: [] for way in everything}
    for number, seen in enumerate(pictures):
        for way in everything:
            forgetful = turns[id(way.subject)][number % FORGETFUL]
            rows[way.name].append(measured(way, forgetful, seen, asked.seed + number))
        print(f"{number + 1} of {len(pictures)}", file=sys.stderr, flush=True)
    return {
        "artifact": str(artifact.path),
        "run": str(network.path),
        "images": len(pictures),
        "ways": {name: summary(found) for name, found in rows.items()},
        "agreement": {f"{one} / {other}": agreement(rows[one], rows[other]) for one, other in PAIRS},
    }


def table(result: dict[str, Any]) -> str:
    """The result for a reader."""
    made = result["machine"]
    lines = [
        f"{result['artifact']} and its run, n = {result['images']} test pictures",
        f"{made['cpu']}, {made['cores']} cores, load {made['load_average']:.1f}; torch {torch.__version__}, "
        f"onnxruntime {onnxruntime.__version__}, one thread",
        "",
        f"{'':20}{'deletion gain':>24}{'insertion gain':>24}{'random weights':>24}{'seconds':>9}",
    ]
    for name, way in result["ways"].items():
        figures = [way["deletion_gain"], way["insertion_gain"], way["random_weights"][STAGES[-1]]]
        lines.append(f"{name:20}{''.join(f'{written(each):>24}' for each in figures)}{way['seconds']:>9.3f}")
        better = "better than" if way["better_than_random_masks"] else "not better than"
        source = "comes from" if way["comes_from_the_weights"] else "does not come from"
        lines.append(f"{'':20}{better} random masks; {source} the weights")
    lines += ["", f"{'agreement':40}{'rank correlation':>24}{'strongest fifths':>24}"]
    for name, found in result["agreement"].items():
        lines.append(f"{name:40}{written(found['rank_correlation']):>24}{written(found['top_overlap']):>24}")
    return "\n".join([*lines, "", result["command"]])


def written(mean: dict[str, Any]) -> str:
    """A mean with its interval."""
    low, high = mean["interval"]
    return f"{mean['value']:.3f} ({low:.3f} {high:.3f})"


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    """What was asked on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="a finished run with its files and its data")
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--masks", type=int, help="random masks a picture, instead of what the MACs allow")
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="where the figures are written")
    return parser.parse_args(words)


def main() -> None:
    asked = arguments()
    torch.set_num_threads(1)
    load, described = os.getloadavg()[0], describe_machine()
    result = {
        "command": shlex.join(["python", *sys.argv]),
        "econet": __version__,
        "seed": asked.seed,
        "machine": {"cpu": described.cpu, "cores": described.cores, "load_average": load},
        **measure(asked),
    }
    if asked.json is not None:
        write_text(asked.json, json.dumps(result, indent=2) + "\n")
    print(table(result))


if __name__ == "__main__":
    main()
