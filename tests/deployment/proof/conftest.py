"""Two small networks as fp32 and int8 files with their proofs: one of gray pictures, one of cropped colour photos."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from econet.compression.quantization import activation_ranges, quantize
from econet.deployment.artifact_file import open_artifact
from econet.deployment.onnx_export import export_network
from econet.deployment.proof.pipeline import Pipeline
from econet.deployment.proof.proof_file import Proof, proof_path, read_proof
from econet.images.decode import decode
from econet.images.preprocess import Preprocess, cropped, resized
from econet.jobs.prove import pipeline_of, prove_beside
from econet.models.architecture import Architecture, Conv, Dense, GlobalMean, Separable
from econet.models.network import Network

PHOTOS = sorted((Path(__file__).parents[2] / "fixtures" / "clothing").glob("*/*/*.jpg"))[:24]
CLASSES = ("coat", "dress", "hat", "boot", "bag")
GRAY = Preprocess(image_size=(28, 28), channels=1, resize_size=(28, 28), offset=73, scale=1 / 90)
COLOUR = Preprocess(
    image_size=(24, 24), channels=3, resize="stretch", resize_size=(32, 32), crop="centre", offset=120, scale=1 / 64
)


@dataclass(frozen=True)
class Proven:
    """A file in a folder of its own with its proof, and the right way to run it."""

    path: Path
    proof: Proof
    base: Pipeline


def network(preprocess: Preprocess) -> Network:
    """A network of random weights whose batch norm is far from the identity and whose classes differ."""
    torch.manual_seed(3)
    layers = (
        Conv(channels=16),
        Separable(channels=24, stride=2),
        Conv(channels=24),
        GlobalMean(),
        Dense(channels=len(CLASSES), relu=False),
    )
    size = (preprocess.channels, *preprocess.image_size)
    found = Network(Architecture(name="small", input=size, classes=len(CLASSES), layers=layers))
    for module in found.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.3, 2)
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, 0, 1.0)
            nn.init.normal_(module.bias, 0, 1.0)
    return found.eval()


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """The four files with their proofs, by kind and precision."""
    home, found = tmp_path_factory.mktemp("proven"), {}
    for kind, preprocess in (("gray", GRAY), ("colour", COLOUR)):
        model = export_network(network(preprocess), preprocess, CLASSES, "small")
        stored = np.stack([resized(decode(path, preprocess.channels), _stretching(preprocess)) for path in PHOTOS])
        pixels = np.ascontiguousarray(cropped(stored, preprocess).transpose(0, 3, 1, 2))
        both = {"fp32": model, "int8": quantize(model, activation_ranges(model, pixels))}
        for precision, each in both.items():
            path = home / kind / ("model.onnx" if precision == "fp32" else "model.int8.onnx")
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(each.SerializeToString())
            prove_beside(path)
            found[kind, precision] = path
    return found


def _stretching(preprocess):
    height, width = preprocess.resize_size
    return Preprocess(
        image_size=(height, width),
        channels=preprocess.channels,
        resize="stretch",
        resize_size=(height, width),
        offset=0,
        scale=1.0,
    )


@pytest.fixture
def proven(made, tmp_path):
    """Copies of one of the files and its proof."""

    def take(kind: str = "colour", precision: str = "fp32") -> Proven:
        source = made[kind, precision]
        path = Path(shutil.copy(source, tmp_path / source.name))
        shutil.copy(proof_path(source), proof_path(path))
        proof = read_proof(proof_path(path))
        return Proven(path, proof, pipeline_of(open_artifact(path), proof))

    return take
