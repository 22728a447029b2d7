"""An artifact in ONNX as a torch module, so that torch's own tools can go on with it.

Quantizers become torch's `quantized_decomposed` operators, by which XNNPACK finds what to compute in integers. uint8
codes are moved down by 128, since those tools know int8 activations only.
"""

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper
from torch import Tensor, nn
from torch.nn import functional as F

from econet.deployment.graph_writer import INPUT, OUTPUT
from econet.deployment.targets.logits_grid import LogitsGrid

_FROM_UINT8 = 128
_Attributes = dict[str, Any]


class Untranslatable(Exception):
    """The network holds what cannot be said; the message says what."""


class GraphModule(nn.Module):
    """Scaled pixels, float32 [1, C, H, W], in; logits [1, K] out.

    With a `grid` the logits are brought to it: XNNPACK has no integer layer with a float result. Raises Untranslatable
    for an operator that is not known.
    """

    def __init__(self, model: onnx.ModelProto, grid: LogitsGrid | None = None) -> None:
        super().__init__()
        self.grid = grid
        self.nodes = [_Step(node) for node in model.graph.node]
        unknown = sorted({step.kind for step in self.nodes} - {*_OPERATORS, *_QUANTIZERS, "Cast"})
        if unknown:
            raise Untranslatable(f"these of its operators have no translation: {', '.join(unknown)}")
        self.arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
        for name, array in self.arrays.items():
            self.register_buffer(f"c_{name}", torch.from_numpy(np.array(array)))
        # Symmetric weights: XNNPACK wants their zero points as constants nonetheless.
        for size in {array.size for array in self.arrays.values() if array.ndim == 1}:
            self.register_buffer(f"zeros_{size}", torch.zeros(size, dtype=torch.int64))
        for step in self.nodes:
            if step.kind == "Clip":
                bounds = [float(self.arrays[name]) if name else None for name in step.inputs[1:]]
                step.attributes["bounds"] = [*bounds, None, None][:2]
                del step.inputs[1:]
            if step.kind == "Slice":
                step.attributes["parts"] = _parts([self.arrays[name].tolist() for name in step.inputs[1:]])
                del step.inputs[1:]
            codes = self.arrays.get(step.inputs[0]) if step.kind == "DequantizeLinear" else None
            if codes is not None and codes.dtype != np.int8:
                # A bias: XNNPACK takes it in float and rounds it to the same int32 again.
                values = (codes * self.arrays[step.inputs[1]].astype(np.float64)).astype(np.float32)
                self.register_buffer(f"bias_{step.output}", torch.from_numpy(values))
        self._producers = {step.output: step for step in self.nodes}
        self._check_joins()
        self.start = _after_scaling(self.nodes)

    def _check_joins(self) -> None:
        """XNNPACK joins codes of one grid alone. Raises Untranslatable where an int8 artifact joins others."""
        for step in self.nodes:
            makers = [self._producers.get(name) for name in step.inputs] if step.kind == "Concat" else []
            grids = {self._grid(maker) for maker in makers if maker is not None and maker.kind == "DequantizeLinear"}
            if len(grids) > 1:
                raise Untranslatable("an int8 Concat joins codes of different grids")

    def forward(self, x: Tensor) -> Tensor:
        """Logits [1, K] of scaled pixels [1, C, H, W]."""
        first = self.nodes[self.start - 1]
        values: dict[str, Tensor] = {first.output: x}
        if first.kind == "DequantizeLinear":
            values = {first.inputs[0]: self._quantized(x, first)}
        for step in self.nodes[self.start :]:
            if step.kind == "QuantizeLinear":
                values[step.output] = self._quantized(self._read(step.inputs[0], values), step)
            elif step.kind != "DequantizeLinear":
                given = [self._read(name, values) for name in step.inputs if name]
                values[step.output] = _OPERATORS[step.kind](given, step.attributes)
        logits = values[OUTPUT]
        if self.grid is None:
            return logits
        numbers = (self.grid.scale, self.grid.zero_point, -128, 127, torch.int8)
        return _decomposed("dequantize_per_tensor")(_decomposed("quantize_per_tensor")(logits, *numbers), *numbers)

    def _read(self, name: str, values: dict[str, Tensor]) -> Tensor:
        """A value for one reader: each has a dequantizer of its own, or XNNPACK would find cycles around sums."""
        if name in values:
            return values[name]
        if name in self.arrays:
            return self._buffer(name)
        step = self._producers[name]
        if step.inputs[0] in self.arrays:
            return self._constant(step)
        return self._dequantized(values[step.inputs[0]], step)

    def _buffer(self, name: str) -> Tensor:
        return cast("Tensor", getattr(self, f"c_{name}"))

    def _grid(self, step: "_Step") -> tuple[float, int]:
        zero = self.arrays[step.inputs[2]]
        return float(self.arrays[step.inputs[1]]), int(zero) - (_FROM_UINT8 if zero.dtype == np.uint8 else 0)

    def _quantized(self, x: Tensor, step: "_Step") -> Tensor:
        scale, zero = self._grid(step)
        return _decomposed("quantize_per_tensor")(x, scale, zero, -128, 127, torch.int8)

    def _dequantized(self, codes: Tensor, step: "_Step") -> Tensor:
        scale, zero = self._grid(step)
        return _decomposed("dequantize_per_tensor")(codes, scale, zero, -128, 127, torch.int8)

    def _constant(self, step: "_Step") -> Tensor:
        """A weight stays int8 up to the layer that reads it, a bias is float."""
        codes, scales = self._buffer(step.inputs[0]), self._buffer(step.inputs[1])
        if codes.dtype != torch.int8:
            return cast("Tensor", getattr(self, f"bias_{step.output}"))
        zeros = cast("Tensor", getattr(self, f"zeros_{scales.numel()}"))
        axis = int(step.attributes.get("axis", 1))
        return _decomposed("dequantize_per_channel")(codes, scales, zeros, axis, -127, 127, torch.int8)


class _Step:
    """A node: kind, inputs, its one output, attributes."""

    def __init__(self, node: onnx.NodeProto) -> None:
        self.kind, self.inputs, self.output = node.op_type, list(node.input), node.output[0]
        self.attributes: _Attributes = {each.name: helper.get_attribute_value(each) for each in node.attribute}


def _after_scaling(steps: list[_Step]) -> int:
    """How many nodes scale the pixels: Cast, Sub and Mul of an fp32 file, the first DequantizeLinear of an int8 one."""
    if steps[0].kind == "DequantizeLinear" and steps[0].inputs[0] == INPUT:
        return 1
    if [step.kind for step in steps[:3]] == ["Cast", "Sub", "Mul"] and steps[0].inputs[0] == INPUT:
        return 3
    raise ValueError(f"not an artifact of EcoNet: it begins with {steps[0].kind}")


def _decomposed(name: str) -> Callable[..., Tensor]:
    return getattr(torch.ops.quantized_decomposed, name).default


def _conv(given: list[Tensor], attributes: _Attributes) -> Tensor:
    top, left, bottom, right = attributes.get("pads", [0, 0, 0, 0])
    stride, dilation = attributes.get("strides", [1, 1]), attributes.get("dilations", [1, 1])
    x, groups = given[0], int(attributes.get("group", 1))
    padding = [top, left]
    if (top, left) != (bottom, right):
        x, padding = F.pad(x, (left, right, top, bottom)), [0, 0]
    return F.conv2d(x, given[1], given[2] if len(given) > 2 else None, stride, padding, dilation, groups)


def _dense(given: list[Tensor], attributes: _Attributes) -> Tensor:
    plain = attributes.get("alpha", 1.0) == attributes.get("beta", 1.0) == 1 and not attributes.get("transA", 0)
    if not plain:
        raise Untranslatable("a dense layer scales its product")
    weight = given[1] if attributes.get("transB", 0) else given[1].t()
    return F.linear(given[0], weight, given[2] if len(given) > 2 else None)


def _max_pool(given: list[Tensor], attributes: _Attributes) -> Tensor:
    kernel, stride = attributes["kernel_shape"], attributes.get("strides", [1, 1])
    top, left, bottom, right = attributes.get("pads", [0, 0, 0, 0])
    if (top, left) != (bottom, right):
        padded = F.pad(given[0], (left, right, top, bottom), value=float(torch.finfo(torch.float32).min))
        return F.max_pool2d(padded, kernel, stride, ceil_mode=bool(attributes.get("ceil_mode", 0)))
    return F.max_pool2d(given[0], kernel, stride, [top, left], ceil_mode=bool(attributes.get("ceil_mode", 0)))


def _average_pool(given: list[Tensor], attributes: _Attributes) -> Tensor:
    kernel, stride = attributes["kernel_shape"], attributes.get("strides", [1, 1])
    top, left, bottom, right = attributes.get("pads", [0, 0, 0, 0])
    if (top, left) != (bottom, right):
        raise Untranslatable("a local mean is padded on one side alone")
    counted = bool(attributes.get("count_include_pad", 0))
    return F.avg_pool2d(given[0], kernel, stride, [top, left], bool(attributes.get("ceil_mode", 0)), counted)


def _clip(given: list[Tensor], attributes: _Attributes) -> Tensor:
    low, high = attributes["bounds"]
    return F.relu(given[0]) if (low, high) == (0, None) else torch.clamp(given[0], low, high)


def _parts(numbers: list[list[int]]) -> dict[int, slice]:
    """The range that a Slice takes of each axis, from its starts, ends, axes and steps."""
    starts, ends, axes, steps = [*numbers, *[list(range(len(numbers[0]))), [1] * len(numbers[0])][len(numbers) - 2 :]]
    if min(steps) < 1:
        raise Untranslatable("a Slice runs backwards")
    return {axis: slice(start, end, step) for axis, start, end, step in zip(axes, starts, ends, steps, strict=True)}


def _gather(given: list[Tensor], attributes: _Attributes) -> Tensor:
    axis = int(attributes.get("axis", 0))
    return given[0].index_select(axis, given[1] % given[0].shape[axis])


def _slice(given: list[Tensor], attributes: _Attributes) -> Tensor:
    parts: dict[int, slice] = attributes["parts"]
    axes = range(given[0].ndim)
    return given[0][tuple(parts.get(axis, parts.get(axis - len(axes), slice(None))) for axis in axes)]


_QUANTIZERS = ("QuantizeLinear", "DequantizeLinear")
_OPERATORS: dict[str, Callable[[list[Tensor], _Attributes], Tensor]] = {
    "Add": lambda given, _: given[0] + given[1],
    "AveragePool": _average_pool,
    "Clip": _clip,
    "Concat": lambda given, attributes: torch.cat(given, int(attributes["axis"])),
    "Conv": _conv,
    "Div": lambda given, _: given[0] / given[1],
    "Flatten": lambda given, _: torch.flatten(given[0], 1),
    "Gather": _gather,
    "Gemm": _dense,
    "GlobalAveragePool": lambda given, _: given[0].mean((2, 3), keepdim=True),
    "MatMul": _dense,
    "MaxPool": _max_pool,
    "Mul": lambda given, _: given[0] * given[1],
    "Relu": lambda given, _: F.relu(given[0]),
    "Sigmoid": lambda given, _: torch.sigmoid(given[0]),
    "Slice": _slice,
    "Sqrt": lambda given, _: torch.sqrt(given[0]),
    "Sub": lambda given, _: given[0] - given[1],
    "Tanh": lambda given, _: torch.tanh(given[0]),
}
