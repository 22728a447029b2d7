"""A cut network answers as the whole one does with the channels that left at zero: in float64, on real images.

Every network of the catalog is cut in `tests/jobs/test_catalog_sweep.py`.
"""

import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from awkward_networks import lively
from econet.compression.channels import settled
from econet.compression.label_run import label_run
from econet.compression.pruning import cut_copy, cut_for, prune_channels
from econet.compression.quantization import activation_ranges, quantize
from econet.compression.tracing import traced
from econet.deployment.onnx_export import export_network
from econet.deployment.predictor import Predictor
from econet.images.preprocess import Preprocess
from econet.models import catalog, cost
from econet.models.architecture import from_data, to_data
from econet.models.cuts import tensors_of
from silenced import relative_difference, silenced

RATIO = 0.4
NETWORKS = [("econet", {"width": 0.5}), ("alexnet_small", {}), ("resnet_small", {"width": 0.5})]


def built(name, switches, side=28):
    """A network of the catalog for gray pictures, its biases and norms as training leaves them."""
    return lively(catalog.build(name, input_shape=(1, side, side), **switches))


def pictures(unseen, side=28, count=6):
    """Real pictures at the network's size, centred."""
    images = (torch.from_numpy(unseen[:count].astype(np.float32)) - 73) / 90
    return torch.nn.functional.interpolate(images, (side, side))


def assert_exact(name, switches, unseen):
    network = built(name, switches)
    images = pictures(unseen)
    pruned = prune_channels(network, images, removed_fraction=RATIO)
    assert relative_difference(silenced(network, pruned.cut.keep), pruned.network, images) <= 1e-12
    assert pruned.macs == (cost.macs(network.architecture), cost.macs(pruned.network.architecture))
    assert 1 - pruned.macs[1] / pruned.macs[0] == pytest.approx(RATIO, abs=0.05)
    assert pruned.parameters[1] < pruned.parameters[0]
    rebuilt = catalog.network(to_data(from_data(to_data(pruned.network.architecture)))).eval()
    rebuilt.load_state_dict(pruned.network.state_dict())
    assert relative_difference(rebuilt, pruned.network, images) == 0
    assert_ships(rebuilt, unseen)


def assert_ships(network, unseen):
    """The files of a cut network, float and 8 bits, read back, answer as it does on real pictures."""
    preprocess = Preprocess(image_size=(28, 28), channels=1, resize_size=(28, 28), offset=73, scale=1 / 90)
    pixels = torch.from_numpy(unseen[:40].copy())
    with torch.no_grad():
        images = (pixels.float() - 73) / 90
        last = [module for module in network.modules() if isinstance(module, torch.nn.Linear)][-1]
        last.bias -= network(images).mean(0)
        expected = network(images).numpy()
    model = export_network(network, preprocess, tuple("abcdefghij"), "cut")
    eight = quantize(model, activation_ranges(model, pixels.numpy()))
    stored = np.ascontiguousarray(pixels.permute(0, 2, 3, 1).numpy())
    with tempfile.TemporaryDirectory() as folder:
        answers = []
        for name, content in (("fp32", model), ("int8", eight)):
            path = Path(folder) / f"{name}.onnx"
            path.write_bytes(content.SerializeToString())
            answers.append(Predictor(path).logits(stored))
    span = np.ptp(expected)
    assert np.abs(answers[0] - expected).max() <= 1e-4 * span
    assert np.abs(answers[1] - expected).mean() <= 0.1 * span


@pytest.mark.parametrize(("name", "switches"), NETWORKS, ids=str)
def test_a_cut_network_of_the_catalog_answers_as_the_silenced_one(name, switches, unseen):
    assert_exact(name, switches, unseen)


@pytest.fixture(scope="module")
def residual():
    """A small residual network, its channels, and the shapes of its tensors."""
    network = built("resnet_small", {"width": 0.25}, side=12)
    channels = settled(label_run(traced(network, torch.zeros(2, 1, 12, 12))))
    return network, channels, {name: tuple(value.shape) for name, value in tensors_of(network).items()}


@settings(max_examples=15, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**6), share=st.floats(0.05, 0.95))
def test_any_widths_at_all_are_exact(residual, unseen, seed, share):
    network, channels, shapes = residual
    rng = np.random.default_rng(seed)
    kept = rng.random(channels.count) > share
    for region in channels.regions:
        kept[rng.choice(region.classes)] = True  # no layer is emptied
    cut = cut_for(channels, shapes, kept)
    images = pictures(unseen, 12, 3)
    assert relative_difference(silenced(network, cut.keep), cut_copy(network, cut), images) <= 1e-12


def test_the_answers_and_the_picture_are_never_cut(residual):
    _, channels, _ = residual
    assert (channels.layers["layers.6.linear"] == -1).all()
    assert ("layers.0.conv.weight", 1) not in channels.links or (channels.links["layers.0.conv.weight", 1] == -1).all()


def test_the_network_itself_is_left_as_it_was(unseen):
    network = built("econet", {"width": 0.25})
    before = {name: value.clone() for name, value in network.state_dict().items()}
    prune_channels(network, pictures(unseen), removed_fraction=0.5)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_nothing_asked_nothing_taken(unseen):
    network = built("econet", {"width": 0.25})
    images = pictures(unseen)
    pruned = prune_channels(network, images, removed_fraction=0.0)
    assert pruned.cut.keep == {}
    assert pruned.macs[0] == pruned.macs[1]
    assert relative_difference(network, pruned.network, images) == 0
