"""Fake quantization: the plan of an int8 file, executed in torch with weights that learn.

Every grid of the plan rounds here as it will in the file: activations to uint8, weights to int8 per output channel,
biases to int32 on the product of both scales. The gradient passes the rounding unchanged and is zero where a value
left its grid (straight-through; Bengio et al. 2013, arXiv 1308.3432; Jacob et al. 2018, section 3). As one plan makes
network and file, both give the same answers.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar, cast

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from econet.compression.qdq_plan import WEIGHTED, Clip, Grid, QdqPlan, Range, grid_of
from econet.compression.qdq_writer import LARGEST_WEIGHT, weight_scales
from econet.compression.quantization import written
from econet.compression.quantized_graph import Constants, Operation, QuantizedGraph, plan_of
from econet.compression.torch_operators import check_known, compute
from econet.deployment.graph_writer import OUTPUT
from econet.deployment.metadata import Metadata

# How far a range moves towards the smallest and largest value of a batch.
_RANGE_MOMENTUM = 0.01
_INT32 = 2**31


_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")


def _never_compiled(function: Callable[_Parameters, _Result]) -> Callable[_Parameters, _Result]:
    """The scales are found by plain code, number by number, which a compiler would take apart at each of them."""
    return cast("Callable[_Parameters, _Result]", torch.compiler.disable(function))


class _OnGrid(torch.autograd.Function):
    """Round to `(code - zero) * scale`, codes from `lowest` to `highest`, halves to even, as QuantizeLinear does."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, scale: Tensor, zero: int, lowest: int, highest: int) -> Tensor:
        codes = torch.round(values / scale) + zero
        ctx.save_for_backward((codes >= lowest) & (codes <= highest))
        return (codes.clamp(lowest, highest) - zero) * scale

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor, None, None, None, None]:
        (inside,) = ctx.saved_tensors
        return gradients[0] * inside, None, None, None, None


def on_grid(values: Tensor, grid: Grid) -> Tensor:
    """`values` rounded to an 8-bit grid; the gradient is 1 inside it and 0 outside."""
    return _rounded(values, values.new_tensor(float(grid.scale)), int(grid.zero_point), 0, 255)


def _rounded(values: Tensor, scale: Tensor, zero: int, lowest: int, highest: int) -> Tensor:
    return cast("Tensor", _OnGrid.apply(values, scale, zero, lowest, highest))


def _integer_constants(
    operation: Operation, constants: list[Tensor | None], input_scale: np.float32, *, per_tensor: bool
) -> list[Tensor]:
    """Weight and, where there is one, bias [out] of an integer operator, by the writer's own scales."""
    weight, bias = cast("Tensor", constants[0]), constants[1] if len(constants) > 1 else None
    axis = operation.output_axis
    written_bias = None if bias is None else _array(bias).ravel()
    scales = weight_scales(_array(weight), axis, written_bias, input_scale, per_tensor=per_tensor)
    spread = (
        torch.from_numpy(scales).to(weight.device).reshape([-1 if each == axis else 1 for each in range(weight.ndim)])
    )
    found = [_rounded(weight, spread, 0, -LARGEST_WEIGHT, LARGEST_WEIGHT)]
    if bias is not None:
        scale = torch.from_numpy((scales * input_scale).astype(np.float32)).to(bias.device, torch.float64)
        found.append(_rounded(bias.flatten().double(), scale, 0, -_INT32, _INT32 - 1).float())
    return found


def _array(tensor: Tensor) -> NDArray[np.float32]:
    return tensor.detach().cpu().numpy()


def _clipped(value: Tensor, bounds: Clip | None) -> Tensor:
    return value if bounds is None else value.clamp(*bounds)


def _last_reads(operations: Sequence[Operation]) -> list[list[str]]:
    """For each operator the tensors that nothing after it reads."""
    last = {name: place for place, each in enumerate(operations) for name in each.inputs}
    return [
        [name for name in dict.fromkeys(each.inputs) if last[name] == place] for place, each in enumerate(operations)
    ]


def _attribute_names(graph: QuantizedGraph) -> dict[str, str]:
    """What each float constant is called in the network: by the part it has in a convolution or matrix product."""
    names: dict[str, str] = {}
    for operation in graph.operations:
        if operation.operator in WEIGHTED:
            for part, name in zip(("weight", "bias"), operation.inputs[1:], strict=False):
                names.setdefault(name, f"{part}_{name}")
    return {name: names.get(name, f"constant_{name}") for name in graph.floats}


@dataclass(frozen=True, slots=True)
class Part:
    """Which of a network's grids are in use: `layers` by their output's name, and the ranges of activations."""

    layers: frozenset[str]
    ranges: frozenset[str]


IN_FLOAT = Part(frozenset(), frozenset())


class FakeQuantNetwork(nn.Module):
    """A network that answers as its int8 file will: images [N, C, H, W] as trained on, logits [N, classes].

    Made without values: `take` or a state dict brings them. The constants that convolutions and matrix products read
    are parameters, all others stay as they are. In training mode the first `observe` batches move the ranges. `watch`,
    where set, is shown what every operator computes, before it is laid on a grid.
    """

    ranges: Tensor
    observations_left: Tensor

    def __init__(self, graph: QuantizedGraph) -> None:
        super().__init__()
        for operation in graph.operations:
            check_known(operation)
        self.graph = graph
        self.part: Part | None = None
        self.watch: Callable[[Operation, Tensor], None] | None = None
        self._places = {name: place for place, name in enumerate(graph.observed)}
        self._integer = {each.outputs[0] for each in graph.weighted} & set(graph.integer)
        self._spent = _last_reads(graph.operations)
        self._attribute_of = _attribute_names(graph)
        for name, attribute in self._attribute_of.items():
            values = torch.zeros(graph.floats[name])
            if attribute.startswith("constant"):
                self.register_buffer(attribute, values)
            else:
                self.register_parameter(attribute, nn.Parameter(values))
        for name, indices in graph.indices.items():
            values = torch.tensor(indices.values, dtype=getattr(torch, indices.kind)).reshape(indices.shape)
            self.register_buffer(f"indices_{name}", values, persistent=False)
        self.register_buffer("ranges", torch.zeros(len(self._places), 2))
        self.register_buffer("observations_left", torch.tensor(0))

    @torch.no_grad()
    def take(self, constants: Constants, ranges: Mapping[str, Range], observe: int = 0) -> None:
        """Start from float `constants` and calibrated `ranges`; the next `observe` training batches move these."""
        for name, values in constants.items():
            self.constant(name).copy_(torch.from_numpy(np.array(values)))
        for name, place in self._places.items():
            self.ranges[place] = torch.tensor(ranges[name])
        self.observations_left.fill_(observe)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of `x`, always in float32: autocast's numbers are coarser than the grids."""
        with torch.autocast(x.device.type, enabled=False):
            return self._answer(x.float())

    @_never_compiled
    def _answer(self, x: Tensor) -> Tensor:
        graph = self.graph
        observing = self.training and int(self.observations_left) > 0
        ranges = dict(zip(self._places, self.ranges.tolist(), strict=True))
        grids = {graph.first: graph.pixels}
        values: dict[str, Tensor] = {graph.first: on_grid(x, graph.pixels)}
        for operation, spent in zip(graph.operations, self._spent, strict=True):
            made = compute(operation, self._inputs(operation, values, grids))
            if self.watch is not None:
                self.watch(operation, made[0])
            for name, value in zip(operation.outputs, made, strict=False):
                if graph.range_of.get(name) == name and observing:
                    ranges[name] = self._observed(name, value)
                values[name] = self._placed(name, value, ranges, grids)
            for name in spent:
                values.pop(name, None)
        if observing:
            self.observations_left -= 1
        return values[OUTPUT]

    def _inputs(
        self, operation: Operation, values: Mapping[str, Tensor], grids: Mapping[str, Grid]
    ) -> list[Tensor | None]:
        """What an operator reads: activations, and constants that lie on their own grids where it is integer."""
        inputs = [self._read(name, values) for name in operation.inputs]
        output = operation.outputs[0]
        if output in self._integer and (self.part is None or output in self.part.layers):
            scale = grids[operation.inputs[0]].scale
            inputs[1:] = _integer_constants(operation, inputs[1:], scale, per_tensor=self.graph.per_tensor)
        return inputs

    def _read(self, name: str, values: Mapping[str, Tensor]) -> Tensor | None:
        if not name:
            return None
        return values[name] if name in values else self.constant(name)

    def constant(self, name: str) -> Tensor:
        """The tensor of a constant of the graph, weights and biases included."""
        return getattr(self, self._attribute_of.get(name, f"indices_{name}"))

    def _placed(self, name: str, value: Tensor, ranges: Mapping[str, Any], grids: dict[str, Grid]) -> Tensor:
        """An activation on its grid, where it has one. What was only moved lies on it already."""
        source = self.graph.range_of.get(name)
        if source is None:
            return value
        grids[name] = grids[source] if source in grids else grid_of(ranges[source])
        if self.part is not None and source not in self.part.ranges:
            return _clipped(value, self.graph.clips.get(name))
        return on_grid(value, grids[name]) if source == name else value

    def _observed(self, name: str, value: Tensor) -> Range:
        """Move a range towards what it saw; a batch with values that are not finite moves nothing."""
        seen = _clipped(value.detach(), self.graph.clips.get(name))
        bounds, row = torch.stack([seen.amin(), seen.amax()]), self.ranges[self._places[name]]
        if torch.isfinite(bounds).all():
            row.lerp_(bounds, _RANGE_MOMENTUM)
        low, high = row.tolist()
        return low, high

    def constants(self) -> Constants:
        """The present values of all float constants, weights and biases included."""
        return {name: self.constant(name).detach().cpu().contiguous().numpy() for name in self.graph.floats}

    def plan(self) -> QdqPlan:
        """The plan with the present constants and ranges."""
        constants = self.constants()
        ranges = {name: (low, high) for name, (low, high) in zip(self._places, self.ranges.tolist(), strict=True)}
        return plan_of(self.graph, constants, ranges)

    def file(self, metadata: Metadata) -> onnx.ModelProto:
        """The int8 artifact of the present weights, straight from the plan."""
        graph = self.graph
        return written(self.plan(), graph.image, graph.classes, graph.opset, metadata)
