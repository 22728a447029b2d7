"""Networks made by hand whose answer depends on one known patch of the picture, as modules and as files."""

from pathlib import Path

import numpy as np
import torch
from torch import nn

from econet.deployment.onnx_export import export_network
from econet.images.decode import decode
from econet.images.preprocess import Preprocess, resized
from econet.models.architecture import Architecture, Conv, Dense, GlobalMean
from econet.models.network import Network

PHOTO = sorted((Path(__file__).parent / "fixtures" / "clothing" / "test" / "hat").iterdir())[0]
SIDE = 32
# Rows and columns of the patch that the answer depends on.
PATCH_PLACE = (slice(4, 12), slice(18, 26))


def preprocess(channels: int) -> Preprocess:
    return Preprocess(
        image_size=(SIDE, SIDE),
        channels=channels,
        resize="stretch",
        resize_size=(SIDE, SIDE),
        offset=0,
        scale=1 / 255,
    )


def patch_network(channels: int) -> Network:
    """Answers class 0 as far as it sees red (in gray pictures: white) anywhere, else class 1."""
    layers = (Conv(channels=2, kernel=1, norm=False), GlobalMean(), Dense(channels=2, relu=False))
    network = Network(Architecture(name="by-hand", input=(channels, SIDE, SIDE), classes=2, layers=layers))
    conv, dense = network.layers[0].conv, network.layers[2].linear
    with torch.no_grad():
        # The second map is alike everywhere: it must say nothing about places.
        conv.weight[:] = torch.zeros_like(conv.weight)
        conv.weight[0, :, 0, 0] = torch.tensor([1.0, -0.5, -0.5] if channels == 3 else [1.0])
        conv.bias[:] = torch.tensor([-0.5 if channels == 3 else -0.7, 1.0])
        dense.weight[:] = torch.tensor([[60.0, 0.1], [0.0, 0.1]])
        dense.bias[:] = torch.tensor([0.0, 0.5])
    return network.eval()


def constant_network(channels: int) -> Network:
    network = patch_network(channels)
    nn.init.zeros_(network.layers[0].conv.weight)
    return network


def patched_picture(channels: int) -> np.ndarray:
    """A real photo, dimmed and without colour, with one patch that is red (in gray pictures: white)."""
    gray = resized(decode(PHOTO, 1), preprocess(1)) // 3
    picture = np.repeat(gray, channels, -1)
    picture[PATCH_PLACE] = (255, 10, 10) if channels == 3 else 255
    return picture


def written(network: nn.Module, channels: int, path: Path) -> Path:
    path.write_bytes(export_network(network, preprocess(channels), ("red", "other"), "by-hand").SerializeToString())
    return path


def inside_patch(found: np.ndarray) -> float:
    """The share of the patch's own pixels among as many strongest ones of a map."""
    patch = np.zeros(found.shape, bool)
    patch[PATCH_PLACE] = True
    strongest = np.zeros(found.size, bool)
    strongest[np.argsort(-found, axis=None)[: patch.sum()]] = True
    return (strongest.reshape(found.shape) & patch).sum() / patch.sum()
