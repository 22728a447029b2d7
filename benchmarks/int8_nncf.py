"""Our int8 files against NNCF's, of one trained network, on the same images, in both runtimes.

    python benchmarks/int8_nncf.py runs/recipes/cifar10-econet/seed-0/student --rounds 15

Ours: static, and trained on with fake quantization (`--epochs`, 0 leaves it out). NNCF's: `nncf.quantize` with its own
settings, on the ONNX file and on OpenVINO's model; and on the ONNX file with one scale for all channels of an
activation, since its own settings give each channel in front of a depthwise convolution a scale of its own, which ONNX
Runtime refuses to open where such a value is added to another. All are calibrated on the same training images.

Bytes are counted as written and, of ONNX files, after the same stripping of names and notes (ours always are). Latency
is of one image on one thread, all files in both runtimes taking turns in every round; a ratio is the median over rounds
with the lowest and the highest. What a runtime cannot open has no figures there, and its words are told.

Needs `pip install "econet[train,nncf]"`. The run is read, never written to; files and `int8-nncf.json` go to `--out`.
"""

import argparse
import importlib
import importlib.metadata
import json
import math
import os
import shlex
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from econet.data.dataset import Dataset
from econet.deployment.engines.engine import Engine
from econet.deployment.predictor import softmax
from econet.errors import UserError
from econet.files import write_text
from econet.images.preprocess import Pixels, cropped
from econet.jobs import judge
from econet.jobs.evaluate import images_of
from econet.jobs.options import QUANTIZE_EPOCHS
from econet.jobs.run_data import load_again
from econet.measurement.accuracy import Predictions, predictions_of
from econet.measurement.latency import latency_ratio
from econet.measurement.machine import describe_machine
from econet.runs.folder import open_run
from econet.statistics.intervals import wilson
from int8_sides import OURS, RUNTIMES, Side, nncf_sides, our_sides

RECORDED = Path("runs") / "recipes" / "cifar10-econet" / "seed-0" / "student"
MEND, BATCH, WARM_UP = 2, 250, 20


def answers(engine: Engine, pixels: Pixels, labels: Any) -> Predictions:
    """The answers to images of the input's size."""
    parts = [engine.logits(pixels[start : start + BATCH]) for start in range(0, len(pixels), BATCH)]
    logits = np.concatenate(parts)
    return predictions_of(logits, softmax(logits), labels)


def round_medians(calls: Sequence[Callable[[], object]], rounds: int, round_seconds: float) -> list[list[float]]:
    """Milliseconds of each call: its median in every round; each round begins with another one."""
    counts = [max(5, math.ceil(round_seconds / statistics.median(timed(call, WARM_UP)))) for call in calls]
    medians: list[list[float]] = [[] for _ in calls]
    for number in range(rounds):
        for place in range(len(calls)):
            turn = (place + number) % len(calls)
            medians[turn].append(1000 * statistics.median(timed(calls[turn], counts[turn])))
    return medians


def timed(call: Callable[[], object], count: int) -> list[float]:
    """Seconds of each of `count` calls."""
    times: list[float] = []
    for _ in range(count):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return times


def measured(sides: Sequence[Side], dataset: Dataset, split: str, rounds: int, round_seconds: float) -> dict[str, Any]:
    """Every side in every runtime that opens it, and our sides against NNCF's in the same runtime."""
    images = images_of(dataset, "test" if split == "test" else "validation")
    pixels = cropped(np.asarray(images.pixels), dataset.preprocess)
    places = [(side, runtime) for side in sides for runtime in side.runtimes]
    told = {(side.name, runtime): answers(side.open(runtime, None), pixels, images.labels) for side, runtime in places}
    calls = [side.open(runtime, 1).call(pixels[:1]) for side, runtime in places]
    medians = round_medians(calls, rounds, round_seconds)
    times = {(side.name, runtime): each for (side, runtime), each in zip(places, medians, strict=True)}
    return {
        "images": len(images),
        "sides": [shown(side, told, times) for side in sides],
        "against": [
            against(side, other, runtime, told, times)
            for runtime in RUNTIMES
            for side in sides
            for other in sides
            if side.name in OURS and other.name not in OURS and runtime in other.runtimes
        ],
    }


def shown(side: Side, told: dict[tuple[str, str], Predictions], times: dict[tuple[str, str], list[float]]) -> Any:
    """One side's own figures."""
    figures: dict[str, Any] = {
        "name": side.name,
        "bytes": side.bytes,
        "stripped_bytes": side.stripped_bytes,
        "refused": side.refused,
    }
    for runtime in side.runtimes:
        answered = told[side.name, runtime]
        right = int((answered.truth == answered.predicted).sum())
        figures[runtime] = {
            "accuracy": right / len(answered),
            "accuracy_interval": wilson(right, len(answered)),
            "latency_ms": statistics.median(times[side.name, runtime]),
        }
    return figures


def against(
    side: Side,
    other: Side,
    runtime: str,
    told: dict[tuple[str, str], Predictions],
    times: dict[tuple[str, str], list[float]],
) -> dict[str, Any]:
    """Ours over NNCF's in one runtime: below 1 is smaller or faster; the difference of accuracy is paired (Tango)."""
    found = judge.difference(told[other.name, runtime], told[side.name, runtime])
    ratio, low, high = latency_ratio(times[side.name, runtime], times[other.name, runtime])
    return {
        "ours": side.name,
        "other": other.name,
        "runtime": runtime,
        "accuracy_difference": msgspec.to_builtins(found),
        "bytes_ratio": (side.stripped_bytes or side.bytes) / (other.stripped_bytes or other.bytes),
        "latency_ratio": {"median": ratio, "min": low, "max": high},
    }


def table(result: dict[str, Any]) -> str:
    """The result for a reader, and in which figures ours is behind."""
    made = result["machine"]
    lines = [
        f"{result['run']}: {result['images']:,} {result['split']} images, {result['rounds']} rounds",
        f"{made['cpu']}, load {made['load_average']:.1f}; "
        + ", ".join(f"{name} {number}" for name, number in result["versions"].items()),
        f"{'int8 file':16}{'bytes':>10}{'stripped':>10}" + "".join(f"{name:>22}{'ms':>9}" for name in RUNTIMES),
    ]
    for side in result["sides"]:
        lean = side["stripped_bytes"]
        cells = [f"{side['name']:16}{side['bytes']:>10,}{'' if lean is None else format(lean, ','):>10}"]
        for runtime in RUNTIMES:
            one = side.get(runtime)
            cells.append(f"{'' if one is None else format(one['accuracy'], '.2%'):>22}")
            cells.append(f"{'' if one is None else format(one['latency_ms'], '.4f'):>9}")
        lines.append("".join(cells))
    lines += [f"ONNX Runtime refuses {side['name']}: {side['refused']}" for side in result["sides"] if side["refused"]]
    behind = [words for each in result["against"] for words in behind_in(each)]
    lines += [in_words(each) for each in result["against"]]
    lines += ["behind in:", *(f"  {words}" for words in behind)] if behind else ["behind in nothing"]
    return "\n".join([*lines, "", result["command"]])


def in_words(each: dict[str, Any]) -> str:
    """One comparison in a line."""
    found, ratio = each["accuracy_difference"], each["latency_ratio"]
    points, (low, high) = 100 * found["candidate_minus_baseline"], (100 * end for end in found["interval"])
    return (
        f"{each['ours']} / {each['other']} in {each['runtime']}: accuracy {points:+.2f} points "
        f"({low:+.2f} to {high:+.2f}), bytes x {each['bytes_ratio']:.3f}, "
        f"latency x {ratio['median']:.3f} ({ratio['min']:.3f} to {ratio['max']:.3f})"
    )


def behind_in(each: dict[str, Any]) -> list[str]:
    """Figures in which ours is worse; a latency whose rounds lie on both sides of 1 is called a draw."""
    found, ratio = each["accuracy_difference"], each["latency_ratio"]
    where = f"{each['ours']} against {each['other']} in {each['runtime']}"
    words: list[str] = []
    if found["candidate_minus_baseline"] < 0:
        sure = found["interval"][1] < 0
        words.append(f"{where}: accuracy" + ("" if sure else ", by no more than chance explains"))
    if each["bytes_ratio"] > 1:
        words.append(f"{where}: bytes")
    if ratio["min"] > 1:
        words.append(f"{where}: latency")
    return words


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    """What was asked on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, nargs="?", default=RECORDED)
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--split", choices=("validation", "test"), default="validation")
    parser.add_argument("--epochs", type=int, default=QUANTIZE_EPOCHS, help="of quantization-aware training; 0: none")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--round-seconds", type=float, default=0.02, help="of each file in each round")
    parser.add_argument("--out", type=Path, default=Path("runs") / "int8-nncf")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    return parser.parse_args(words)


def compared(asked: argparse.Namespace) -> dict[str, Any]:
    """Make all files, measure them, and write the record."""
    run = open_run(asked.run)
    run.finished  # noqa: B018 - raises where training did not come to its end
    dataset = load_again(run.config.data, data_dir=asked.data_dir)
    asked.out.mkdir(parents=True, exist_ok=True)
    sides = [*our_sides(run, dataset, asked.out, asked.epochs), *nncf_sides(run, dataset, asked.out)]
    load, described = os.getloadavg()[0], describe_machine()
    result = {
        "command": shlex.join(["python", *sys.argv]),
        "machine": {"cpu": described.cpu, "cores": described.cores, "load_average": load},
        "versions": {name: importlib.metadata.version(name) for name in ("onnxruntime", "openvino", "nncf")},
        "run": run.config.model,
        "data": run.config.data.name,
        "weights_sha256": run.finished.weights_sha256,
        "epochs_aware": asked.epochs,
        "split": asked.split,
        "rounds": asked.rounds,
        **measured(sides, dataset, asked.split, asked.rounds, asked.round_seconds),
    }
    write_text(asked.out / "int8-nncf.json", json.dumps(result, indent=2) + "\n")
    return result


def main(words: Sequence[str] | None = None) -> int:
    asked = arguments(words)
    try:
        result = compared(asked)
    except UserError as error:
        print(error, file=sys.stderr)
        return MEND
    print(json.dumps(result, indent=2) if asked.json else table(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
