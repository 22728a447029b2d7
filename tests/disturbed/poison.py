"""A step of a training that breaks: a loss, a gradient or a weight that is no longer finite, and what is saved then."""

import json
import shutil
from math import inf, isfinite, nan
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open

from econet.data.dataset import Dataset
from econet.jobs.options import TrainOptions
from econet.jobs.train import train
from econet.training import loop
from econet.training.progress import Silent

PLACES = ("loss", "gradients", "weights")


def poisoned(patch: pytest.MonkeyPatch, where: str, value: float, at: int) -> None:
    """Let the `at`-th step of this process, once, give a loss, a gradient or a weight that is `value`."""
    learned, taken = loop.learn, iter(range(1, 1_000_000))

    def learn(forward: Any, *rest: Any, **named: Any) -> Any:
        loss, right = learned(forward, *rest, **named)
        if next(taken) != at:
            return loss, right
        weight = next(forward.parameters())
        if where == "loss":
            return torch.full_like(loss, value), right
        with torch.no_grad():
            (weight.grad if where == "gradients" else weight)[0, 0, 0, 0] = value
        return loss, right

    patch.setattr(loop, "learn", learn)


def not_finite(folder: Path) -> int:
    """How many numbers in the weights, checkpoints and history of a run are NaN or infinite."""
    count = 0
    for path in folder.glob("*.safetensors"):
        with safe_open(path, framework="np") as stream:
            count += sum(int((~np.isfinite(stream.get_tensor(name))).sum()) for name in stream.keys())  # noqa: SIM118
    history = folder / "history.jsonl"
    for line in (history.read_text() if history.exists() else "").splitlines():
        count += sum(value is None or not isfinite(value) for value in json.loads(line).values())
    return count


def injected(folder: Path, dataset: Dataset, number: int) -> str:
    """Break one step of a short training, drawn by `number`: "nan" for even numbers, "inf" for odd ones.

    Raises AssertionError where a number that is not finite is in any file, at any time, or the run does not go back
    once and on to its end.
    """
    value, rng = (inf if number % 2 else nan), np.random.default_rng(number)
    run_folder, found = folder / f"broken-{number}", [0]
    options = TrainOptions(
        model="econet", width=0.25, epochs=2, batch_size=24, deterministic=True, threads=1
    )  # 22 steps
    written = loop.write_checkpoint

    def write_checkpoint(*arguments: Any, **named: Any) -> None:
        written(*arguments, **named)
        found[0] += not_finite(run_folder)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "write_checkpoint", write_checkpoint)
        poisoned(patch, PLACES[number // 2 % len(PLACES)], value, at=int(rng.integers(1, 22)))
        run = train(run_folder, dataset, options, Silent(), checkpoint_seconds=0.0)
    assert run.finished.setbacks == 1
    assert found[0] + not_finite(run_folder) == 0
    shutil.rmtree(run_folder)
    return "inf" if number % 2 else "nan"
