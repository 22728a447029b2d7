"""Trained weights: a run's network read back, a new network started from it, and a teacher made to fit."""

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from econet.errors import UserError
from econet.images.preprocess import Preprocess
from econet.models import catalog
from econet.runs.folder import Run
from econet.runs.records import DataConfig


def trained_network(run: Run, module: nn.Module | None = None) -> nn.Module:
    """The finished network of a run, in evaluation mode. `module` is the user's own where the run has no record.

    Raises UserError where the run is not finished or its weights do not fit its architecture.
    """
    run.finished  # noqa: B018 - raises where training did not come to its end
    network = module if module is not None else catalog.network(run.config.architecture)
    load_into(network, run.weights_path)
    return network.eval()


def load_into(network: nn.Module, path: Path) -> None:
    """Put the weights of a safetensors file into `network`, every key checked."""
    try:
        network.load_state_dict(load_file(path))
    except (SafetensorError, OSError, RuntimeError) as error:
        raise UserError(
            f"the weights in {path} cannot be used", str(error).splitlines()[0], "train again, or name another run"
        ) from error


def start_from(network: nn.Module, run: Run) -> list[str]:
    """Copy a finished run's weights into `network`; returns the names of what stays new.

    Only the last layer may differ, where the classes do. Raises UserError where anything else does.
    """
    run.finished  # noqa: B018 - raises where training did not come to its end
    source, target = load_file(run.weights_path), network.state_dict()
    fresh = [name for name, value in target.items() if name not in source or source[name].shape != value.shape]
    last = list(target)[-1].rsplit(".", 1)[0]
    stray = [name for name in fresh if not name.startswith(last)]
    if stray:
        raise UserError(
            f"cannot start from {run.folder}",
            f"`{stray[0]}` differs; only the last layer may",
            f"the model and width of that run: --model {run.config.model}",
        )
    network.load_state_dict({**target, **{name: source[name] for name in target if name not in fresh}})
    return fresh


class Renormalised(nn.Module):
    """A teacher behind the change from the student's scale of pixels to its own."""

    def __init__(self, teacher: nn.Module, student: Preprocess, own: Preprocess) -> None:
        super().__init__()
        self.teacher = teacher
        self.factor = own.scale / student.scale
        self.shift = (student.offset - own.offset) * own.scale

    def forward(self, x: Tensor) -> Tensor:
        """Logits of images normalised for the student."""
        return self.teacher(x * self.factor + self.shift)


def teacher_for(data: DataConfig, run: Run) -> nn.Module:
    """The finished network of `run`, fit to teach on `data`. Raises UserError where classes or input differ."""
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
    network = trained_network(run)
    same = (own.offset, own.scale) == (student.offset, student.scale)
    return network if same else Renormalised(network, student, own).eval()
