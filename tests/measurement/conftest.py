import pytest
import torch

from econet.deployment.onnx_export import export_network
from econet.images.preprocess import Preprocess
from econet.models.econet import econet
from econet.models.network import Network


@pytest.fixture(scope="session")
def artifacts(tmp_path_factory):
    """A narrow and a wide fp32 artifact, from random weights."""
    folder = tmp_path_factory.mktemp("artifacts")
    gray = Preprocess(image_size=(28, 28), channels=1, resize_size=(28, 28), offset=73, scale=1 / 90)
    paths = []
    for width in (0.25, 1.0):
        torch.manual_seed(0)
        network = Network(econet((1, 28, 28), 10, width=width)).eval()
        path = folder / f"width-{width}.onnx"
        path.write_bytes(export_network(network, gray, tuple("abcdefghij"), "n").SerializeToString())
        paths.append(path)
    return paths
