"""A planned int8 network as data: its operators, which of them are integer, and where each grid comes from.

`config.json` of a quantized run holds one, so that weights and record alone make the network and its file again,
without the parent run, torch's exporter or a user's own code.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Any, Literal, cast

import msgspec
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from econet.compression.qdq_plan import WEIGHTED, Clip, Grid, QdqPlan, Range, grid_of, make_plan
from econet.compression.qdq_writer import output_axis
from econet.compression.quantization import form_of
from econet.errors import UserError
from econet.images.preprocess import Preprocess
from econet.models.architecture import Count
from econet.runs.record import with_value

Constants = dict[str, NDArray[Any]]
Kind = Literal["bool", "int8", "uint8", "int16", "int32", "int64", "float16", "float64"]


class Operation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An ONNX operator: what it reads ("" where an optional input is left out), what it makes, its attributes."""

    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any] = {}

    @property
    def output_axis(self) -> int:
        """The axis of the weight of a Conv, Gemm or two-dimensional MatMul that counts its output channels."""
        return output_axis(self.operator, self.attributes)


class Indices(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A constant of the graph's form, not of its weights: a shape, axes, places to gather from."""

    kind: Kind
    shape: tuple[int, ...]
    values: list[bool | int | float]


class QuantizedGraph(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The plan without its numbers: `floats` are the shapes of constants that lie among the weights.

    `image` is (C, H, W). `first` holds the scaled pixels, whose grid is `offset` and `scale`; `range_of`, `clips`,
    `integer` and `per_tensor` are those of the QdqPlan.
    """

    image: tuple[Count, Count, Count]
    classes: Count
    opset: Annotated[int, msgspec.Meta(ge=13, le=30)]
    first: str
    offset: Annotated[int, msgspec.Meta(ge=0, le=255)]
    scale: Annotated[float, msgspec.Meta(gt=0)]
    operations: tuple[Operation, ...]
    integer: tuple[str, ...]
    range_of: dict[str, str]
    clips: dict[str, Clip]
    floats: dict[str, tuple[int, ...]]
    indices: dict[str, Indices]
    per_tensor: bool = False

    @property
    def observed(self) -> tuple[str, ...]:
        """The tensors whose ranges make the grids, in the order in which the grids were laid."""
        return tuple(dict.fromkeys(name for name in self.range_of.values() if name != self.first))

    @property
    def weighted(self) -> tuple[Operation, ...]:
        """The operators with weights of their own, in the order they run."""
        return tuple(
            each
            for each in self.operations
            if each.operator in WEIGHTED and each.inputs[0] not in self.floats and each.inputs[1] in self.floats
        )

    @property
    def pixels(self) -> Grid:
        """The grid of the scaled pixels."""
        return Grid(np.float32(self.scale), np.uint8(self.offset))


def graph_of(
    model: onnx.ModelProto, preprocess: Preprocess, ranges: Mapping[str, Range]
) -> tuple[QuantizedGraph, Constants]:
    """The planned graph of an fp32 artifact and the values of its float constants.

    Of `ranges` only the names count here. Raises UserError for an operator that cannot be written as data.
    """
    plan = make_plan(model, preprocess, ranges)
    _guard_sums(plan)
    image, classes, opset = form_of(model)
    read = {name for node in plan.nodes for name in node.input}
    used = {name: values for name, values in plan.constants.items() if name in read}
    floats = {name: values for name, values in used.items() if values.dtype == np.float32}
    graph = QuantizedGraph(
        image=image,
        classes=classes,
        opset=opset,
        first=plan.first,
        offset=preprocess.offset,
        scale=preprocess.scale,
        operations=tuple(_operation(node) for node in plan.nodes),
        integer=tuple(node.output[0] for node in plan.nodes if node.output[0] in plan.integer),
        range_of=plan.range_of,
        clips=plan.clips,
        floats={name: values.shape for name, values in floats.items()},
        indices={
            name: Indices(cast("Kind", values.dtype.name), values.shape, values.ravel().tolist())
            for name, values in used.items()
            if name not in floats
        },
    )
    return graph, floats


def _guard_sums(plan: QdqPlan) -> None:
    """Put a pooling of one pixel between a convolution and the sum that alone reads it.

    OpenVINO (seen in 2026.4.1) fuses convolution and sum, and then leaves out the rounding between them, by which its
    answers on every image are other ones; a pooling, which changes no value, keeps the two apart.
    """
    readers = Counter(name for node in plan.nodes for name in node.input)
    convolutions = {
        node.output[0]: plan.constants[node.input[1]].ndim - 2
        for node in plan.nodes
        if node.op_type == "Conv" and node.output[0] in plan.integer and readers[node.output[0]] == 1
    }
    nodes: list[onnx.NodeProto] = []
    for node in plan.nodes:
        if node.op_type == "Add" and node.output[0] in plan.integer:
            for place, name in enumerate(node.input):
                if name in convolutions:
                    guarded = f"{name}_{place}_{node.output[0]}"
                    nodes.append(helper.make_node("MaxPool", [name], [guarded], kernel_shape=[1] * convolutions[name]))
                    plan.integer.add(guarded)
                    plan.grids[guarded], plan.range_of[guarded] = plan.grids[name], plan.range_of[name]
                    node.input[place] = guarded
        nodes.append(node)
    plan.nodes = nodes


def plan_of(graph: QuantizedGraph, constants: Constants, ranges: Mapping[str, Range]) -> QdqPlan:
    """The plan again, with float `constants` and with a range for every tensor of `graph.observed`."""
    shapes = {name: np.array(each.values, each.kind).reshape(each.shape) for name, each in graph.indices.items()}
    grids = {graph.first: graph.pixels}
    grids |= {name: grids.get(source) or grid_of(ranges[source]) for name, source in graph.range_of.items()}
    return QdqPlan(
        nodes=[
            helper.make_node(each.operator, each.inputs, each.outputs, **each.attributes) for each in graph.operations
        ],
        constants={**shapes, **constants},
        first=graph.first,
        integer=set(graph.integer),
        grids=grids,
        range_of=dict(graph.range_of),
        clips=dict(graph.clips),
        per_tensor=graph.per_tensor,
    )


def to_data(graph: QuantizedGraph) -> dict[str, Any]:
    """The graph as plain JSON types, for `config.json`."""
    return msgspec.to_builtins(graph)


def from_data(data: object) -> QuantizedGraph:
    """Read a graph back. Raises UserError naming the field that is wrong."""
    try:
        return msgspec.convert(data, QuantizedGraph)
    except msgspec.ValidationError as error:
        raise UserError(
            "the recorded quantized network cannot be read", with_value(error, data), "restore config.json from a copy"
        ) from error


def _operation(node: onnx.NodeProto) -> Operation:
    if node.domain:
        raise not_quantizable(f"{node.domain}.{node.op_type}")
    attributes = {each.name: _plain(helper.get_attribute_value(each), node.op_type) for each in node.attribute}
    return Operation(node.op_type, tuple(node.input), tuple(node.output), attributes)


def _plain(value: Any, operator: str) -> Any:
    """An attribute as a JSON type."""
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, int | float):
        return value
    if isinstance(value, onnx.TensorProto | onnx.GraphProto):
        raise not_quantizable(operator)
    return [_plain(each, operator) for each in value]


def not_quantizable(operator: str) -> UserError:
    """The error for an operator that fake quantization does not know."""
    return UserError(
        f"the operator {operator} cannot be trained with fake quantization",
        "it is none of those that EcoNet computes in torch as the exported file does",
        "econet export RUN --int8 for static quantization, or a network without it",
    )
