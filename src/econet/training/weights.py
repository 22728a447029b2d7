"""Trained weights: a run's network read back, and a teacher made to fit."""

import hashlib
from pathlib import Path

import torch
from safetensors.torch import load
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from econet.errors import UserError, one_line, read_from
from econet.files import read_regular
from econet.images.preprocess import Preprocess
from econet.models import catalog
from econet.runs.folder import Run
from econet.runs.records import DataConfig

# The published AlexNet's weights take 250 MB.
MOST_BYTES = 4_000_000_000


def trained_network(run: Run, module: nn.Module | None = None) -> nn.Module:
    """The finished network of a run, in evaluation mode. `module` is the user's own where the run has no record.

    A pruned run's cuts are made in it first.

    Raises UserError where the run is not finished or quantized, or its weights do not fit its architecture.
    """
    finished = run.finished
    refuse_quantized(run)
    architecture = run.config.architecture
    with read_from(run.config_path):
        network = catalog.network(architecture) if module is None else catalog.handed_over(module, architecture)
    load_into(network, run.weights_path, finished.weights_sha256)
    _check_answers(network.eval(), run)
    return network


def _check_answers(network: nn.Module, run: Run) -> None:
    """Raises UserError where a network, made as recorded, cannot answer a black picture: weights fit more than one."""
    record = run.config.data.preprocess
    try:
        with torch.no_grad():
            network(torch.zeros(1, record.channels, *record.image_size))
    except Exception as error:  # whatever torch, or a user's own code, says to it
        raise UserError(
            f"{run.config_path}: the recorded network cannot answer a picture of {list(record.image_size)}",
            one_line(error),
            "config.json from a copy, or the network as it was when the run was made",
        ) from error


def refuse_quantized(run: Run) -> None:
    """Raises UserError for a run whose weights are those of an int8 file."""
    if catalog.is_quantized(run.config.architecture):
        raise UserError(
            f"{run.folder} is a quantized run",
            "its weights are those of an int8 file: it cannot teach, be started from, pruned or quantized again",
            f"the run it was made from: {run.folder / (run.config.parent or '')}",
        )


def load_into(network: nn.Module, path: Path, sha256: str | None = None) -> None:
    """Put the weights of a safetensors file into `network`, every key, shape and type checked.

    Raises UserError where the file cannot be read, belongs to another network, or has not the digest `sha256`.
    """
    tensors, found = tensors_of(path)
    misfit = first_misfit(network, tensors)
    if misfit is not None:
        raise _unusable(path, f"they are another network's: {misfit}")
    if sha256 is not None:
        check_digest(path, found, sha256)
    network.load_state_dict(tensors)


def tensors_of(path: Path) -> tuple[dict[str, Tensor], str]:
    """The tensors of a safetensors file by name, and the file's SHA-256. Raises UserError where it cannot be read."""
    content = _content(path)
    return _parsed(path, content), hashlib.sha256(content).hexdigest()


def _content(path: Path) -> bytes:
    try:
        return read_regular(path, MOST_BYTES)
    except OSError as error:
        raise _unusable(path, error.strerror or str(error)) from error


def _parsed(path: Path, content: bytes) -> dict[str, Tensor]:
    try:
        return load(content)
    except MemoryError:
        raise
    # Besides its own error the library raises KeyError, ValueError, AssertionError and torch's RuntimeError.
    except Exception as error:
        raise _unusable(path, one_line(error)) from error


def check_digest(path: Path, found: str, sha256: str) -> None:
    """Raises UserError where the SHA-256 `found` of the file at `path` is not the one on record."""
    if found != sha256:
        raise _unusable(path, "they are not those that the run ended with: finished.json has another SHA-256")


def first_misfit(network: nn.Module, tensors: dict[str, Tensor]) -> str | None:
    """The first of `tensors` that `network` cannot take, in words; None where all fit and none is missing."""
    own = network.state_dict()
    for name, value in own.items():
        if name not in tensors:
            return f"`{name}` is missing"
        if not is_lazy(value) and tensors[name].shape != value.shape:
            return f"`{name}` is of shape {list(tensors[name].shape)}, not {list(value.shape)}"
        # A training in double precision is read as any other; whole numbers are no weights.
        if tensors[name].dtype != value.dtype and tensors[name].dtype != torch.float64:
            return f"`{name}` holds {tensors[name].dtype}, not {value.dtype}"
    strange = sorted(tensors.keys() - own.keys())
    return f"`{one_line(strange[0])}` has no place in it" if strange else None


def _unusable(path: Path, why: str) -> UserError:
    return UserError(f"the weights in {path} cannot be used", why, "train again, or name another run")


class Renormalised(nn.Module):
    """A teacher behind the change from the student's scale of pixels to its own."""

    def __init__(self, teacher: nn.Module, student: Preprocess, own: Preprocess) -> None:
        super().__init__()
        self.teacher = teacher
        self.factor = own.scale / student.scale
        self.shift = (student.offset - own.offset) * own.scale

    def forward(self, x: Tensor) -> Tensor:
        """Logits of images normalised for the student."""
        return self.teacher(self.rescaled(x))

    def rescaled(self, x: Tensor) -> Tensor:
        """The same images as the teacher takes them."""
        return x * self.factor + self.shift


def teacher_for(data: DataConfig, run: Run, module: nn.Module | None = None) -> nn.Module:
    """The finished network of `run`, fit to teach on `data`; `module` where that was handed over as an object.

    Raises UserError where classes or input differ.
    """
    taught = run.config.data
    if taught.classes != data.classes:
        raise UserError(
            f"{run.folder} cannot teach on {data.name}",
            "its classes are others",
            "a teacher trained on the same data",
        )
    own, student = taught.preprocess, data.preprocess
    if (own.image_size, own.channels) != (student.image_size, student.channels):
        raise UserError(
            f"{run.folder} cannot teach on {data.name}",
            f"it takes images of {own.image_size} with {own.channels} channels, "
            f"the student {student.image_size} with {student.channels}",
            "a teacher of the same --image-size",
        )
    network = trained_network(run, module if "object" in run.config.architecture else None)
    same = (own.offset, own.scale) == (student.offset, student.scale)
    return network if same else Renormalised(network, student, own).eval()
