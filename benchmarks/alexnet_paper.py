"""The published network and what was made of it within its own plan: bytes, time and accuracy side by side.

    python benchmarks/alexnet_paper.py runs/recipes/cifar10-alexnet-paper/seed-0/full \
        runs/recipes/cifar10-alexnet-paper-small/seed-0/small

The first run is the whole network, every other one a smaller one. That each kept the plan - five convolutions in two
columns, three dense layers, of the same kernels and strides - is checked in its record and in its file. Bytes are those
of files that ONNX Runtime loads as they are: the whole network in float32 as it was trained, the small ones in 8 bits.

Time is of one picture on one thread, all files taking turns in every round. It is set against the whole network
without its normalisation, whose constants lie in the next weights: much of the whole one's time is that, and anybody
can leave it out. Accuracies are of the same pictures, the difference paired (Tango's interval). Answers to the test
pictures (`--proof test`) that lie beside a file already are taken over: they are read once.

`alexnet-paper.json`, and with several small runs `alexnet-paper.svg`, the curve, go to `--out`. The exit code is 0
where a small one is small, fast and accurate enough, else 1.
"""

import argparse
import importlib.metadata
import json
import os
import shlex
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from alexnet_plan import check_file, kept_plan
from econet.compression.lrn_removal import has_lrn, lrn_factors, without_lrn
from econet.data.dataset import Dataset
from econet.deployment.onnx_export import export_network
from econet.errors import UserError
from econet.files import sha256_of, write_text, write_whole
from econet.jobs import judge
from econet.jobs.evaluate import Split, answers_path, evaluate_artifacts, record_path
from econet.jobs.export import export_run
from econet.jobs.narrowing import LRN_IMAGES, training_sample
from econet.jobs.networks import is_quantized
from econet.jobs.options import PARITY_DROP
from econet.jobs.run_data import load_again, seen_by
from econet.measurement.accuracy import read_predictions
from econet.measurement.latency import latencies, latency_ratio
from econet.measurement.machine import describe_machine
from econet.models.network import Network
from econet.report import numbers
from econet.report.charts.front import Spot, front_chart
from econet.runs.artifact_records import Evaluation
from econet.runs.folder import Run, open_run
from econet.runs.record import read_record
from econet.statistics.intervals import verdict
from econet.training.progress import Silent
from econet.training.weights import trained_network

SMALLER, FASTER, DROP = 200.0, 10.0, 0.005
NO, MEND = 1, 2


class Lines(Silent):
    """Notes go to standard error, so that the result alone is on standard output."""

    def note(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)


def without_normalisation(run: Run, dataset: Dataset, folder: Path) -> Path:
    """The file of the whole network with constants in the place of its normalisations, fp32."""
    network = trained_network(run)
    if isinstance(network, Network) and has_lrn(network):
        seen = seen_by(dataset, run.config.architecture)
        network = without_lrn(network, lrn_factors(network, training_sample(seen, LRN_IMAGES, run.config.seed)[0]))
    data = run.config.data
    path = folder / "without-lrn.onnx"
    model = export_network(network, data.preprocess, data.classes, f"{run.config.model} without LRN")
    write_whole(path, model.SerializeToString())
    return path


def exported(run: Run, dataset: Dataset, *, int8: bool) -> Path:
    """The proven file of a run."""
    export_run(run, dataset, int8=int8, parity_drop=PARITY_DROP, progress=Lines())
    return run.artifact("int8" if int8 or is_quantized(run) else "fp32")


def evaluated(path: Path, dataset: Dataset, split: Split) -> Evaluation:
    """The accuracy of a file; answers to these very pictures that lie beside it are not made again."""
    record, kept = record_path(path), answers_path(path)
    if record.exists() and kept.exists() and record.stat().st_mtime >= path.stat().st_mtime:
        known = read_record(record, Evaluation)
        same = (known.data.split, known.data.fingerprint) == (split, dataset.fingerprint)
        if same and known.predictions_sha256 == sha256_of(kept):
            return known
    return evaluate_artifacts([(path, None)], dataset, split, Lines())[0]


def candidate(
    whole: Run, small: Run, files: tuple[Path, Path], rounds: tuple[Sequence[float], Sequence[float]]
) -> dict[str, Any]:
    """One small network against the whole one: `files` whole and small, `rounds` without LRN and small."""
    kept = kept_plan(whole, small)
    sizes = [path.stat().st_size for path in files]
    found = judge.difference(*(read_predictions(answers_path(path)) for path in files))
    faster, slowest, fastest = latency_ratio(*rounds)
    return {
        "run": str(small.folder),
        "weights_sha256": small.finished.weights_sha256,
        "file_sha256": sha256_of(files[1]),
        "plan": kept.told(),
        "bytes": sizes[1],
        "times_smaller": sizes[0] / sizes[1],
        "latency_ms": statistics.median(rounds[1]),
        "times_faster": {"median": faster, "min": slowest, "max": fastest},
        "difference": msgspec.to_builtins(found),
        "verdict": verdict(found.interval, DROP),
        "reached": {
            "smaller": sizes[0] / sizes[1] >= SMALLER,
            "faster": faster >= FASTER,
            "as_accurate": found.candidate_minus_baseline >= -DROP,
        },
    }


def compared(asked: argparse.Namespace) -> dict[str, Any]:
    """Make all files, measure them, and write the record."""
    whole, smalls = open_run(asked.whole), [open_run(each) for each in asked.small]
    for small in smalls:
        kept_plan(whole, small)
    dataset = load_again(whole.config.data, data_dir=asked.data_dir)
    asked.out.mkdir(parents=True, exist_ok=True)
    files = [exported(whole, dataset, int8=False), *(exported(small, dataset, int8=True) for small in smalls)]
    for path, small in zip(files[1:], smalls, strict=True):
        check_file(path, small)
    plain = without_normalisation(whole, dataset, asked.out)
    split: Split = asked.proof
    evaluations = [evaluated(path, dataset, split) for path in files]
    load = os.getloadavg()[0]
    rounds = latencies([plain, *files], rounds=asked.rounds)
    described = describe_machine()
    result = {
        "command": shlex.join(["python", *sys.argv]),
        "machine": {"cpu": described.cpu, "cores": described.cores, "load_average": load},
        "versions": {name: importlib.metadata.version(name) for name in ("onnxruntime", "torch")},
        "data": whole.config.data.name,
        "image_size": whole.config.data.preprocess.image_size[0],
        "split": split,
        "images": evaluations[0].data.images,
        "rounds": asked.rounds,
        "wanted": {"smaller": SMALLER, "faster": FASTER, "drop": DROP},
        "whole": {
            "run": str(whole.folder),
            "model": whole.config.model,
            "weights_sha256": whole.finished.weights_sha256,
            "bytes": files[0].stat().st_size,
            "accuracy": _accuracy(evaluations[0]),
            "training_s": whole.finished.seconds,
            "epochs": whole.finished.epochs,
            "latency_ms": statistics.median(rounds[1]),
            "latency_without_lrn_ms": statistics.median(rounds[0]),
        },
        "small": [
            {
                **candidate(whole, small, (files[0], path), (rounds[0], own)),
                "accuracy": _accuracy(evaluation),
            }
            for small, path, own, evaluation in zip(smalls, files[1:], rounds[2:], evaluations[1:], strict=True)
        ],
    }
    write_text(asked.out / "alexnet-paper.json", json.dumps(result, indent=2) + "\n")
    if len(smalls) > 1:
        write_text(asked.out / "alexnet-paper.svg", str(curve(result)) + "\n")
    return result


def _accuracy(evaluation: Evaluation) -> dict[str, Any]:
    return {
        "value": evaluation.accuracy,
        "interval": list(evaluation.accuracy_interval),
        "test_reads": evaluation.test_reads,
    }


def curve(result: dict[str, Any]) -> Any:
    """Accuracy against bytes, whole network and small ones."""
    whole = result["whole"]
    spots = [
        Spot(
            each["bytes"], each["accuracy"]["value"], each["run"], "front", interval=tuple(each["accuracy"]["interval"])
        )
        for each in result["small"]
    ]
    spots.append(Spot(whole["bytes"], whole["accuracy"]["value"], whole["model"], "subject", label=whole["model"]))
    return front_chart(
        spots, whole["bytes"] / SMALLER, "bytes of the file", numbers.file_size, split=result["split"], alone=True
    )


def table(result: dict[str, Any]) -> str:
    """The result for a reader."""
    whole, made = result["whole"], result["machine"]
    lines = [
        f"{whole['model']} on {result['data']} at {result['image_size']} px: {whole['bytes']:,} bytes, "
        f"{whole['accuracy']['value']:.2%} of {result['images']:,} {result['split']} pictures, "
        f"{whole['latency_ms']:.3f} ms, without LRN {whole['latency_without_lrn_ms']:.3f} ms",
        f"{made['cpu']}, load {made['load_average']:.1f}, ONNX Runtime {result['versions']['onnxruntime']}, one "
        f"thread, {result['rounds']} rounds",
    ]
    for each in result["small"]:
        found, faster = each["difference"], each["times_faster"]
        points, (low, high) = 100 * found["candidate_minus_baseline"], (100 * end for end in found["interval"])
        answers = {name: "yes" if met else "no" for name, met in each["reached"].items()}
        widths = "-".join(str(width["after"]) for width in each["plan"]["widths"])
        lines += [
            f"{each['run']}: {widths}, mean {each['plan']['mean']}, {each['plan']['parameters'][1]:,} parameters, "
            f"{each['plan']['macs'][1]:,} MACs, {each['latency_ms']:.3f} ms, {each['accuracy']['value']:.2%}",
            f"  {each['bytes']:,} bytes, {each['times_smaller']:.1f} times smaller (wanted: {SMALLER:g}): "
            f"{answers['smaller']}",
            f"  {faster['median']:.1f} times faster ({faster['min']:.1f} to {faster['max']:.1f}; wanted: {FASTER:g}): "
            f"{answers['faster']}",
            f"  {points:+.2f} points ({low:+.2f} to {high:+.2f}; wanted: -{100 * DROP:g} or better): "
            f"{answers['as_accurate']}, proven at that margin: {each['verdict']}",
        ]
    return "\n".join([*lines, "", result["command"]])


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    """What was asked on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("whole", type=Path, help="a run of alexnet:paper")
    parser.add_argument("small", type=Path, nargs="+", help="runs made from it, pruned or quantized")
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--proof", choices=("validation", "test"), default="validation")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--out", type=Path, default=Path("runs") / "alexnet-paper")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    return parser.parse_args(words)


def main(words: Sequence[str] | None = None) -> int:
    asked = arguments(words)
    try:
        result = compared(asked)
    except UserError as error:
        print(error, file=sys.stderr)
        return MEND
    print(json.dumps(result, indent=2) if asked.json else table(result))
    return 0 if any(all(each["reached"].values()) for each in result["small"]) else NO


if __name__ == "__main__":
    sys.exit(main())
