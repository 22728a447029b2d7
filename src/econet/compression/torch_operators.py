"""ONNX operators computed in torch, each as ONNX Runtime computes it: what fake quantization can train through.

All that EcoNet's own writers produce, and what torch's exporter makes of the usual modules of a user's network.
"""

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any, cast

import onnx
import torch
from onnx import helper
from torch import Tensor
from torch.nn import functional as F

from econet.compression.quantized_graph import Operation, not_quantizable
from econet.compression.torch_windows import average_pool, conv, max_pool

Attributes = Mapping[str, Any]
Inputs = Sequence[Tensor | None]
Operator = Callable[[Inputs, Attributes], Tensor]


def compute(operation: Operation, inputs: Inputs) -> list[Tensor]:
    """The outputs of one operator; an input that was left out is None. Raises UserError for an unknown operator."""
    if operation.operator == "Split":
        return _split(inputs, operation.attributes, len(operation.outputs))
    check_known(operation)
    return [_OPERATORS[operation.operator](inputs, operation.attributes)]


def check_known(operation: Operation) -> None:
    """Raises UserError for an operator that is not computed here, naming it."""
    if operation.operator not in _OPERATORS and operation.operator != "Split":
        raise not_quantizable(operation.operator)


def _given(inputs: Inputs, place: int) -> Tensor | None:
    return inputs[place] if place < len(inputs) else None


def _first(inputs: Inputs) -> Tensor:
    return cast("Tensor", inputs[0])


def _pair(inputs: Inputs) -> tuple[Tensor, Tensor]:
    return cast("Tensor", inputs[0]), cast("Tensor", inputs[1])


def _numbers(inputs: Inputs, place: int, usual: Sequence[int] | None = None) -> list[int]:
    tensor = _given(inputs, place)
    if tensor is None:
        return list(usual or [])
    return [int(each) for each in tensor.flatten().tolist()]


# Products


def _conv(inputs: Inputs, attributes: Attributes) -> Tensor:
    x, weight = _pair(inputs)
    return conv(x, weight, _given(inputs, 2), attributes)


def _gemm(inputs: Inputs, attributes: Attributes) -> Tensor:
    left, right = _pair(inputs)
    added = _given(inputs, 2)
    left = left.t() if attributes.get("transA", 0) else left
    right = right if attributes.get("transB", 0) else right.t()
    alpha, beta = attributes.get("alpha", 1.0), attributes.get("beta", 1.0)
    if alpha == beta == 1 and (added is None or added.ndim == 1):
        return F.linear(left, right, added)
    product = alpha * F.linear(left, right)
    return product if added is None else product + beta * added


# Arithmetic


def _of_two(function: Callable[[Tensor, Tensor], Tensor]) -> Operator:
    return lambda inputs, attributes: function(*_pair(inputs))


def _of_one(function: Callable[[Tensor], Tensor]) -> Operator:
    return lambda inputs, attributes: function(_first(inputs))


def _divided(left: Tensor, right: Tensor) -> Tensor:
    return left / right if left.is_floating_point() else torch.div(left, right, rounding_mode="trunc")


def _clip(inputs: Inputs, attributes: Attributes) -> Tensor:
    low, high = _given(inputs, 1), _given(inputs, 2)
    x = _first(inputs)
    x = x if low is None else torch.maximum(x, low)
    return x if high is None else torch.minimum(x, high)


def _hard_sigmoid(inputs: Inputs, attributes: Attributes) -> Tensor:
    return (attributes.get("alpha", 0.2) * _first(inputs) + attributes.get("beta", 0.5)).clamp(0, 1)


def _hard_swish(x: Tensor) -> Tensor:
    return x * (x / 6 + 0.5).clamp(0, 1)


def _gelu(inputs: Inputs, attributes: Attributes) -> Tensor:
    return F.gelu(_first(inputs), approximate=attributes.get("approximate", "none"))


def _leaky_relu(inputs: Inputs, attributes: Attributes) -> Tensor:
    return F.leaky_relu(_first(inputs), attributes.get("alpha", 0.01))


def _elu(inputs: Inputs, attributes: Attributes) -> Tensor:
    return F.elu(_first(inputs), attributes.get("alpha", 1.0))


def _prelu(x: Tensor, slope: Tensor) -> Tensor:
    return torch.where(x < 0, x * slope, x)


def _softmax(inputs: Inputs, attributes: Attributes) -> Tensor:
    return _first(inputs).softmax(attributes.get("axis", -1))


# Normalisation


def _batch_norm(inputs: Inputs, attributes: Attributes) -> Tensor:
    x, factor, shift, mean, variance = cast("Sequence[Tensor]", inputs)
    return F.batch_norm(x, mean, variance, factor, shift, training=False, eps=attributes.get("epsilon", 1e-5))


def _instance_norm(inputs: Inputs, attributes: Attributes) -> Tensor:
    x, factor, shift = cast("Sequence[Tensor]", inputs)
    return F.instance_norm(x, weight=factor, bias=shift, eps=attributes.get("epsilon", 1e-5))


def _layer_norm(inputs: Inputs, attributes: Attributes) -> Tensor:
    x, factor = _pair(inputs)
    normalised = x.shape[attributes.get("axis", -1) :]
    plain = F.layer_norm(x, list(normalised), eps=attributes.get("epsilon", 1e-5)) * factor
    shift = _given(inputs, 2)
    return plain if shift is None else plain + shift


def _reduced(function: Callable[..., Tensor]) -> Operator:
    def reduce(inputs: Inputs, attributes: Attributes) -> Tensor:
        x = _first(inputs)
        axes = _numbers(inputs, 1) or list(attributes.get("axes", [])) or list(range(x.ndim))
        return function(x, axes, keepdim=bool(attributes.get("keepdims", 1)))

    return reduce


# Shapes


def _flatten(inputs: Inputs, attributes: Attributes) -> Tensor:
    x, axis = _first(inputs), attributes.get("axis", 1)
    return x.flatten(1) if axis == 1 and x.ndim > 1 else x.reshape(prod(x.shape[:axis]), -1)


def _reshape(inputs: Inputs, attributes: Attributes) -> Tensor:
    x, asked = _first(inputs), _numbers(inputs, 1)
    if not attributes.get("allowzero", 0):
        asked = [x.shape[place] if side == 0 else side for place, side in enumerate(asked)]
    return x.reshape(asked)


def _transpose(inputs: Inputs, attributes: Attributes) -> Tensor:
    x = _first(inputs)
    return x.permute(attributes.get("perm", list(reversed(range(x.ndim)))))


def _squeeze(inputs: Inputs, attributes: Attributes) -> Tensor:
    x, axes = _first(inputs), _numbers(inputs, 1)
    return x.squeeze(axes) if axes else x.squeeze()


def _unsqueeze(inputs: Inputs, attributes: Attributes) -> Tensor:
    x, axes = _first(inputs), _numbers(inputs, 1)
    rank = x.ndim + len(axes)
    for axis in sorted(each % rank for each in axes):
        x = x.unsqueeze(axis)
    return x


def _concat(inputs: Inputs, attributes: Attributes) -> Tensor:
    return torch.cat(list(cast("Sequence[Tensor]", inputs)), attributes["axis"])


def _split(inputs: Inputs, attributes: Attributes, outputs: int) -> list[Tensor]:
    x, axis = _first(inputs), attributes.get("axis", 0)
    sizes = _numbers(inputs, 1)
    return list(x.split(sizes or -(-x.shape[axis] // outputs), axis))


def _slice(inputs: Inputs, attributes: Attributes) -> Tensor:
    x, starts, ends = _first(inputs), _numbers(inputs, 1), _numbers(inputs, 2)
    axes = _numbers(inputs, 3, range(len(starts)))
    steps = _numbers(inputs, 4, [1] * len(starts))
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        places = range(x.shape[axis])[slice(start, None if step < 0 and end < -x.shape[axis] else end, step)]
        x = x.index_select(axis, torch.tensor(list(places), device=x.device))
    return x


def _gather(inputs: Inputs, attributes: Attributes) -> Tensor:
    x, places = _pair(inputs)
    axis = attributes.get("axis", 0) % x.ndim
    flat = x.index_select(axis, (places % x.shape[axis]).flatten())
    return flat.reshape(*x.shape[:axis], *places.shape, *x.shape[axis + 1 :])


def _pad(inputs: Inputs, attributes: Attributes) -> Tensor:
    x, pads = _first(inputs), _numbers(inputs, 1)
    axes = _numbers(inputs, 3, range(x.ndim))
    around = {axis % x.ndim: (pads[place], pads[place + len(axes)]) for place, axis in enumerate(axes)}
    first = min(axis for axis, pair in around.items() if any(pair)) if any(pads) else x.ndim
    written = [each for axis in reversed(range(first, x.ndim)) for each in around.get(axis, (0, 0))]
    mode = {"constant": "constant", "reflect": "reflect", "edge": "replicate"}[attributes.get("mode", "constant")]
    value = _given(inputs, 2)
    return F.pad(x, written, mode=mode, value=0.0 if value is None or mode != "constant" else float(value))


def _shape(inputs: Inputs, attributes: Attributes) -> Tensor:
    x = _first(inputs)
    return torch.tensor(x.shape[attributes.get("start", 0) : attributes.get("end")], device=x.device)


def _expand(inputs: Inputs, attributes: Attributes) -> Tensor:
    x = _first(inputs)
    return x.expand(torch.broadcast_shapes(x.shape, _numbers(inputs, 1)))


def _cast(inputs: Inputs, attributes: Attributes) -> Tensor:
    name = helper.tensor_dtype_to_np_dtype(cast("onnx.TensorProto.DataType", attributes["to"])).name
    return _first(inputs).to(getattr(torch, name))


def _global(function: Callable[..., Tensor]) -> Operator:
    return lambda inputs, attributes: function(_first(inputs), list(range(2, _first(inputs).ndim)), keepdim=True)


_OPERATORS: dict[str, Operator] = {
    "Conv": _conv,
    "Gemm": _gemm,
    "MatMul": _of_two(torch.matmul),
    "MaxPool": lambda inputs, attributes: max_pool(_first(inputs), attributes),
    "AveragePool": lambda inputs, attributes: average_pool(_first(inputs), attributes),
    "GlobalAveragePool": _global(torch.mean),
    "GlobalMaxPool": _global(torch.amax),
    "Add": _of_two(torch.add),
    "Sub": _of_two(torch.sub),
    "Mul": _of_two(torch.mul),
    "Div": _of_two(_divided),
    "Pow": _of_two(torch.pow),
    "Min": _of_two(torch.minimum),
    "Max": _of_two(torch.maximum),
    "PRelu": _of_two(_prelu),
    "Relu": _of_one(torch.relu),
    "Sigmoid": _of_one(torch.sigmoid),
    "Tanh": _of_one(torch.tanh),
    "Sqrt": _of_one(torch.sqrt),
    "Exp": _of_one(torch.exp),
    "Log": _of_one(torch.log),
    "Erf": _of_one(torch.erf),
    "Neg": _of_one(torch.neg),
    "Abs": _of_one(torch.abs),
    "Reciprocal": _of_one(torch.reciprocal),
    "Softplus": _of_one(F.softplus),
    "HardSwish": _of_one(_hard_swish),
    "Identity": _of_one(lambda x: x),
    "Clip": _clip,
    "HardSigmoid": _hard_sigmoid,
    "Gelu": _gelu,
    "LeakyRelu": _leaky_relu,
    "Elu": _elu,
    "Softmax": _softmax,
    "BatchNormalization": _batch_norm,
    "InstanceNormalization": _instance_norm,
    "LayerNormalization": _layer_norm,
    "ReduceMean": _reduced(torch.mean),
    "ReduceSum": _reduced(torch.sum),
    "ReduceMax": _reduced(torch.amax),
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Transpose": _transpose,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Concat": _concat,
    "Slice": _slice,
    "Gather": _gather,
    "Pad": _pad,
    "Shape": _shape,
    "Expand": _expand,
    "Cast": _cast,
}
