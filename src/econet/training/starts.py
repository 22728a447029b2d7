"""What a training may begin with: the weights of a finished run, or of an artifact that ships with EcoNet."""

from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from msgspec import structs
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from econet.deployment import zoo
from econet.errors import UserError
from econet.files import sha256_of
from econet.models import catalog
from econet.models.architecture import (
    AnyLayer,
    Architecture,
    Bottleneck,
    Conv,
    Dense,
    InvertedResidual,
    MaxPool,
    Residual,
    Separable,
    ShuffleUnit,
    from_data,
    to_data,
)
from econet.models.layers_2012 import MeanImageLayer
from econet.models.network import Network
from econet.runs import provenance
from econet.runs.folder import Run, open_run
from econet.training.file_weights import read_back
from econet.training.weights import check_digest, refuse_quantized, tensors_of

# In a run's record this stands before the name of a shipped artifact, where else a run's folder stands.
ZOO_MARK = "zoo:"

_STRIDED = (Conv, Separable, Residual, InvertedResidual, ShuffleUnit, Bottleneck, MaxPool)

Shape = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Start:
    """Trained weights: where they lie, their SHA-256, and the network and classes they were trained as.

    `shipped` is the artifact's name in the zoo; None for a run.
    """

    weights: Path
    sha256: str
    model: str
    architecture: dict[str, Any]
    classes: tuple[str, ...]
    shipped: str | None = None

    @property
    def title(self) -> str:
        """How messages name it."""
        return self.shipped or str(self.weights.parent)

    @property
    def input(self) -> Shape | None:
        """(channels, height, width) of the pictures it was trained on, where its network records them."""
        shape = self.architecture.get("input")
        return None if shape is None else (shape[0], shape[1], shape[2])

    def recorded(self, folder: Path) -> str:
        """How the run in `folder` names it in its record."""
        return provenance.relative_to(self.weights.parent, folder) if self.shipped is None else ZOO_MARK + self.shipped


def find_start(asked: Path) -> Start:
    """The run or shipped artifact that `asked` names; a folder that is there comes first.

    Raises UserError for neither, for a run that is not finished or is quantized, and for a damaged card.
    """
    names = zoo.zoo_names()
    if not asked.exists() and str(asked) in names:
        return _of_zoo(str(asked))
    if not asked.exists() and len(asked.parts) == 1:
        near = get_close_matches(str(asked), names, n=1)
        raise UserError(
            f"{asked} is neither a run nor in the zoo",
            "there is no such folder here, and no such artifact ships with this installation",
            f"--from {near[0]}" if near else "the folder of a run, or a name that `econet zoo` lists",
        )
    return _of_run(open_run(asked))


def recorded_start(folder: Path, words: str) -> Start:
    """The start that the run in `folder` records as `words`. Raises UserError where it is gone."""
    if words.startswith(ZOO_MARK):
        return _of_zoo(words.removeprefix(ZOO_MARK))
    return _of_run(open_run(folder / words))


def _of_run(run: Run) -> Start:
    finished = run.finished
    refuse_quantized(run)
    config = run.config
    return Start(run.weights_path, finished.weights_sha256, config.model, config.architecture, config.data.classes)


def _of_zoo(name: str) -> Start:
    card = zoo.card(name)
    classes = tuple(entry.name for entry in card.evaluation.per_class)
    float_network = card.architecture.get("quantized", card.architecture)
    return Start(zoo.find(name), card.export.sha256, card.model, float_network, classes, shipped=name)


def architecture_like(start: Start, input_shape: Shape, classes: int) -> dict[str, Any]:
    """The start's network for pictures of another shape and other classes, as data for `config.json`.

    Strides that its model chooses by the size of pictures are those for this size; weights fit either way.
    Raises UserError where it is recorded in no way that it can be built from, or does not end in a dense layer.
    """
    if "layers" not in start.architecture:  # a network of the user's own: by its name, as it was asked for then
        return catalog.architecture(start.model, input_shape, classes)
    made = from_data(start.architecture)
    *body, last = _strides_for(made, start.model, input_shape)
    if not isinstance(last, Dense):
        raise UserError(f"cannot start from {start.title}", "its last layer is not a dense one", "--model NAME")
    layers = (*body, structs.replace(last, channels=classes))
    return to_data(structs.replace(made, input=input_shape, classes=classes, layers=layers))


def _strides_for(made: Architecture, model: str, shape: Shape) -> list[AnyLayer]:
    """The layers of `made`, each stride that its `model` has otherwise for pictures of `shape` changed to that."""
    layers = list(made.layers)
    if model not in catalog.CATALOG:
        return layers
    before, now = (catalog.CATALOG[model](each, made.classes).layers for each in (made.input, shape))
    kinds = [[type(layer) for layer in each] for each in (layers, before, now)]
    if kinds[0] != kinds[1] or kinds[0] != kinds[2]:
        return layers
    for place, (old, new) in enumerate(zip(before, now, strict=True)):
        own = layers[place]
        if isinstance(own, _STRIDED) and isinstance(new, _STRIDED) and own.stride == getattr(old, "stride", None):
            layers[place] = structs.replace(own, stride=new.stride)
    return layers


def start_from(network: nn.Module, start: Start, classes: tuple[str, ...]) -> list[str]:
    """Copy the weights of `start` into `network`; returns the names of what stays its own.

    That is the last layer, where `classes` are not the start's in the start's order, and a mean image: as the offset
    and the scale of pixels it is that of the data which are trained on now, not a weight that was learned before.
    Where the pictures have colours and the start's had none, or the other way round, the first layer takes them as
    gray ones (`_for_channels`). Raises UserError where anything else differs.
    """
    source, digest = _trained(start)
    target = network.state_dict()
    source = _for_channels(source, target, start.input)
    own = _mean_images(network)
    if start.classes != classes:
        own |= last_layer(target)
    taken = {name: value for name, value in target.items() if name not in own}
    stray = [name for name, value in taken.items() if not _fits(value, source.get(name))]
    if stray:
        raise _misfit(start, network, stray[0])
    check_digest(start.weights, digest, start.sha256)
    network.load_state_dict({**target, **{name: source[name] for name in taken}})
    return [name for name in target if name in own]


def last_layer(state: dict[str, Tensor]) -> set[str]:
    """The names of the last layer's tensors in a network's `state`."""
    layer = list(state)[-1].rpartition(".")[0]
    return {name for name in state if name.rpartition(".")[0] == layer}


def _trained(start: Start) -> tuple[dict[str, Tensor], str]:
    """The start's tensors by name, and the SHA-256 of the file they are read from."""
    if start.shipped is None:
        return tensors_of(start.weights)
    network = Network(from_data(start.architecture))
    read_back(network, start.weights)
    return network.state_dict(), sha256_of(start.weights)


def _for_channels(source: dict[str, Tensor], target: dict[str, Tensor], shape: Shape | None) -> dict[str, Tensor]:
    """`source` with a first layer for as many channels as `target` has: on gray pictures the answers stay the same.

    A filter for gray is a third of itself on red, green and blue; filters for the three colours add up to one for gray.
    """
    name = next((name for name, value in target.items() if not is_lazy(value) and value.ndim == 4), None)
    given = None if name is None else source.get(name)
    if name is None or given is None or shape is None or given.ndim != 4 or given.shape[1] != shape[0]:
        return source
    match shape[0], target[name].shape[1]:
        case 1, 3:
            return {**source, name: given.expand(-1, 3, -1, -1) / 3}
        case 3, 1:
            return {**source, name: given.sum(1, keepdim=True)}
        case _:
            return source


def _mean_images(network: nn.Module) -> set[str]:
    return {f"{name}.mean" for name, layer in network.named_modules() if isinstance(layer, MeanImageLayer)}


def _fits(value: Tensor, given: Tensor | None) -> bool:
    return given is not None and given.dtype == value.dtype and (is_lazy(value) or given.shape == value.shape)


def _misfit(start: Start, network: nn.Module, name: str) -> UserError:
    """The error for a tensor that is not the start's; where pictures of another size are the cause it says so."""
    own, before = network.architecture.input if isinstance(network, Network) else None, start.input
    what = f"cannot start from {start.title}"
    as_before = isinstance(network, Network) and network.architecture.name == start.architecture.get("name")
    if own and before and as_before and own[1:] != before[1:]:
        return UserError(
            what,
            f"`{name}` differs: it took pictures of {before[1]} x {before[2]}, these are {own[1]} x {own[2]}, and its "
            "layers are bound to their size",
            f"--image-size {before[1]}",
        )
    why = f"`{name}` differs; only the last layer may, where the classes do"
    asked = f"ask for the model, width and switches of that run: --model {start.model}"
    return UserError(what, why, f"leave --model, --width and --switch out, or {asked}")
