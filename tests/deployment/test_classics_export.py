"""The rivals as files: the same answers in float32, integer kernels throughout in int8, counted alike."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from onnxruntime import quantization as library

from econet.compression.quantization import activation_ranges, float_islands, quantize
from econet.deployment import graph
from econet.deployment.onnx_export import export_network
from econet.deployment.session import open_session, run_session
from econet.models import catalog, cost

RIVALS = {
    "lenet5": {"activation": "relu"},
    "vgg_small": {"width": 0.125},
    "resnet8": {},
    "resnet20": {},
    "squeezenet": {"width": 0.5},
    "mobilenet_v2": {"width": 0.35},
    "shufflenet_v2:x0.5": {},
    "efficientnet_lite0": {"width": 0.25},
}
WITH_DEPTHWISE = ("mobilenet_v2", "shufflenet_v2:x0.5")


@pytest.fixture(scope="module")
def rival(clothes, gray) -> Callable[..., torch.nn.Module]:
    """A network whose batch norm has seen real pictures."""

    def build(name, **switches):
        torch.manual_seed(0)
        network = catalog.build(name, input_shape=(1, 28, 28), **(RIVALS.get(name, {}) | switches)).train()
        images = torch.from_numpy((clothes.transpose(0, 3, 1, 2).astype(np.float32) - gray.offset) * gray.scale)
        with torch.no_grad():
            for _ in range(15):
                network(images)
        return network.eval()

    return build


def answers(model, images):
    return run_session(open_session(model.SerializeToString()), ["logits"], images.transpose(0, 3, 1, 2))[0]


@pytest.mark.parametrize("name", RIVALS)
def test_both_files_answer_and_are_counted_like_the_network(name, rival, gray, classes, clothes, torch_logits):
    network = rival(name)
    model = export_network(network, gray, classes, name)
    expected, found = torch_logits(network, clothes), answers(model, clothes)
    assert np.abs(found - expected).max() <= 2e-5 * np.ptp(expected)
    small = quantize(model, activation_ranges(model, clothes.transpose(0, 3, 1, 2)))
    assert float_islands(small) == []
    # Untrained logits differ by little: the mean error is told in parts of their range over all pictures.
    assert np.abs(answers(small, clothes) - expected).mean() < 0.06 * np.ptp(expected)
    for each in (model, small):
        assert graph.macs(each) == cost.macs(network.architecture)
        assert graph.parameters(each) == cost.parameters(network.architecture)
    assert not {"Clip", "Relu"} & {node.op_type for node in small.graph.node}


class Reader(library.CalibrationDataReader):
    def __init__(self, images):
        self.images = iter(images.transpose(0, 3, 1, 2))

    def get_next(self):
        image = next(self.images, None)
        return None if image is None else {"image": image[None]}


@pytest.mark.slow
@pytest.mark.parametrize("name", WITH_DEPTHWISE)
def test_int8_is_as_close_to_float_as_the_runtimes_own_quantizer(name, rival, gray, classes, clothes, tmp_path):
    model = export_network(rival(name), gray, classes, name)
    (tmp_path / "fp32.onnx").write_bytes(model.SerializeToString())
    library.quantize_static(
        tmp_path / "fp32.onnx",
        tmp_path / "theirs.onnx",
        Reader(clothes),
        quant_format=library.QuantFormat.QDQ,
        per_channel=True,
        weight_type=library.QuantType.QInt8,
        activation_type=library.QuantType.QUInt8,
    )
    exact = answers(model, clothes)
    theirs = open_session((tmp_path / "theirs.onnx").read_bytes())
    reference = run_session(theirs, ["logits"], clothes.transpose(0, 3, 1, 2))[0]
    ours = answers(quantize(model, activation_ranges(model, clothes.transpose(0, 3, 1, 2))), clothes)
    assert np.abs(ours - exact).mean() <= 1.2 * np.abs(reference - exact).mean()


def test_a_nonlinearity_without_integer_kernel_stays_float_and_is_named(rival, gray, classes, clothes):
    model = export_network(rival("lenet5", activation="tanh"), gray, classes, "lenet5")
    small = quantize(model, activation_ranges(model, clothes.transpose(0, 3, 1, 2)))
    assert "Tanh" in float_islands(small)
    assert not {"Conv", "Gemm"} & set(float_islands(small))
