"""A training that diverged goes back to the start of its epoch and on at half the rate; where that fails, it stops.

Whatever is no longer finite is found before it reaches the weights that are saved. An epoch's start is the place to go
back to because every resume knows it too: when a checkpoint was due is chance, when an epoch began is not.
"""

from math import isfinite
from pathlib import Path

import torch
from torch import Tensor

from econet.errors import UserError
from econet.runs.folder import Run
from econet.runs.records import RunConfig
from econet.training.checkpoint import Counters, Tensors

# Logits this far apart on a whole batch: with clipped gradients a hopeless rate need not end in infinity.
DIVERGED_LOSS = 1e6
RATE_AFTER_SETBACK = 0.5
_SHOWN_PICTURES = 5


class TrainingFailed(UserError):
    """The training itself came to nothing: it diverged once too often, or it still answers by chance."""


class Diverged(Exception):
    """`what`, such as the loss, became `value`; `rows` are the images of the batch, where it came of one."""

    def __init__(self, what: str, value: float, rows: Tensor | None = None) -> None:
        super().__init__(f"the {what} became {value}")
        self.rows = rows


def all_finite(tensors: Tensors) -> bool:
    """Whether every value that is to be saved is finite; found by sums, in which none that is not can hide."""
    floats = [value.detach() for value in tensors.values() if value.is_floating_point()]
    return all(isfinite(value.abs().sum(dtype=torch.float64).item()) for value in floats)


def factor(setbacks: int) -> float:
    """The share of every rate that is left after so many setbacks."""
    return RATE_AFTER_SETBACK**setbacks


def told(fault: Diverged, files: tuple[Path, ...]) -> str:
    """What happened, and in which pictures."""
    if fault.rows is None:
        return str(fault)
    rows = [int(row) for row in fault.rows[:_SHOWN_PICTURES]]
    names = [files[row].name if files else f"number {row}" for row in rows]
    more = len(fault.rows) - len(rows)
    return f"{fault} on the pictures {', '.join(names)}{f' and {more} more' if more else ''}"


def hopeless(run: Run, config: RunConfig, counters: Counters, why: str) -> TrainingFailed:
    """The error for a training that diverged once more than it may go back."""
    tried = "" if not counters.setbacks else f", at {factor(counters.setbacks):g} of the rate after going back"
    return TrainingFailed(
        f"training diverged in {run.folder}",
        f"{why} at step {counters.step} of {config.plan.steps}{tried}",
        f"a lower --lr (it was {config.training.lr:g})",
    )
