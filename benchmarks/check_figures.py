"""How much `econet check` finds: near duplicates against a published list, planted copies, planted wrong labels.

    python benchmarks/check_figures.py near --pairs near-duplicates.csv --out near.json
    python benchmarks/check_figures.py planted --out planted.json
    python benchmarks/check_figures.py labels --data fashion-mnist --time 20m --out labels.json

near: the test pictures of CIFAR-10 that the list of Barz and Denzler 2020 ("Do We Train on Test Data?", columns TestID,
TrainID, Distance, Judgment: 1 near, 2 very similar) has, and how many of them are found; of those found the share that
the list has is only a lower bound of the precision, since the list names one partner a picture and lacks many. The
halves by even and odd TestID stand apart. `--everywhere` compares all 60,000 with each other: the time that takes.
planted: equal pixels in Fashion-MNIST (there are none), then copies put into its test split: exact, mirrored, brighter.
labels: one label in twenty is changed; how many of the doubted are changed ones, and how many of the changed doubted,
against doubting by chance and, where it is installed, against cleanlab on the same probabilities.
"""

import argparse
import csv
import shlex
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from econet.data.dataset import Dataset
from econet.data.duplicates import find_duplicates
from econet.data.load import load_data
from econet.data.sketches import sketched
from econet.files import write_whole
from econet.jobs.duration import parse_duration
from econet.jobs.health import AllPictures, look_for_duplicates
from econet.jobs.label_check import doubted_labels
from econet.jobs.options import TrainOptions
from econet.measurement.machine import describe_machine
from econet.statistics.intervals import wilson
from econet.training.progress import Silent

WRONG_SHARE = 0.05
COPIES = 300


def share(successes: int, of: int) -> dict[str, Any]:
    """A share with its n and its 95 % Wilson interval."""
    return {"value": successes / of if of else None, "n": of, "interval": wilson(successes, of) if of else None}


def near(asked: argparse.Namespace) -> dict[str, Any]:
    """CIFAR-10's test pictures against its training pictures, or all against all."""
    data = load_data("cifar10", data_dir=asked.data_dir)
    # Back into the makers' order, in which the list counts.
    train = [
        np.concatenate(each) for each in zip(*((p.pixels, p.rows) for p in (data.train, data.validation)), strict=True)
    ]
    pixels = np.concatenate([train[0][np.argsort(train[1])], data.test.pixels])
    is_test = np.arange(len(pixels)) >= len(train[0])
    began = time.monotonic()
    everywhere = np.ones(len(pixels), bool)
    found = find_duplicates(
        sketched([pixels]), everywhere if asked.everywhere else is_test, everywhere if asked.everywhere else ~is_test
    )
    seconds = time.monotonic() - began
    first = int(is_test.argmax())
    across = [pair for pair in found.pairs if pair.first < first <= pair.second]
    flagged = np.unique([pair.second - first for pair in across])
    with asked.pairs.open(newline="") as stream:
        listed = [(int(row["TestID"]), int(row["Judgment"])) for row in csv.DictReader(stream)]
    return {
        "images": len(pixels),
        "searched": "everywhere" if asked.everywhere else "test among training",
        "seconds": round(seconds, 1),
        "pairs": len(found.pairs),
        "exact": sum(pair.exact for pair in found.pairs),
        "all": against(listed, flagged),
        "even": against([each for each in listed if each[0] % 2 == 0], flagged[flagged % 2 == 0]),
        "odd": against([each for each in listed if each[0] % 2 == 1], flagged[flagged % 2 == 1]),
    }


def against(listed: list[tuple[int, int]], flagged: NDArray[np.intp]) -> dict[str, Any]:
    """Recall by judgment, and the share of the flagged that the list has."""
    tests = {judgment: np.array([test for test, judged in listed if judged == judgment]) for judgment in (1, 2)}
    return {
        "flagged": len(flagged),
        "recall_near": share(int(np.isin(tests[1], flagged).sum()), len(tests[1])),
        "recall_similar": share(int(np.isin(tests[2], flagged).sum()), len(tests[2])),
        "listed_of_flagged": share(int(np.isin(flagged, [test for test, _ in listed]).sum()), len(flagged)),
    }


def planted(asked: argparse.Namespace) -> dict[str, Any]:
    """Fashion-MNIST as it is, then with copies of training pictures in place of test pictures."""
    data = load_data("fashion-mnist", data_dir=asked.data_dir)
    random = np.random.default_rng(asked.seed)
    source = random.choice(len(data.train), 3 * COPIES, replace=False)
    place = random.choice(len(data.test), 3 * COPIES, replace=False)
    kinds = np.repeat(np.arange(3), COPIES)
    pixels = data.test.pixels.copy()
    original = data.train.pixels[source]
    pixels[place[kinds == 0]] = original[kinds == 0]
    pixels[place[kinds == 1]] = original[kinds == 1][:, :, ::-1]
    pixels[place[kinds == 2]] = np.clip(original[kinds == 2] * 0.75 + 40, 0, 255).astype(np.uint8)
    clean = AllPictures(data)
    _, health, _ = look_for_duplicates(clean, "test")
    _, with_copies, findings = look_for_duplicates(AllPictures(with_test(data, pixels)), "test")
    pairs = {(each.picture.place, each.partner.place): each.kind for each in findings if each.partner and each.leak}
    hit = np.array([(int(p), int(s)) in pairs for p, s in zip(place, source, strict=True)])
    names = ("exact", "mirrored", "brighter")
    return {
        "clean": without_places(health),
        "planted": {name: share(int(hit[kinds == number].sum()), COPIES) for number, name in enumerate(names)},
        "exact_found_in_all": with_copies.copies,
        "seconds": with_copies.seconds,
    }


def with_test(data: Dataset, pixels: NDArray[np.uint8]) -> Dataset:
    """The data with other test pictures."""
    return replace(data, test=replace(data.test, pixels=pixels))


def without_places(health: Any) -> dict[str, Any]:
    """The record of the duplicates, but for the long lists of places."""
    plain = msgspec.to_builtins(health)
    for leak in plain["leaks"]:
        del leak["places"]
    return plain


def labels(asked: argparse.Namespace) -> dict[str, Any]:
    """Plant wrong labels everywhere, doubt all labels, and compare."""
    data = load_data(asked.data, data_dir=asked.data_dir)
    pictures = AllPictures(data)
    random = np.random.default_rng(asked.seed)
    true, classes = pictures.labels, len(data.classes)
    changed = random.choice(len(true), round(WRONG_SHARE * len(true)), replace=False)
    noisy = true.copy()
    noisy[changed] = (true[changed] + random.integers(1, classes, len(changed))) % classes
    ends = np.cumsum([len(part) for part in pictures.parts])[:-1]
    train, held, test = (
        replace(part, labels=new) for part, new in zip(pictures.parts, np.split(noisy, ends), strict=True)
    )
    wrong = AllPictures(replace(data, train=train, validation=held, test=test, fingerprint=f"noisy {asked.seed}"))
    duplicates, _, _ = look_for_duplicates(wrong, "test")
    options = TrainOptions(model=asked.model, time_s=parse_duration(asked.time, "--time"), seed=asked.seed)
    with tempfile.TemporaryDirectory() as folder:
        doubts = doubted_labels(Path(folder), wrong, duplicates.all, options, Silent())
    starts = dict(zip(("train", "validation", "test"), (0, *ends), strict=True))
    flagged = np.array([starts[each.picture.split] + (each.picture.place or 0) for each in doubts.findings], int)
    return {
        "images": len(true),
        "planted": len(changed),
        "health": msgspec.to_builtins(doubts.health),
        "econet": counted(flagged, changed),
        "chance": {"precision": WRONG_SHARE, "recall": len(flagged) / len(true)},
        "cleanlab": by_cleanlab(noisy, doubts.probabilities, changed),
    }


def counted(flagged: NDArray[Any], changed: NDArray[Any]) -> dict[str, Any]:
    """Precision and recall, and the precision among as many as were planted, the surest first."""
    right = np.isin(flagged, changed)
    return {
        "flagged": len(flagged),
        "precision": share(int(right.sum()), len(flagged)),
        "recall": share(int(right.sum()), len(changed)),
        "precision_of_surest": share(int(right[: len(changed)].sum()), len(right[: len(changed)])),
    }


def by_cleanlab(noisy: NDArray[Any], probabilities: NDArray[Any], changed: NDArray[Any]) -> dict[str, Any] | None:
    """The same by cleanlab, ranked as it ranks by default; None where it is not installed."""
    try:
        from cleanlab.filter import find_label_issues
    except ImportError:
        return None
    issues = find_label_issues(
        noisy, probabilities.astype(np.float64), return_indices_ranked_by="self_confidence", n_jobs=1
    )
    return counted(np.asarray(issues), changed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("near", "planted", "labels"))
    parser.add_argument("--pairs", type=Path, help="near: the published list")
    parser.add_argument("--everywhere", action="store_true", help="near: compare all pictures with each other")
    parser.add_argument("--data", default="fashion-mnist", help="labels: the data set or folder")
    parser.add_argument("--model", default="econet", help="labels: the networks that doubt")
    parser.add_argument("--time", default="20m", help="labels: time of all networks together")
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    if asked.part == "near" and asked.pairs is None:
        parser.error("near needs --pairs")
    result = {"near": near, "planted": planted, "labels": labels}[asked.part](asked)
    record = {
        "command": shlex.join(["python", *sys.argv]),
        "machine": msgspec.to_builtins(describe_machine()),
        "seed": asked.seed,
        **result,
    }
    text = msgspec.json.format(msgspec.json.encode(record), indent=2)
    write_whole(asked.out, text + b"\n")
    sys.stdout.write(text.decode() + "\n")


if __name__ == "__main__":
    main()
