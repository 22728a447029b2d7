"""The intermediate representation and the ONNX file itself give ONNX Runtime's answers in OpenVINO."""

import sys

import numpy as np
import pytest

from econet.deployment.artifact_file import open_artifact
from econet.deployment.sidecar import sidecar_path, write_sidecar
from econet.deployment.targets.openvino import make_openvino
from econet.errors import UserError
from target_networks import onnx_logits


@pytest.fixture
def representation(artifacts, tmp_path):
    """The fp32 files of `resnet_small` in a folder of their own."""
    made = make_openvino(artifacts("resnet_small")[0], (0, 1), "model")
    for ending, content in made.contents.items():
        (tmp_path / f"model{ending}").write_bytes(content)
    write_sidecar(tmp_path / "model.xml", made.sidecar)
    return tmp_path / "model.xml"


@pytest.mark.parametrize("batch", [None, 8])
def test_float_logits_are_the_artifacts_at_any_batch(representation, artifacts, unseen, batch):
    model = artifacts("resnet_small")[0]
    images = unseen[:8].transpose(0, 2, 3, 1)
    engine = open_artifact(representation).engine(batch=batch)
    expected = onnx_logits(model, unseen[:8])
    assert np.abs(engine.logits(images) - expected).max() < 1e-5 * np.ptp(expected)
    engine.call(images)()
    # Weights stay float32: half-precision ones would be half as large.
    assert representation.with_suffix(".bin").stat().st_size > 3.9 * open_artifact(representation).parameters()


def test_the_onnx_file_itself_runs_there(artifacts, unseen, tmp_path):
    model = artifacts("resnet_small")[0]
    path = tmp_path / "model.onnx"
    path.write_bytes(model.SerializeToString())
    engine = open_artifact(path, "openvino").engine(batch=8)
    assert engine.name == "openvino"
    expected = onnx_logits(model, unseen[:8])
    assert np.abs(engine.logits(unseen[:8].transpose(0, 2, 3, 1)) - expected).max() < 1e-5 * np.ptp(expected)


def test_a_representation_without_its_parts_is_refused_and_named(representation):
    weights = representation.with_suffix(".bin").read_bytes()
    representation.with_suffix(".bin").unlink()
    with pytest.raises(UserError, match=r"model\.bin"):
        open_artifact(representation)
    representation.with_suffix(".bin").write_bytes(weights)
    sidecar_path(representation).unlink()
    with pytest.raises(UserError, match="does not say what its answers mean"):
        open_artifact(representation)


def test_without_openvino_the_file_says_what_to_install(representation, monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(UserError, match="OpenVINO is not installed") as refused:
        open_artifact(representation).engine()
    assert refused.value.remedy == 'pip install "econet[openvino]"'
