"""Artifacts with every way of padding, joining and flattening, most written without torch's exporter, which is slow."""

import gzip
from pathlib import Path

import numpy as np
import torch
from torch import nn

import econet
from econet.deployment.graph_writer import INPUT, OUTPUT, GraphWriter, write_scaling
from econet.deployment.metadata import Metadata, embed
from econet.deployment.onnx_export import export_network
from econet.deployment.session import open_session, run_session
from econet.deployment.strip import strip
from econet.images.preprocess import Preprocess
from econet.models.alexnet_small import alexnet_small
from econet.models.architecture import Architecture, Conv, Dense, Flatten, GlobalMean, ShuffleUnit
from econet.models.classics.resnet_small import resnet_small
from econet.models.econet import econet as econet_architecture
from econet.models.network import Network

GRAY = Preprocess(image_size=(28, 28), channels=1, resize_size=(28, 28), offset=73, scale=1 / 90)
CLASSES = tuple("abcdefghij")


def pictures(name, count):
    """Real Fashion-MNIST pictures, uint8 [count, 1, 28, 28]."""
    path = Path(econet.__file__).parent / "data" / "fashion_mnist" / f"{name}-images-idx3-ubyte.gz"
    with gzip.open(path) as stream:
        return np.frombuffer(stream.read(16 + count * 784), np.uint8, offset=16).reshape(count, 1, 28, 28)


def onnx_logits(model, images):
    """Logits of an artifact in ONNX Runtime."""
    return run_session(open_session(model.SerializeToString()), ["logits"], images)[0]


class Drawn:
    """An artifact drawn node by node, its weights from He et al. 2015."""

    def __init__(self):
        self.writer, self.random = GraphWriter(), np.random.default_rng(0)
        self.pixels = write_scaling(self.writer, GRAY, INPUT)

    def weights(self, *shape):
        spread = np.sqrt(2 / np.prod(shape[1:]))
        return self.writer.constant(self.random.normal(0, spread, shape).astype(np.float32))

    def conv(self, x, shape, *, bias=0.0, **attributes):
        """A convolution with weights of `shape` [out, in / groups, kh, kw] and biases around `bias`."""
        biases = self.writer.constant(self.random.normal(bias, 0.1, shape[0]).astype(np.float32))
        return self.writer.add("Conv", [x, self.weights(*shape), biases], None, **attributes)

    def dense(self, x, inputs, output=OUTPUT):
        biases = self.writer.constant(self.random.normal(0, 0.1, 10).astype(np.float32))
        return self.writer.add("Gemm", [x, self.weights(10, inputs), biases], output, transB=1)

    def add(self, kind, *inputs, output=None, **attributes):
        return self.writer.add(kind, inputs, output, **attributes)

    def artifact(self):
        model = strip(self.writer.model((1, 28, 28), 10))
        embed(model, Metadata(name="drawn", classes=CLASSES, preprocess=GRAY, precision="fp32"))
        return model


def joined():
    """Strided stem, grouped convolution, two branches joined, a padded pooling, a dilated layer, a flattened map."""
    net = Drawn()
    around = {"pads": [1, 1, 1, 1]}
    x = net.add("Relu", net.conv(net.pixels, (16, 1, 3, 3), strides=[2, 2], **around))
    six = [net.writer.constant(np.float32(0)), net.writer.constant(np.float32(6))]
    x = net.add("Clip", net.conv(x, (32, 4, 3, 3), group=4, **around), *six)
    narrow = net.add("Relu", net.conv(x, (16, 32, 1, 1)))
    x = net.add("Concat", narrow, net.conv(x, (16, 32, 3, 3), **around), axis=1)
    x = net.add("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], **around)
    x = net.add("Relu", net.conv(x, (24, 32, 3, 3), dilations=[2, 2], pads=[2, 2, 2, 2]))
    net.dense(net.add("Flatten", x), 24 * 49)
    return net.artifact()


def mean_last():
    """Ends with a flattened mean, has a tanh that stays in float, and pools by local means."""
    net = Drawn()
    x = net.add("Tanh", net.conv(net.pixels, (12, 1, 3, 3)))
    x = net.add("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2])
    x = net.conv(x, (10, 12, 3, 3), strides=[2, 2], pads=[1, 1, 1, 1])
    net.add("Flatten", net.add("GlobalAveragePool", x), output=OUTPUT)
    return net.artifact()


def gated():
    """Channels weighed by a squeeze-and-excitation gate."""
    net = Drawn()
    x = net.add("Relu", net.conv(net.pixels, (16, 1, 3, 3), strides=[2, 2], pads=[1, 1, 1, 1]))
    gate = net.add("Relu", net.conv(net.add("GlobalAveragePool", x), (4, 16, 1, 1)))
    gate = net.add("Sigmoid", net.conv(gate, (16, 4, 1, 1)))
    x = net.add("Flatten", net.add("GlobalAveragePool", net.add("Mul", x, gate)))
    net.dense(x, 16)
    return net.artifact()


def shuffled():
    """Units of ShuffleNet V2: halves are cut out, joined and dealt out in turn."""
    units = (ShuffleUnit(channels=32, inner=16, stride=2), ShuffleUnit(channels=32, inner=24))
    layers = (Conv(channels=16, stride=2), *units, GlobalMean(), Dense(channels=10, relu=False))
    return of_network(Architecture(name="shuffled", input=(1, 28, 28), classes=10, layers=layers))


def reordered():
    """A part of a map, cut out down, across and in its channels, and these in an order that no shuffle makes."""
    net = Drawn()
    x = net.add("Relu", net.conv(net.pixels, (16, 1, 3, 3), strides=[2, 2], pads=[1, 1, 1, 1]))
    numbers = ([2, -9, 4], [14, -1, 100], [2, 3, 1])
    x = net.add("Slice", x, *(net.writer.constant(np.array(each, np.int64)) for each in numbers))
    x = net.add("Gather", x, net.writer.constant(np.array([3, 1, 1, -1, 0, 7, 2, 9, 4])), axis=1)
    net.dense(net.add("Flatten", x), 9 * 12 * 8)
    return net.artifact()


def negative():
    """A padded pooling of maps that are negative everywhere."""
    net = Drawn()
    x = net.conv(net.pixels, (4, 1, 1, 1), bias=-20.0)
    x = net.add("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    net.dense(net.add("Flatten", x), 4 * 14 * 14)
    return net.artifact()


def strided(kernel, stride, padding):
    """One convolution, and a dense layer whose weights tell every place of its maps apart."""
    torch.manual_seed(kernel * 10 + stride)
    layers = (
        Conv(channels=6, kernel=kernel, stride=stride, padding=padding, norm=False),
        Flatten(),
        Dense(channels=10, relu=False),
    )
    return of_network(Architecture(name="strided", input=(1, 28, 28), classes=10, layers=layers))


def of_network(architecture):
    """The fp32 artifact of a network; batch norm far from the identity, logits spread over all classes."""
    torch.manual_seed(0)
    network = Network(architecture)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_var.uniform_(0.5, 2)
            module.running_mean.normal_(0, 0.2)
    network.eval()
    last = [module for module in network.modules() if isinstance(module, nn.Linear)][-1]
    images = torch.from_numpy((pictures("train", 100).astype(np.float32) - GRAY.offset) * np.float32(GRAY.scale))
    with torch.no_grad():
        last.bias -= network(images).mean(0)
    return export_network(network, GRAY, CLASSES, "n")


ARTIFACTS = {
    "econet": lambda: of_network(econet_architecture((1, 28, 28), 10)),
    "alexnet_small": lambda: of_network(alexnet_small((1, 28, 28), 10)),
    "resnet_small": lambda: of_network(resnet_small((1, 28, 28), 10, width=0.5)),
    "joined": joined,
    "mean-last": mean_last,
    "gated": gated,
    "negative": negative,
    "shuffled": shuffled,
    "reordered": reordered,
}
