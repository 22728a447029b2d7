"""From a network in torch to one lean ONNX file: our own writer for the catalog, torch's exporter for the rest.

Either way the file takes `image`, uint8 [N, C, H, W], and gives `logits`, float32 [N, K]; offset and scale of the
Preprocess record are in the graph, classes and record in the metadata.
"""

from collections.abc import Iterator
from typing import cast

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from econet.deployment.foreign_export import foreign_graph
from econet.deployment.graph_writer import INPUT, OUTPUT, GraphWriter, write_scaling
from econet.deployment.layers_2012_export import write_layer_2012
from econet.deployment.metadata import Metadata, embed
from econet.deployment.strip import strip
from econet.errors import UserError
from econet.images.preprocess import Preprocess
from econet.models.layers_2012 import LocalLayer, LrnLayer, MapNormLayer, MaskDropout, MeanImageLayer
from econet.models.network import (
    BottleneckLayer,
    ConvLayer,
    DenseLayer,
    GlobalMeanLayer,
    Network,
    ResidualLayer,
    SeparableLayer,
)

Floats = NDArray[np.float32]


def export_network(network: nn.Module, preprocess: Preprocess, classes: tuple[str, ...], name: str) -> onnx.ModelProto:
    """The fp32 file of `network`, which takes float32 [N, C, H, W] and gives logits [N, len(classes)].

    Batch norm is folded into the convolution before it, in float64. The network is not changed.
    Raises UserError where the offset is no gray level or torch cannot turn the network into a graph.
    """
    if not 0 <= preprocess.offset <= 255:
        raise UserError(
            f"preprocess offset {preprocess.offset} cannot be exported",
            "it is the zero point of an 8-bit input, which lies between 0 and 255",
            "use an offset from 0 to 255",
        )
    image = (preprocess.channels, *preprocess.image_size)
    if isinstance(network, Network):
        model = _catalog_graph(network, preprocess, image, len(classes))
    else:
        model = foreign_graph(network, preprocess, image, len(classes))
    model = strip(model)
    embed(model, Metadata(name=name, classes=classes, preprocess=preprocess, precision="fp32"))
    onnx.checker.check_model(model)
    return model


def _catalog_graph(
    network: Network, preprocess: Preprocess, image: tuple[int, int, int], classes: int
) -> onnx.ModelProto:
    architecture = network.architecture
    if (architecture.input, architecture.classes) != (image, classes):
        raise ValueError(
            f"a network for {architecture.input} and {architecture.classes} classes does not take {image} and {classes}"
        )
    writer = GraphWriter()
    x = write_scaling(writer, preprocess, INPUT)
    layers = [layer for layer in network.layers if not isinstance(layer, nn.Dropout)]
    for layer in layers[:-1]:
        x = _write_layer(writer, layer, x)
    _write_last(writer, cast("DenseLayer", layers[-1]), x)
    return writer.model(image, classes)


def _write_layer(writer: GraphWriter, layer: nn.Module, x: str) -> str:
    match layer:
        case ConvLayer():
            x = _write_conv(writer, layer.conv, layer.norm, x, layer.far_padding)
            return writer.add("Relu", [x]) if layer.relu else x
        case SeparableLayer():
            return _write_separable(writer, layer, x)
        case ResidualLayer():
            return _write_residual(writer, layer, x)
        case BottleneckLayer():
            return _write_bottleneck(writer, layer, x)
        case nn.MaxPool2d():
            return _write_max_pool(writer, layer, x)
        case LocalLayer() | LrnLayer() | MapNormLayer() | MaskDropout() | MeanImageLayer():
            return write_layer_2012(writer, layer, x)
        case nn.AvgPool2d():
            kernel, stride = _pair(layer.kernel_size), _pair(layer.stride)
            return writer.add("AveragePool", [x], None, kernel_shape=list(kernel), strides=list(stride), ceil_mode=1)
        case nn.ReLU():
            return writer.add("Relu", [x])
        case nn.Tanh():
            return writer.add("Tanh", [x])
        case GlobalMeanLayer():
            return writer.add("Flatten", [writer.add("GlobalAveragePool", [x])])
        case nn.Flatten():
            return writer.add("Flatten", [x])
        case DenseLayer():
            x = _write_dense(writer, layer, x, None)
            return writer.add("Relu", [x]) if layer.relu else x
        case _:
            raise TypeError(f"no ONNX writer for a layer of type {type(layer).__name__}")


def _write_last(writer: GraphWriter, layer: DenseLayer, x: str) -> None:
    if layer.relu:
        writer.add("Relu", [_write_dense(writer, layer, x, None)], OUTPUT)
    else:
        _write_dense(writer, layer, x, OUTPUT)


def _write_separable(writer: GraphWriter, layer: SeparableLayer, x: str) -> str:
    inner = writer.add("Relu", [_write_conv(writer, layer.depthwise, layer.depthwise_norm, x)])
    result = writer.add("Relu", [_write_conv(writer, layer.pointwise, layer.pointwise_norm, inner)])
    return writer.add("Add", [x, result]) if layer.adds_input else result


def _write_residual(writer: GraphWriter, layer: ResidualLayer, x: str) -> str:
    inner = writer.add("Relu", [_write_conv(writer, layer.conv1, layer.norm1, x)])
    inner = _write_conv(writer, layer.conv2, layer.norm2, inner)
    if layer.shortcut is not None:
        x = _write_conv(writer, layer.shortcut, layer.shortcut_norm, x)
    return writer.add("Relu", [writer.add("Add", [x, inner])])


def _write_bottleneck(writer: GraphWriter, layer: BottleneckLayer, x: str) -> str:
    inner = writer.add("Relu", [_write_conv(writer, layer.down, layer.down_norm, x)])
    inner = writer.add("Relu", [_write_conv(writer, layer.conv, layer.norm, inner)])
    result = _write_conv(writer, layer.up, layer.up_norm, inner)
    return writer.add("Relu", [writer.add("Add", [x, result]) if layer.adds_input else result])


def _write_conv(
    writer: GraphWriter, conv: nn.Conv2d, norm: nn.BatchNorm2d | None, x: str, far: tuple[int, int] = (0, 0)
) -> str:
    weight, bias = folded(conv, norm)
    inputs = [x, writer.constant(weight)] + ([] if bias is None else [writer.constant(bias)])
    padding, stride = cast("tuple[int, int]", conv.padding), conv.stride
    attributes = dict(_unless_default(padding=padding, stride=stride, groups=conv.groups, far=far))
    return writer.add("Conv", inputs, None, **attributes)


def _unless_default(
    *, padding: tuple[int, ...], stride: tuple[int, ...], groups: int, far: tuple[int, int] = (0, 0)
) -> Iterator[tuple[str, list[int] | int]]:
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
    weight = _double(conv.weight)
    bias = None if conv.bias is None else _double(conv.bias)
    if norm is not None:
        if norm.running_mean is None or norm.running_var is None:
            raise ValueError("batch norm without running statistics cannot be folded")
        factor = _double(norm.weight) / np.sqrt(_double(norm.running_var) + norm.eps)
        shift = -_double(norm.running_mean) if bias is None else bias - _double(norm.running_mean)
        weight = weight * factor[:, None, None, None]
        bias = _double(norm.bias) + shift * factor
    return weight.astype(np.float32), None if bias is None else bias.astype(np.float32)


def _write_dense(writer: GraphWriter, layer: DenseLayer, x: str, output: str | None) -> str:
    weight, bias = _double(layer.linear.weight), _double(layer.linear.bias)
    inputs = [x, writer.constant(weight.astype(np.float32)), writer.constant(bias.astype(np.float32))]
    return writer.add("Gemm", inputs, output, transB=1)


def _write_max_pool(writer: GraphWriter, pool: nn.MaxPool2d, x: str) -> str:
    kernel, stride, padding = _pair(pool.kernel_size), _pair(pool.stride), _pair(pool.padding)
    attributes = dict(_unless_default(padding=padding, stride=stride, groups=1))
    if pool.ceil_mode:
        attributes["ceil_mode"] = 1
    return writer.add("MaxPool", [x], None, kernel_shape=list(kernel), **attributes)


def _pair(value: int | tuple[int, ...]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (value[0], value[1])


def _double(tensor: Tensor) -> NDArray[np.float64]:
    return tensor.detach().to("cpu", torch.float64).numpy()
