"""Every network of the catalog, from a run to the 8-bit file of its cut self and back, on real pictures.

The quick suite takes the two networks that `compare` trains; `make test-slow` takes them all, each by its name.
"""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from msgspec.structs import replace

from awkward_networks import lively
from econet.compression.lrn_removal import without_lrn
from econet.data.dataset import Dataset
from econet.data.load import load_data
from econet.deployment.parity import check_quantized_parity
from econet.deployment.predictor import Predictor
from econet.errors import UserError
from econet.jobs import export as export_room
from econet.jobs.export import export_run, torch_logits
from econet.jobs.networks import quantized_network
from econet.jobs.options import PruneOptions, QuantizeOptions, TrainOptions
from econet.jobs.prune import prune
from econet.jobs.quantize import quantize
from econet.jobs.run_data import seen_by
from econet.jobs.train import train
from econet.models import catalog, cost
from econet.models.architecture import from_data
from econet.runs.folder import Run
from econet.training.progress import Silent
from econet.training.untrained import finish_untrained
from econet.training.weights import trained_network
from idx_files import first_of, write_idx
from plain_layers import spread_out
from silenced import relative_difference, silenced

RATIO = 0.4
SAME = {"batch_size": 24, "deterministic": True, "threads": 1}
# (name, switches, side of the pictures): all of the catalog, and the switches that change what belongs together.
QUICK = [("econet", {"width": 0.5}, 32), ("alexnet_small", {}, 32)]
LONG = [
    ("econet", {}, 32),
    ("econet:fine", {}, 32),
    ("alexnet_small", {"lrn": True}, 32),
    ("alexnet:paper", {"width": 0.25}, 64),
    ("alexnet:paper", {"lrn": False, "width": 0.25}, 64),
    ("alexnet:original_code", {"width": 0.25}, 64),
    ("alexnet:original_code", {"lrn": False, "width": 0.25}, 64),
    ("alexnet:mini", {}, 32),
    ("alexnet:mini", {"lrn": False}, 32),
    ("alexnet:mini", {"lrn": False, "columns": 1}, 32),
    ("alexnet:mini", {"lrn": False, "communicate": False}, 32),
    ("alexnet:mini", {"lrn": False, "batch_norm": True, "dense_layers": False}, 32),
    ("alexnet:mini", {"lrn": False, "activation": "tanh", "conv6": True}, 32),
    ("alexnet_towers:paper", {"lrn": False, "width": 0.25}, 64),
    ("alexnet_towers:original_code", {"lrn": False, "width": 0.25}, 64),
    ("alexnet_towers:mini", {}, 32),
    ("alexnet_towers:mini", {"lrn": False}, 32),
    ("cuda_convnet:26pct", {}, 32),
    ("cuda_convnet:19pct", {}, 32),
    ("cuda_convnet:18pct", {}, 32),
    ("cuda_convnet:13pct", {}, 24),
    ("cuda_convnet:11pct", {}, 24),
    ("cuda_convnet:11pct", {"lrn": False}, 24),
    ("efficientnet_lite0", {}, 32),
    ("lenet5", {}, 32),
    ("mobilenet_v2", {"width": 0.25}, 32),
    ("mobilenet_v2:x0.5", {}, 32),
    ("resnet8", {}, 32),
    ("resnet20", {}, 32),
    ("resnet_small", {}, 32),
    ("shufflenet_v2:x0.5", {}, 32),
    ("squeezenet", {}, 32),
    ("vgg_small", {}, 32),
]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """72 training, 48 validation and 40 test pictures: of CIFAR-10 where `$ECONET_DATA` has it, else Fashion-MNIST."""
    folder = tmp_path_factory.mktemp("pictures")
    makers = Path(os.environ.get("ECONET_DATA", "")) / "cifar-10-batches-bin"
    source = "cifar10" if makers.is_dir() else "fashion-mnist"
    if source == "cifar10":
        for path in sorted(makers.glob("*.bin")):
            with path.open("rb") as stream:
                (folder / path.name).write_bytes(stream.read(3073 * (40 if path.stem == "test_batch" else 24)))
        (folder / "batches.meta.txt").write_bytes((makers / "batches.meta.txt").read_bytes())
    else:
        for split, count in (("train", 120), ("t10k", 40)):
            for kind in ("images-idx3", "labels-idx1"):
                name = f"{split}-{kind}-ubyte.gz"
                write_idx(folder / name, first_of(name, count))
    return lambda side: load_data(source, data_dir=folder, image_size=side, validation=0.4)


def a_run(folder: Path, data: Dataset, name: str, switches: dict) -> Run:
    """A run of one epoch whose weights, norms and biases are then as spread as long training leaves them."""
    run = train(folder, data, TrainOptions(model=name, switches=switches, epochs=1, **SAME), Silent())
    seen = seen_by(data, run.config.architecture)
    network = trained_network(run)
    # Weights that begin as small as in 2012 would leave answers that are all noise of rounding.
    network = spread_out(network) if seen is not data else lively(network)
    last = [module for module in network.modules() if isinstance(module, torch.nn.Linear)][-1]
    with torch.no_grad():
        last.bias -= torch.from_numpy(torch_logits(network, seen.train.pixels, seen.preprocess)).mean(0)
    finish_untrained(run, network, seen)
    return run


def cut(parent: Run, folder: Path, data: Dataset, *, drop_lrn: bool) -> Run:
    options = PruneOptions(ratio=RATIO, drop_lrn=drop_lrn, tuning=TrainOptions(epochs=0, **SAME))
    return prune(parent, folder, data, options, Silent())


def assert_exact(parent: Run, run: Run, data: Dataset) -> None:
    """The saved cut network, read back, answers in float64 as its parent with the channels that left at zero."""
    record, whole, narrow = run.pruning, trained_network(parent), trained_network(run)
    if record.lrn_factors is not None:
        whole = without_lrn(whole, record.lrn_factors)
    pixels = np.ascontiguousarray(data.test.pixels[:6].transpose(0, 3, 1, 2))
    images = (torch.from_numpy(pixels).float() - data.preprocess.offset) * data.preprocess.scale
    assert relative_difference(silenced(whole, record.keep), narrow, images) <= 1e-12
    assert record.after.macs == cost.macs(from_data(run.config.architecture))
    assert record.removed.macs == pytest.approx(RATIO, abs=0.05)
    assert record.after.parameters == sum(each.numel() for each in narrow.parameters()) < record.before.parameters


def assert_same_answers(network: np.ndarray, file: np.ndarray, plain: np.ndarray) -> None:
    """The file differs from the fake-quant network far less than both differ from the `plain` one in float.

    Where a value lies on the very edge between two codes, which way it falls is rounding's, and networks that have
    learned nothing show it in their logits; a file that computed something else would differ as much as 8 bits do.
    """
    apart, noise = (float(np.sqrt(np.square(each - network).mean())) for each in (file, plain))
    assert apart < 0.5 * noise
    assert np.median(np.abs(file - network)) < 0.1 * noise


def assert_whole_way(name: str, switches: dict, data: Dataset, folder: Path) -> None:
    parent = a_run(folder / "whole", data, name, switches)
    normalises = any(layer["kind"] == "lrn" for layer in parent.config.architecture["layers"])
    if normalises:
        with pytest.raises(UserError, match=r"(?s)local response normalisation.*--drop-lrn"):
            cut(parent, folder / "refused", data, drop_lrn=False)
        assert not (folder / "refused" / "config.json").exists()
    run = cut(parent, folder / "cut", data, drop_lrn=normalises)
    seen = seen_by(data, run.config.architecture)
    assert_exact(parent, run, seen)

    pixels = data.test.pixels
    export_run(run, data, int8=False, parity_drop=1.0, progress=Silent())
    expected = torch_logits(trained_network(run), pixels, seen.preprocess)
    plain = Predictor(run.artifact("fp32")).logits(pixels)
    assert np.abs(expected - plain).max() <= 1e-4 * np.ptp(expected)

    options = QuantizeOptions(epochs=1, lr=1e-6, taught=False, **SAME)
    eight = quantize(folder / "int8", run, data, options, Silent())
    export_run(eight, data, int8=True, parity_drop=1.0, progress=Silent())
    network = torch_logits(quantized_network(eight), pixels, seen.preprocess)
    assert_same_answers(network, Predictor(eight.artifact("int8")).logits(pixels), plain)


@pytest.fixture(autouse=True)
def parity_of_networks_that_learned_nothing(monkeypatch):
    """The export's own check counts steps of the logits' range, which is next to nothing here."""

    def lenient(expected, answered, *, files=0):
        return replace(check_quantized_parity(expected, answered, files=files), passed=True)

    monkeypatch.setattr(export_room, "check_quantized_parity", lenient)


@pytest.mark.parametrize(
    ("name", "switches", "side"), [*QUICK, *(pytest.param(*each, marks=pytest.mark.slow) for each in LONG)], ids=str
)
def test_a_network_is_pruned_quantized_exported_and_read_back(name, switches, side, pictures, tmp_path):
    assert_whole_way(name, switches, pictures(side), tmp_path)


def test_the_list_of_networks_is_the_catalog():
    """Whoever adds a network adds it here."""
    assert {name for name, _, _ in (*QUICK, *LONG)} == set(catalog.CATALOG)
