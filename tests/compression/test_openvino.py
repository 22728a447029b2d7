"""The file of a quantized network gives the same answers in torch, in ONNX Runtime and in OpenVINO."""

import numpy as np
import openvino
import pytest
import torch
from torch import nn

from econet.compression.fake_quant import FakeQuantNetwork
from econet.compression.quantization import activation_ranges
from econet.compression.quantized_graph import graph_of
from econet.deployment.metadata import read_metadata
from econet.deployment.parity import check_quantized_parity
from econet.deployment.session import open_session, run_session

BATCH = 100
# Without the hint a CPU that has bf16 computes in it; more threads only wait for each other.
PLAIN = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1}


class Joined(nn.Module):
    """Grouped convolution, Add and Concat of activations, a pooling."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(1, 16, 3, 2, 1)
        self.grouped = nn.Conv2d(16, 16, 3, 1, 1, groups=4)
        self.beside = nn.Conv2d(16, 8, 1)
        self.after = nn.Conv2d(24, 24, 3, 1, 1)
        self.last = nn.Linear(24, 10)

    def forward(self, x):
        x = nn.functional.max_pool2d(torch.relu(self.stem(x)), 2)
        x = torch.relu(x + self.grouped(x))
        x = torch.cat([x, torch.relu(self.beside(x))], 1)
        return self.last(torch.relu(self.after(x)).mean((2, 3)))


def learned(model, metadata, calibration, gray, labels, steps, rate):
    """The network of `model` after some steps with fake quantization, in evaluation mode."""
    ranges = activation_ranges(model, calibration)
    graph, constants = graph_of(model, gray, ranges)
    network = FakeQuantNetwork(graph)
    network.take(constants, ranges, observe=steps // 4)
    optimizer = torch.optim.Adam(network.parameters(), lr=rate)
    images = torch.from_numpy((calibration.astype(np.float32) - gray.offset) * np.float32(gray.scale))
    torch.manual_seed(0)
    for _ in range(steps):
        batch = torch.randint(len(images), (32,))
        nn.functional.cross_entropy(network(images[batch]), labels[batch]).backward()
        optimizer.step()
        optimizer.zero_grad()
    return network.eval()


@pytest.mark.parametrize(
    ("name", "steps", "rate"), [("econet", 30, 2e-3), ("alexnet_small", 30, 2e-3), ("joined", 120, 1e-2)]
)
def test_torch_onnx_runtime_and_openvino_give_the_same_answers(
    name, steps, rate, fp32_file, gray, some_clothes, tmp_path
):
    images, labels, unseen, truth = some_clothes
    torch.manual_seed(0)
    model = fp32_file(Joined() if name == "joined" else name)
    metadata = read_metadata(model, tmp_path)
    network = learned(model, metadata, images, gray, labels, steps, rate)
    content = network.file(metadata).SerializeToString()
    with torch.no_grad():
        pixels = torch.from_numpy((unseen.astype(np.float32) - gray.offset) * np.float32(gray.scale))
        expected = torch.cat([network(part) for part in pixels.split(BATCH)]).numpy()
    assert (expected.argmax(1) == truth).mean() > 0.2  # chance is a tenth: it learned something
    answers = {
        "ONNX Runtime": run_session(open_session(content), ["logits"], unseen)[0],
        "OpenVINO": openvino_logits(content, unseen),
    }
    for engine, found in answers.items():
        parity = check_quantized_parity(expected, found)
        assert parity.passed, (engine, parity)
        assert parity.top1_agreement == 1
        assert parity.equal_steps > 0.97, (engine, parity)


def openvino_logits(content, images):
    core = openvino.Core()
    model = core.read_model(content)
    model.reshape({0: [BATCH, *images.shape[1:]]})
    compiled = core.compile_model(model, "CPU", PLAIN)
    return np.concatenate([compiled([part])[0] for part in np.split(images, len(images) // BATCH)])
