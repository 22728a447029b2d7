"""Does a file's confidence hold? Calibration, coverage and false alarms on test, and foreign pictures noticed.

    python benchmarks/confidence_figures.py runs/a runs/b --other cifar10 --other photos/ --out confidence.json

For every file (fp32 and int8) of each run: expected calibration error and likelihood with and without the temperature,
the share of test pictures whose set holds the right class at 0.8, 0.9 and 0.95 beside the beta-binomial interval that
follows from the numbers of calibration and test pictures, classes per set, false alarms on test, and for each other
source how often its pictures are noticed and the area under the ROC curve. A file that holds no confidence gets the one
that `econet export` would put into it. The test split is read once for every file.
"""

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from econet.data.dataset import Dataset
from econet.data.stream import in_memory
from econet.deployment.confidence import probabilities_of
from econet.deployment.predictor import Predictor
from econet.files import sha256_of, write_whole
from econet.images.preprocess import Pixels
from econet.jobs.confidence import confidence_of
from econet.jobs.foreign import ForeignPictures, foreign_pictures, is_same_source
from econet.jobs.options import DataOptions
from econet.jobs.run_data import check_same_data, load_again
from econet.measurement.confidence import confidence_found, foreign_found
from econet.runs.folder import open_run
from econet.statistics.calibration import ece, nll
from econet.training.progress import Silent
from econet.version import __version__

_MOST_PICTURES = 10_000
_BATCH = 256


def logits_of(predictor: Predictor, pixels: Pixels) -> NDArray[np.float32]:
    """Logits [N, K] of stored images, whether they lie in memory or on disk."""
    count = min(len(pixels), _MOST_PICTURES)
    return np.concatenate([predictor.logits(pixels[start : start + _BATCH]) for start in range(0, count, _BATCH)])


def figures(path: Path, dataset: Dataset, others: Sequence[ForeignPictures]) -> dict[str, Any]:
    """All figures of one file."""
    predictor = Predictor(path)
    held = predictor.confidence
    confidence = held or confidence_of(predictor.logits, dataset, Silent())
    if confidence is None:
        sys.exit(f"{path}: too few validation pictures to say how sure it is")
    test = in_memory(dataset.test, _MOST_PICTURES)
    logits = logits_of(predictor, test.pixels)
    found = confidence_found(logits, test.labels, confidence)
    tempered = probabilities_of(logits, confidence)
    return {
        "file": path.name,
        "sha256": sha256_of(path),
        "precision": predictor.precision,
        "held_by_the_file": held is not None,
        "calibration_images": confidence.images,
        "test_images": len(test),
        "accuracy": float((logits.argmax(1) == test.labels).mean()),
        "ece": {"before": found.ece_before, "after": ece(tempered, test.labels)[0]},
        "nll": {"before": found.nll_before, "after": nll(tempered, test.labels)},
        "temperature": found.temperature,
        "coverage": [
            {**msgspec.to_builtins(each), "inside": each.interval[0] <= each.covered <= each.interval[1]}
            for each in found.coverage
        ],
        "false_alarms": {"stated": found.false_alarms_stated, "on_test": found.false_alarms},
        "foreign": [
            msgspec.to_builtins(
                foreign_found(each.name, each.fingerprint, predictor.logits(each.pixels), logits, confidence)
            )
            for each in others
        ],
    }


def measured(folder: Path, sources: Sequence[str], data_dir: Path | None) -> dict[str, Any]:
    """The figures of every ONNX file of the run in `folder`."""
    run = open_run(folder)
    dataset = load_again(run.config.data, data_dir=data_dir)
    check_same_data(run.config.data, dataset, run.folder)
    wanted = [DataOptions(each, data_dir=data_dir) for each in sources if not is_same_source(each, dataset)]
    others = foreign_pictures(wanted, dataset)
    paths = [path for path in run.artifacts() if path.suffix == ".onnx"]
    return {
        "run": str(folder),
        "model": run.config.model,
        "data": dataset.name,
        "fingerprint": dataset.fingerprint,
        "files": [figures(path, dataset, others) for path in paths],
    }


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN")
    parser.add_argument("--other", action="append", default=[], metavar="DATA", help="another source; may be repeated")
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args(arguments)
    record = {
        "schema": 1,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "econet": __version__,
        "runs": [measured(folder, asked.other, asked.data_dir) for folder in asked.runs],
    }
    write_whole(asked.out, msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n")
    for run in record["runs"]:
        for file in run["files"]:
            print(_line(run["run"], file))
    return 0


def _line(run: str, file: dict[str, Any]) -> str:
    covered = ", ".join(
        f"{each['stated']:.2f}: {each['covered']:.4f} ({each['interval'][0]:.4f} to {each['interval'][1]:.4f})"
        for each in file["coverage"]
    )
    noticed = ", ".join(
        f"{each['name']} {each['noticed']:.1%}, AUROC {each['auroc']:.3f} (n = {each['images']})"
        for each in file["foreign"]
    )
    return (
        f"{run}/{file['file']}: calibration error {file['ece']['before']:.4f} -> {file['ece']['after']:.4f}; "
        f"coverage {covered}; false alarms {file['false_alarms']['on_test']:.1%}; noticed {noticed or 'nothing asked'}"
    )


if __name__ == "__main__":
    sys.exit(main())
