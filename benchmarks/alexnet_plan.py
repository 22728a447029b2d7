"""The published network's plan, and whether a smaller network kept it: in its record, and in the file it ships as."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import onnx
from msgspec.structs import replace

from econet.deployment import graph
from econet.deployment.model_file import read_model
from econet.errors import UserError
from econet.models import cost
from econet.models.architecture import AnyLayer, Architecture, Conv, Dense, Dropout, Lrn, MeanImage, from_data
from econet.runs.folder import Run

GROUPS = (1, 2, 1, 2, 2)  # conv1 is two columns of kernels over one image; conv3 alone reads both
DENSE = 3


@dataclass(frozen=True, slots=True)
class Width:
    """One layer's channels in the whole network and in the small one."""

    layer: str
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class Kept:
    """What the small network has of the whole one: widths, and what stands for normalisation and mean."""

    widths: tuple[Width, ...]
    normalisation: str
    mean: str
    offset: int
    parameters: tuple[int, int]
    macs: tuple[int, int]

    def told(self) -> dict[str, Any]:
        """As JSON types."""
        return asdict(self)


def architecture_of(run: Run) -> Architecture:
    """The network of a run of the catalog, before it was quantized. Raises UserError for any other run."""
    recorded = run.config.architecture
    recorded = recorded.get("quantized", recorded)
    if "layers" not in recorded:
        raise UserError(
            f"{run.folder} has no plan to read", f"{run.config.model} is no network of the catalog", "a run of alexnet"
        )
    return from_data(recorded)


def kept_plan(whole: Run, small: Run) -> Kept:
    """What changed from one run to the other. Raises UserError, naming the layer, where more did than may.

    Widths may change, LRN may be a constant in the next layer's weights, the mean image one offset; dropout acts in
    training alone. Layers, their order, kernels, strides, paddings and columns stay.
    """
    before, after = architecture_of(whole), architecture_of(small)
    _check_published(whole, before)
    if (before.input, before.classes) != (after.input, after.classes):
        raise UserError(
            f"{small.folder} does another task", f"{after.input} -> {after.classes}", f"one of {whole.folder}"
        )
    plans = _plan(before), _plan(after)
    if len(plans[0]) != len(plans[1]):
        raise UserError(
            f"{small.folder} is not within the plan of {whole.folder}",
            f"it has {len(plans[1])} layers, and {len(plans[0])} are wanted",
            "prune that run",
        )
    for number, (one, other) in enumerate(zip(*plans, strict=True), start=1):
        if one != other:
            raise UserError(
                f"{small.folder} is not within the plan of {whole.folder}",
                f"layer {number} was {one!r} and is {other!r}",
                "prune that run: widths alone may change",
            )
    widths = zip(_weighted(before), _weighted(after), strict=True)
    return Kept(
        widths=tuple(
            Width(name, one.channels, other.channels)
            for name, (one, other) in zip(("c1", "c2", "c3", "c4", "c5", "f6", "f7", "f8"), widths, strict=True)
        ),
        normalisation="kept" if _has(after, Lrn) else "a constant, folded",
        mean="an image" if _has(after, MeanImage) else "one offset",
        offset=small.config.data.preprocess.offset,
        parameters=(cost.parameters(before), cost.parameters(after)),
        macs=(cost.macs(before), cost.macs(after)),
    )


def check_file(path: Path, small: Run) -> None:
    """Raises UserError where the file is not that plan: its convolutions, columns, dense layers and parameters."""
    model, wanted = read_model(path), architecture_of(small)
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    dense = [node for node in model.graph.node if node.op_type == "Gemm"]
    shapes = graph.tensor_shapes(model)
    found = [(shapes[node.input[1]][2], _columns(node)) for node in convolutions]
    expected = [(layer.kernel, layer.groups) for layer in wanted.layers if isinstance(layer, Conv)]
    if found != expected or len(dense) != DENSE or graph.parameters(model) != cost.parameters(wanted):
        raise UserError(
            f"{path} is not the network that is recorded",
            f"convolutions (kernel, columns) {found}, {len(dense)} dense layers, {graph.parameters(model):,} "
            f"parameters; recorded are {expected}, {DENSE} and {cost.parameters(wanted):,}",
            "export the run again",
        )


def _check_published(run: Run, architecture: Architecture) -> None:
    layers = _weighted(architecture)
    groups = tuple(layer.groups for layer in layers if isinstance(layer, Conv))
    dense = sum(isinstance(layer, Dense) for layer in layers)
    even = all(layer.channels % 2 == 0 for layer in layers if isinstance(layer, Conv))
    if groups != GROUPS or dense != DENSE or not even:
        raise UserError(
            f"{run.folder} is not the network of 2012",
            f"its convolutions have columns {groups}, and {dense} dense layers follow",
            "a run of --model alexnet:paper",
        )


def _plan(architecture: Architecture) -> list[AnyLayer]:
    """The layers without what may change: widths, where weights start, normalisation, mean and dropout."""
    found: list[AnyLayer] = []
    for layer in architecture.layers:
        if isinstance(layer, Lrn | MeanImage | Dropout):
            continue
        free = isinstance(layer, Conv | Dense)
        found.append(replace(layer, channels=1, init_std=None, init_bias=0.0, decay=None) if free else layer)
    return found


def _weighted(architecture: Architecture) -> list[Conv | Dense]:
    return [layer for layer in architecture.layers if isinstance(layer, Conv | Dense)]


def _has(architecture: Architecture, kind: type) -> bool:
    return any(isinstance(layer, kind) for layer in architecture.layers)


def _columns(node: onnx.NodeProto) -> int:
    return next((each.i for each in node.attribute if each.name == "group"), 1)
