import gzip
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import econet
from econet.deployment.onnx_export import export_network
from econet.images.preprocess import Preprocess
from econet.models.alexnet_small import alexnet_small
from econet.models.architecture import Architecture, Conv, Dense, GlobalMean, Separable
from econet.models.classics.resnet_small import resnet_small
from econet.models.econet import econet as econet_architecture
from econet.models.network import Network

CLASSES = tuple("abcdefghij")
GRAY = Preprocess(image_size=(28, 28), channels=1, resize_size=(28, 28), offset=73, scale=1 / 90)

SLIM = Architecture(
    name="slim",
    input=(1, 28, 28),
    classes=10,
    layers=(
        Conv(channels=8),
        Separable(channels=8, stride=2),
        Separable(channels=8),
        Separable(channels=16, stride=2),
        GlobalMean(),
        Dense(channels=10, relu=False),
    ),
)


@pytest.fixture(scope="session")
def clothes():
    """64 real test images of Fashion-MNIST, uint8 [64, 28, 28, 1]."""
    path = Path(econet.__file__).parent / "data" / "fashion_mnist" / "t10k-images-idx3-ubyte.gz"
    with gzip.open(path) as stream:
        content = stream.read(16 + 64 * 784)
    return np.frombuffer(content, np.uint8, offset=16).reshape(64, 28, 28, 1)


def lively(network):
    """Give every batch norm statistics and factors far from the identity, then go to evaluation mode."""
    generator = torch.Generator().manual_seed(1)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.3, generator=generator)
            module.running_var.uniform_(0.3, 2, generator=generator)
            nn.init.uniform_(module.weight, 0.5, 1.5, generator=generator)
            nn.init.normal_(module.bias, 0, 0.2, generator=generator)
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.bias, 0, 0.2, generator=generator)
    return network.eval()


def catalog_network(name):
    torch.manual_seed(0)
    architectures = {
        "econet": lambda: econet_architecture((1, 28, 28), 10),
        "slim": lambda: SLIM,
        "alexnet_small": lambda: alexnet_small((1, 28, 28), 10),
        "alexnet_small-lrn": lambda: alexnet_small((1, 28, 28), 10, lrn=True),
        "resnet_small": lambda: resnet_small((1, 28, 28), 10, width=0.5),
    }
    return lively(Network(architectures[name]()))


CATALOG = ("econet", "slim", "alexnet_small", "alexnet_small-lrn", "resnet_small")


@pytest.fixture(params=CATALOG)
def network(request):
    return catalog_network(request.param)


@pytest.fixture(scope="session")
def slim():
    return catalog_network("slim")


@pytest.fixture(scope="session")
def slim_model(slim):
    return export_network(slim, GRAY, CLASSES, "slim")


@pytest.fixture
def artifact(slim_model, tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(slim_model.SerializeToString())
    return path


@pytest.fixture(scope="session")
def gray():
    return GRAY


@pytest.fixture(scope="session")
def classes():
    return CLASSES


@pytest.fixture(scope="session")
def torch_logits():
    """Logits of a network in torch for stored gray images, the scaling written out by hand."""

    def run(module, pixels, preprocess=GRAY):
        values = (pixels.astype(np.float32) - preprocess.offset) * np.float32(preprocess.scale)
        with torch.no_grad():
            return module(torch.from_numpy(values.transpose(0, 3, 1, 2).copy())).numpy()

    return run
