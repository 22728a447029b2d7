"""From a network in torch to one lean ONNX file: our own writer for the catalog, torch's exporter for the rest.

Either way the file takes `image`, uint8 [N, C, H, W], and gives `logits`, float32 [N, K]; offset and scale of the
Preprocess record are in the graph, classes and record in the metadata.
"""

from typing import cast

import numpy as np
import onnx
from torch import nn

from econet.deployment.classic_layers_export import write_classic_layer
from econet.deployment.convolution_export import as_double, folded, unless_default, write_convolution, write_rectified
from econet.deployment.foreign_export import foreign_graph
from econet.deployment.graph_writer import INPUT, OUTPUT, GraphWriter, write_scaling
from econet.deployment.layers_2012_export import without_dropout, write_layer_2012
from econet.deployment.metadata import Metadata, embed
from econet.deployment.strip import strip
from econet.errors import UserError
from econet.images.preprocess import Preprocess
from econet.models.classic_layers import FireLayer, InvertedResidualLayer, ShuffleUnitLayer
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

__all__ = ["export_network", "folded"]


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
    layers = without_dropout(network.layers)
    for layer in layers[:-1]:
        x = _write_layer(writer, layer, x)
    _write_last(writer, cast("DenseLayer", layers[-1]), x)
    return writer.model(image, classes)


def _write_layer(writer: GraphWriter, layer: nn.Module, x: str) -> str:
    match layer:
        case ConvLayer():
            x = write_convolution(writer, layer.conv, layer.norm, x, layer.far_padding)
            return write_rectified(writer, x, layer.limit) if layer.relu else x
        case SeparableLayer():
            return _write_separable(writer, layer, x)
        case ResidualLayer():
            return _write_residual(writer, layer, x)
        case InvertedResidualLayer() | FireLayer() | ShuffleUnitLayer():
            return write_classic_layer(writer, layer, x)
        case BottleneckLayer():
            return _write_bottleneck(writer, layer, x)
        case nn.MaxPool2d():
            return _write_max_pool(writer, layer, x)
        case LocalLayer() | LrnLayer() | MapNormLayer() | MaskDropout() | MeanImageLayer():
            return write_layer_2012(writer, layer, x)
        case nn.AvgPool2d():
            kernel, stride = list(_pair(layer.kernel_size)), list(_pair(layer.stride))
            ceil = {"ceil_mode": 1} if layer.ceil_mode else {}
            return writer.add("AveragePool", [x], None, kernel_shape=kernel, strides=stride, **ceil)
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
    inner = writer.add("Relu", [write_convolution(writer, layer.depthwise, layer.depthwise_norm, x)])
    result = writer.add("Relu", [write_convolution(writer, layer.pointwise, layer.pointwise_norm, inner)])
    return writer.add("Add", [x, result]) if layer.adds_input else result


def _write_residual(writer: GraphWriter, layer: ResidualLayer, x: str) -> str:
    inner = writer.add("Relu", [write_convolution(writer, layer.conv1, layer.norm1, x)])
    inner = write_convolution(writer, layer.conv2, layer.norm2, inner)
    if layer.shortcut is not None:
        x = write_convolution(writer, layer.shortcut, layer.shortcut_norm, x)
    return writer.add("Relu", [writer.add("Add", [x, inner])])


def _write_bottleneck(writer: GraphWriter, layer: BottleneckLayer, x: str) -> str:
    inner = writer.add("Relu", [write_convolution(writer, layer.down, layer.down_norm, x)])
    inner = writer.add("Relu", [write_convolution(writer, layer.conv, layer.norm, inner)])
    result = write_convolution(writer, layer.up, layer.up_norm, inner)
    return writer.add("Relu", [writer.add("Add", [x, result]) if layer.adds_input else result])


def _write_dense(writer: GraphWriter, layer: DenseLayer, x: str, output: str | None) -> str:
    weight, bias = as_double(layer.linear.weight), as_double(layer.linear.bias)
    inputs = [x, writer.constant(weight.astype(np.float32)), writer.constant(bias.astype(np.float32))]
    return writer.add("Gemm", inputs, output, transB=1)


def _write_max_pool(writer: GraphWriter, pool: nn.MaxPool2d, x: str) -> str:
    kernel, stride, padding = _pair(pool.kernel_size), _pair(pool.stride), _pair(pool.padding)
    attributes = dict(unless_default(padding=padding, stride=stride, groups=1))
    if pool.ceil_mode:
        attributes["ceil_mode"] = 1
    return writer.add("MaxPool", [x], None, kernel_shape=list(kernel), **attributes)


def _pair(value: int | tuple[int, ...]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (value[0], value[1])
