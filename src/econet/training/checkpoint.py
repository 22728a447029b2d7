"""The checkpoint: all that a resume needs in one safetensors file, with a digest, so that one rename makes it whole."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import msgspec
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn

from econet.errors import UserError, one_line
from econet.files import link_over, remove, write_whole
from econet.runs.folder import Run
from econet.training.averaging import Average
from econet.training.hint import Hint
from econet.training.optimizers import Optimizers
from econet.training.weights import first_misfit

Tensors = dict[str, Tensor]


@dataclass
class Counters:
    """Where training stands. Random streams need no state: each draw is seeded by its stream's name and step."""

    step: int = 0
    epoch: int = 0
    seconds: float = 0.0
    epoch_loss: float = 0.0
    epoch_right: int = 0
    epoch_images: int = 0
    best: float = -1.0
    waited: int = 0
    plateau: dict[str, float] = field(default_factory=dict[str, float])
    setbacks: int = 0


class DamagedCheckpoint(Exception):
    """A checkpoint whose bytes are not what was written."""


def state_of(network: nn.Module, average: Average, optimizers: Optimizers, hint: Hint | None = None) -> Tensors:
    """Every tensor that a resume needs, by name."""
    tensors = {f"network.{name}": value for name, value in network.state_dict().items()}
    tensors |= {f"average.{name}": value for name, value in average.network.state_dict().items()}
    tensors |= {f"optimizer.{name}": value for name, value in optimizers.state().items()}
    if hint is not None:
        tensors |= {f"hint.{name}": value for name, value in hint.state().items()}
    return tensors


def write_checkpoint(run: Run, tensors: Tensors, counters: Counters, *, begins_epoch: bool = False) -> None:
    """Write `checkpoint.safetensors` whole; the one before stays as `checkpoint.previous.safetensors`.

    One that `begins_epoch` stays as `checkpoint.epoch.safetensors` too, until the next epoch begins.
    """
    plain = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    words = json.dumps(asdict(counters))
    content = save(plain, metadata={"counters": words, "digest": _digest(plain, words, with_shapes=True)})
    write_whole(run.checkpoint_path, content, keep_previous=run.previous_checkpoint_path)
    if begins_epoch:
        link_over(run.checkpoint_path, run.epoch_checkpoint_path)


def read_checkpoint(
    run: Run,
    network: nn.Module,
    average: Average,
    optimizers: Optimizers,
    own: Callable[[Tensors], Tensors] = dict,
    hint: Hint | None = None,
) -> tuple[Counters, str | None] | None:
    """Restore the newest whole checkpoint into the objects given; None where there is none.

    `own` picks what is this process's out of all that was written. A damaged newest one is passed over
    for the one before, and the second value says so.
    Raises UserError where both are damaged, and where a whole one belongs to another network.
    """
    faults: list[str] = []
    for path in run.checkpoint_paths:
        if not path.exists():
            continue
        try:
            tensors, counters = _verified(path)
        except DamagedCheckpoint as error:
            faults.append(f"{path.name}: {error}")
            continue
        _restore(path, own(tensors), network, average, optimizers, hint)
        return counters, "; ".join(faults) or None
    if faults:
        raise UserError(
            f"no checkpoint in {run.folder} can be read",
            "; ".join(faults),
            "start again in another folder: --out NEW",
        )
    return None


def read_epoch_start(
    run: Run,
    network: nn.Module,
    average: Average,
    optimizers: Optimizers,
    own: Callable[[Tensors], Tensors] = dict,
    hint: Hint | None = None,
) -> Counters:
    """Restore what was saved when the present epoch began. Raises UserError where that file is gone or damaged."""
    path = run.epoch_checkpoint_path
    try:
        tensors, counters = _verified(path)
    except DamagedCheckpoint as error:
        raise UserError(
            f"{path} cannot be read", f"training diverged and was to go back to it: {error}", "--out NEW"
        ) from error
    _restore(path, own(tensors), network, average, optimizers, hint)
    return counters


def remove_checkpoints(run: Run) -> None:
    """Drop the checkpoints of a finished run, which nobody needs any more."""
    remove(*run.checkpoint_paths, run.epoch_checkpoint_path)


def _verified(path: Path) -> tuple[Tensors, Counters]:
    try:
        with safe_open(path, framework="pt") as stream:
            metadata = stream.metadata() or {}
        tensors = load_file(path)
        words, digest = metadata["counters"], metadata["digest"]
        # Before shapes and types were part of the digest, files were written that may still be gone on with.
        if digest not in (_digest(tensors, words, with_shapes=True), _digest(tensors, words, with_shapes=False)):
            raise DamagedCheckpoint("its digest does not match its bytes")
        return tensors, msgspec.convert(json.loads(words), Counters)
    except (DamagedCheckpoint, MemoryError):
        raise
    # Besides its own error the library raises KeyError, ValueError, AssertionError and torch's RuntimeError.
    except Exception as error:
        raise DamagedCheckpoint(one_line(error)) from error


def _restore(
    path: Path,
    tensors: Tensors,
    network: nn.Module,
    average: Average,
    optimizers: Optimizers,
    hint: Hint | None,
) -> None:
    def part(prefix: str) -> Tensors:
        return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}

    misfit = first_misfit(network, part("network."))
    if misfit is not None:
        raise UserError(
            f"{path} belongs to another network",
            f"it does not fit the one in config.json: {misfit}",
            "put the folder's own checkpoint back, or start again with --out NEW",
        )
    network.load_state_dict(part("network."))
    try:
        average.network.load_state_dict(part("average."))
        optimizers.load(part("optimizer."))
        if hint is not None:
            hint.load(part("hint."))
    except (KeyError, IndexError, ValueError, RuntimeError) as error:
        raise UserError(
            f"{path} belongs to another training",
            f"its optimizer's state does not fit the one in config.json: {one_line(error)}",
            "put the folder's own checkpoint back, or start again with --out NEW",
        ) from error


def _digest(tensors: Tensors, words: str, *, with_shapes: bool) -> str:
    digest = hashlib.sha256(words.encode())
    for name in sorted(tensors):
        digest.update(name.encode())
        if with_shapes:
            digest.update(f" {tensors[name].dtype} {list(tensors[name].shape)}".encode())
        digest.update(tensors[name].flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
