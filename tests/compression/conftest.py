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
from econet.models.classics.resnet_small import resnet_small
from econet.models.econet import econet as econet_architecture
from econet.models.network import Network

GRAY = Preprocess(image_size=(28, 28), channels=1, resize_size=(28, 28), offset=73, scale=1 / 90)
CLASSES = tuple("abcdefghij")


def first_labels(name, count):
    path = Path(econet.__file__).parent / "data" / "fashion_mnist" / f"{name}-labels-idx1-ubyte.gz"
    with gzip.open(path) as stream:
        return np.frombuffer(stream.read(8 + count), np.uint8, offset=8).astype(np.int64)


def first_images(name, count):
    path = Path(econet.__file__).parent / "data" / "fashion_mnist" / f"{name}-images-idx3-ubyte.gz"
    with gzip.open(path) as stream:
        content = stream.read(16 + count * 784)
    return np.frombuffer(content, np.uint8, offset=16).reshape(count, 1, 28, 28)


@pytest.fixture(scope="session")
def calibration():
    """100 real training images, uint8 [100, 1, 28, 28]."""
    return first_images("train", 100)


@pytest.fixture(scope="session")
def unseen():
    """200 real test images, uint8 [200, 1, 28, 28]."""
    return first_images("t10k", 200)


@pytest.fixture(scope="session")
def fp32_file():
    """Build the fp32 file of a network by its name; logits are centred so that answers differ."""
    architectures = {
        "econet": lambda: econet_architecture((1, 28, 28), 10),
        "alexnet_small": lambda: alexnet_small((1, 28, 28), 10),
        "alexnet_small-lrn": lambda: alexnet_small((1, 28, 28), 10, lrn=True),
        "resnet_small": lambda: resnet_small((1, 28, 28), 10, width=0.5),
    }

    def build(name):
        torch.manual_seed(0)
        network = name if isinstance(name, nn.Module) else Network(architectures[name]())
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_var.uniform_(0.5, 2)
                module.running_mean.normal_(0, 0.2)
        network.eval()
        last = [module for module in network.modules() if isinstance(module, nn.Linear)][-1]
        images = torch.from_numpy(first_images("train", 100).astype(np.float32))
        with torch.no_grad():
            last.bias -= network((images - GRAY.offset) * GRAY.scale).mean(0)
        return export_network(network, GRAY, CLASSES, "n")

    return build


@pytest.fixture(scope="session")
def gray():
    return GRAY


@pytest.fixture(scope="session")
def some_clothes():
    """600 real training images with their labels, as a tensor, and 400 test images with theirs."""
    train, test = first_images("train", 600), first_images("t10k", 400)
    return train, torch.from_numpy(first_labels("train", 600)), test, first_labels("t10k", 400)
