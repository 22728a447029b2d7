"""The schemas of a run that fits a linear classifier on hand-crafted features: `config.json` and `fit.json`.

Such a run has no network, no plan of steps and no artifact; its `finished.json` is as any run's, a pass of the
solver over all training images counting as an epoch.
"""

from pathlib import Path
from typing import Any

import msgspec

from econet.runs.artifact_records import Evaluation
from econet.runs.record import SCHEMA, UNREADABLE, Record
from econet.runs.records import DataConfig, Finished


class FitConfig(Record, frozen=True, kw_only=True):
    """What the fit was asked: mirror images too or not, which penalties to try, the solver's most passes."""

    mirrored: bool
    penalties: tuple[float, ...]
    most_iterations: int
    threads: int


class HandcraftedConfig(Record, frozen=True, kw_only=True):
    """`config.json`: everything asked and everything resolved."""

    schema: int = SCHEMA
    created: str
    command: str
    econet: str
    python: str
    libraries: dict[str, str]
    git_commit: str | None
    data: DataConfig
    model: str
    architecture: dict[str, Any]
    fit: FitConfig
    cpu: str
    seed: int
    warnings: tuple[str, ...] = ()


class CodebookLearning(Record, frozen=True, kw_only=True):
    """How the mixture of Gaussians was learned: from how many descriptors, in how many passes of EM."""

    descriptors: int
    iterations: int
    converged: bool
    seconds: float


class Trial(Record, frozen=True, kw_only=True):
    """One penalty on the weights that was tried, and what came out on validation."""

    penalty: float
    iterations: int
    converged: bool
    train_accuracy: float
    validation_accuracy: float
    seconds: float


class Cost(Record, frozen=True, kw_only=True):
    """What one answer costs. `latency_ms` is the median of single pictures, pixels to logits, by Python's own clock.

    It stands for a design in Python, not for the best code one could write: no ratio to a network's file is made of it.
    """

    parameters: int
    macs: int | None
    bytes: int
    latency_ms: float
    runtime: str


class Fit(Record, frozen=True, kw_only=True):
    """`fit.json`: how features and classifier came about; the penalty with the best validation accuracy is kept."""

    schema: int = SCHEMA
    feature_length: int
    feature_seconds: float
    codebook: CodebookLearning | None
    trials: tuple[Trial, ...]
    penalty: float
    cost: Cost


class HandcraftedResult(Record, frozen=True, kw_only=True):
    """One run's outcome as it is published: its records, without predictions."""

    schema: int = SCHEMA
    config: HandcraftedConfig
    fit: Fit
    finished: Finished
    evaluation: Evaluation


class _Kind(msgspec.Struct):
    architecture: dict[str, Any] = {}


def is_handcrafted(config_path: Path) -> bool:
    """Whether the `config.json` there records hand-crafted features; False where it cannot be read."""
    try:
        return "handcrafted" in msgspec.json.decode(config_path.read_bytes(), type=_Kind).architecture
    except (OSError, *UNREADABLE):
        return False
