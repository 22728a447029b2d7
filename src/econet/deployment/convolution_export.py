"""Convolutions in ONNX: batch norm folded in, ReLU after."""

from collections.abc import Iterator
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from econet.deployment.graph_writer import GraphWriter
from econet.models.convolutions import ConvUnit

Floats = NDArray[np.float32]


def write_convolution(
    writer: GraphWriter, conv: nn.Conv2d, norm: nn.BatchNorm2d | None, x: str, far: tuple[int, int] = (0, 0)
) -> str:
    """A convolution of `x` with its batch norm folded in, and `far` more zeros at the bottom and on the right."""
    weight, bias = folded(conv, norm)
    inputs = [x, writer.constant(weight)] + ([] if bias is None else [writer.constant(bias)])
    padding, stride = cast("tuple[int, int]", conv.padding), conv.stride
    attributes = dict(unless_default(padding=padding, stride=stride, groups=conv.groups, far=far))
    return writer.add("Conv", inputs, None, **attributes)


def unless_default(
    *, padding: tuple[int, ...], stride: tuple[int, ...], groups: int, far: tuple[int, int] = (0, 0)
) -> Iterator[tuple[str, list[int] | int]]:
    """Attributes of a node that are not what ONNX takes for granted."""
    if any((*padding, *far)):
        yield "pads", [*padding, *(near + more for near, more in zip(padding, far, strict=True))]
    if any(step != 1 for step in stride):
        yield "strides", list(stride)
    if groups != 1:
        yield "group", groups


def folded(conv: nn.Conv2d, norm: nn.BatchNorm2d | None) -> tuple[Floats, Floats | None]:
    """Weight [out, in / groups, kh, kw] and bias [out] of a convolution with its batch norm folded in.

    `w' = w * gamma / sqrt(variance + eps)`, `b' = beta - mean * gamma / sqrt(variance + eps)`, in float64.
    """
    weight = as_double(conv.weight)
    bias = None if conv.bias is None else as_double(conv.bias)
    if norm is not None:
        if norm.running_mean is None or norm.running_var is None:
            raise ValueError("batch norm without running statistics cannot be folded")
        factor = as_double(norm.weight) / np.sqrt(as_double(norm.running_var) + norm.eps)
        shift = -as_double(norm.running_mean) if bias is None else bias - as_double(norm.running_mean)
        weight = weight * factor[:, None, None, None]
        bias = as_double(norm.bias) + shift * factor
    return weight.astype(np.float32), None if bias is None else bias.astype(np.float32)


def write_unit(writer: GraphWriter, unit: ConvUnit, x: str) -> str:
    """A convolution with all that belongs to it."""
    x = write_convolution(writer, unit.conv, unit.norm, x)
    return write_rectified(writer, x, unit.limit) if unit.relu else x


def write_rectified(writer: GraphWriter, x: str, limit: float | None) -> str:
    """ReLU of `x`, cut at `limit` where there is one."""
    if limit is None:
        return writer.add("Relu", [x])
    return writer.add("Clip", [x, writer.constant(np.float32(0)), writer.constant(np.float32(limit))])


def as_double(tensor: Tensor) -> NDArray[np.float64]:
    """The values of a parameter or statistic."""
    return tensor.detach().to("cpu", torch.float64).numpy()
