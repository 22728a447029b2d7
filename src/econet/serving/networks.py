"""The networks on the page: each file opened, with its size and what is known of its accuracy."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from econet.deployment.predictor import Predictor
from econet.deployment.zoo import CARD, ZOO
from econet.jobs.explain_subject import macs_of
from econet.report import numbers
from econet.runs.artifact_records import Evaluation, Export
from econet.runs.beside import beside
from econet.runs.folder import Run
from econet.runs.record import read_record
from econet.runs.records import RunConfig
from econet.runs.zoo_records import Card

_LONGEST_NAME = 120


@dataclass(frozen=True, slots=True)
class Network:
    """A file that was checked and is open.

    `name` is fit to show. `evaluation` is None where no record of this very file lies beside it; `data` names what it
    was trained on, `macs` what an answer costs, each None where nothing says so.
    """

    name: str
    path: Path
    predictor: Predictor
    bytes: int
    evaluation: Evaluation | None
    data: str | None
    macs: int | None

    @property
    def is_gray(self) -> bool:
        """Whether it looks at gray pictures."""
        return self.predictor.preprocess.channels == 1


def open_networks(paths: Sequence[Path]) -> list[Network]:
    """Open every file, or none: raises UserError for the first that is absent, damaged or not EcoNet's."""
    taken = Counter(_short_name(path) for path in {path.resolve() for path in paths})
    return [_opened(path, _short_name(path) if taken[_short_name(path)] == 1 else _whole_name(path)) for path in paths]


def _short_name(path: Path) -> str:
    """A shipped artifact's own name; of another file its folder's name and its own."""
    absolute = path.resolve()
    return absolute.parent.name if absolute.parent.parent == ZOO else "/".join(absolute.parts[-2:])


def _whole_name(path: Path) -> str:
    """The whole path, its end kept where it is too long to show: that is where paths differ."""
    text = str(path.resolve())
    return text if len(text) <= _LONGEST_NAME else f"…{text[1 - _LONGEST_NAME :]}"


def _opened(path: Path, name: str) -> Network:
    predictor = Predictor(path)
    record = predictor.preprocess
    # The first call of a runtime takes longer than all others, and tells whether the file runs at all.
    predictor.logits(np.zeros((1, *record.resize_size, record.channels), np.uint8))
    parts = [path.with_suffix(".xml"), path.with_suffix(".bin")] if path.suffix == ".xml" else [path]
    contents = b"".join(part.read_bytes() for part in parts)
    evaluation = _evaluation(path, hashlib.sha256(contents).hexdigest())
    return Network(
        name=numbers.shown(name, _LONGEST_NAME),
        path=path,
        predictor=predictor,
        bytes=len(contents),
        evaluation=evaluation,
        data=evaluation.data.name if evaluation is not None else _trained_on(path),
        macs=macs_of(path),
    )


def _evaluation(path: Path, digest: str) -> Evaluation | None:
    """The record of this file's accuracy; one beside a file that is another by now is not its own."""
    card = path.with_name(CARD)
    if card.is_file() and (found := read_record(card, Card)).export.sha256 == digest:
        return found.evaluation
    export, evaluation = beside(path, "export.json"), beside(path, "evaluation.json")
    if not evaluation.is_file() or (export.is_file() and read_record(export, Export).sha256 != digest):
        return None
    return read_record(evaluation, Evaluation)


def _trained_on(path: Path) -> str | None:
    """The data of the run in which the file lies, if it lies in one."""
    run = Run(path.parent)
    recorded = run.recorded if run.exists else None
    return recorded.data.name if isinstance(recorded, RunConfig) else None
