"""By which score of its logits does a file best notice foreign pictures? Chosen on validation; test is not read.

    python benchmarks/familiarity_scores.py runs/a runs/b --other cifar10 --other photos/ --out scores.json

For every file of each run and every other source: the share of foreign pictures that is noticed at 5 % false alarms,
and the area under the ROC curve. Familiar pictures are validation pictures that stopped no training and fitted nothing
(the half that also sets the thresholds of a file); of other sources up to 2,000 training pictures are asked. A
candidate takes the logits alone: what else a file would have to hold, or a network to be asked, is out of the race.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from econet.data.dataset import Dataset
from econet.data.split import choosing_half
from econet.deployment.confidence import FALSE_ALARMS
from econet.deployment.predictor import Predictor
from econet.files import sha256_of, write_whole
from econet.images.preprocess import Pixels
from econet.jobs.foreign import ForeignPictures, foreign_pictures, is_same_source
from econet.jobs.options import DataOptions
from econet.jobs.run_data import check_same_data, load_again
from econet.runs.folder import open_run
from econet.statistics.conformal import alarm_threshold
from econet.statistics.detection import auroc, familiarity
from econet.statistics.temperature import log_probabilities
from econet.version import __version__

Floats = NDArray[np.float64]
CHOSEN = "energy above the mean"
# Liu, Lochman, Zach 2023, "GEN: Pushing the Limits of Softmax-Based Out-of-Distribution Detection", section 4.1.
GEN_POWER = 0.1
_MOST_PICTURES = 2_000


def maximum_softmax(logits: Floats) -> Floats:
    """Hendrycks and Gimpel 2017, "A Baseline for Detecting Misclassified and Out-of-Distribution Examples"."""
    return log_probabilities(logits).max(1)


def maximum_logit(logits: Floats) -> Floats:
    """Hendrycks et al. 2022, "Scaling Out-of-Distribution Detection for Real-World Settings"."""
    return logits.max(1)


def centred_maximum(logits: Floats) -> Floats:
    """The largest logit above the mean: a constant added to all changes nothing."""
    return logits.max(1) - logits.mean(1)


def energy(logits: Floats) -> Floats:
    """Liu et al. 2020, "Energy-based Out-of-distribution Detection"."""
    return logits.max(1) - log_probabilities(logits).max(1)


def shape(logits: Floats) -> Floats:
    """The centred maximum over the length of the centred logits: how far one class alone stands out."""
    centred = logits - logits.mean(1, keepdims=True)
    return centred.max(1) / np.maximum(np.linalg.norm(centred, axis=1), np.finfo(float).tiny)


def negative_entropy(logits: Floats) -> Floats:
    logs = log_probabilities(logits)
    return (np.exp(logs) * logs).sum(1)


def generalised_entropy(logits: Floats) -> Floats:
    shares = np.exp(log_probabilities(logits))
    return -((shares * (1 - shares)) ** GEN_POWER).sum(1)


CANDIDATES: dict[str, Callable[[Floats], Floats]] = {
    "maximum softmax": maximum_softmax,
    "maximum logit": maximum_logit,
    "maximum above the mean": centred_maximum,
    "energy": energy,
    CHOSEN: familiarity,
    "entropy": negative_entropy,
    "generalised entropy": generalised_entropy,
    "shape": shape,
}


@dataclass(frozen=True)
class Noticed:
    """One score of one file on one other source: foreign pictures noticed at 5 % false alarms, and the ROC area."""

    run: str
    file: str
    sha256: str
    data: str
    source: str
    known: int
    foreign: int
    score: str
    noticed: float
    auroc: float


def races(folder: Path, sources: Sequence[str], data_dir: Path | None) -> Iterator[Noticed]:
    """Every candidate on every ONNX file of the run in `folder`, against every source that is not its own."""
    run = open_run(folder)
    dataset = load_again(run.config.data, data_dir=data_dir)
    check_same_data(run.config.data, dataset, run.folder)
    wanted = [DataOptions(each, data_dir=data_dir) for each in sources if not is_same_source(each, dataset)]
    others = foreign_pictures(wanted, dataset, "train")
    for path in run.artifacts():
        if path.suffix == ".onnx":
            yield from _race(str(folder), path, dataset, others)


def _race(run: str, path: Path, dataset: Dataset, others: Sequence[ForeignPictures]) -> Iterator[Noticed]:
    predictor = Predictor(path)
    rest = np.flatnonzero(~choosing_half(len(dataset.validation), dataset.split_seed))
    known = predictor.logits(_some(dataset.validation.pixels, rest)).astype(np.float64)
    for other in others:
        foreign = predictor.logits(_some(other.pixels)).astype(np.float64)
        for name, score in CANDIDATES.items():
            near, far = score(known), score(foreign)
            yield Noticed(
                run=run,
                file=path.name,
                sha256=sha256_of(path),
                data=dataset.name,
                source=other.name,
                known=len(known),
                foreign=len(foreign),
                score=name,
                noticed=float((far < alarm_threshold(near, FALSE_ALARMS)).mean()),
                auroc=auroc(near, far),
            )


def _some(pixels: Pixels, rows: NDArray[np.intp] | None = None) -> Pixels:
    """Up to 2,000 pictures, evenly spread over all of them or over `rows`."""
    among = np.arange(len(pixels)) if rows is None else rows
    return pixels[among[np.linspace(0, len(among) - 1, min(_MOST_PICTURES, len(among))).round().astype(np.intp)]]


def table(found: Sequence[Noticed]) -> str:
    """A line a score, best first by the mean share noticed: means over files and sources, the worst, and how often the
    chosen score notices more.
    """
    by_score = {name: [each for each in found if each.score == name] for name in CANDIDATES}
    lines: list[tuple[float, str]] = []
    for name, each in by_score.items():
        shares = np.array([one.noticed for one in each])
        areas = np.array([one.auroc for one in each])
        chosen = np.array([one.noticed for one in by_score[CHOSEN]])
        ahead = "" if name == CHOSEN else f"; the chosen one notices more in {(chosen > shares).sum()} of {len(each)}"
        mean = float(shares.mean())
        lines.append((mean, f"{name:24} noticed {mean:.1%}, area {areas.mean():.3f} (least {areas.min():.3f}){ahead}"))
    return "\n".join(line for _, line in sorted(lines, reverse=True))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN")
    parser.add_argument("--other", action="append", required=True, metavar="DATA", help="another source; repeatable")
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args(arguments)
    found = [each for folder in asked.runs for each in races(folder, asked.other, asked.data_dir)]
    if not found:
        sys.exit("no file was asked: the runs hold none, or no source is another one")
    record = {
        "schema": 1,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "econet": __version__,
        "false_alarms": FALSE_ALARMS,
        "races": [asdict(each) for each in found],
    }
    write_whole(asked.out, msgspec.json.format(msgspec.json.encode(record), indent=1) + b"\n")
    print(table(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
