"""The .pte file answers as the artifact it was made from. `make executorch` runs this in an environment of its own."""

import numpy as np
import pytest

from econet.deployment.artifact_file import open_artifact
from econet.deployment.graph import macs, parameters
from econet.deployment.predictor import Predictor
from econet.deployment.sidecar import write_sidecar
from econet.deployment.targets.executorch.artifact import make_executorch
from econet.deployment.targets.target import TargetFiles
from econet.errors import UserError
from target_networks import onnx_logits

pytest.importorskip("executorch.exir")


def written(made: TargetFiles, folder):
    path = folder / "model.pte"
    path.write_bytes(made.contents[".pte"])
    write_sidecar(path, made.sidecar)
    return path


@pytest.mark.parametrize(("name", "int8"), [("econet", False), ("econet", True), ("joined", False)])
def test_a_pte_file_gives_the_artifacts_logits(name, int8, artifacts, unseen, tmp_path):
    fp32, small, bounds = artifacts(name)
    model = small if int8 else fp32
    path = written(make_executorch(model, bounds, "model"), tmp_path)
    expected = onnx_logits(model, unseen[:40])
    found = Predictor(path).logits(unseen[:40].transpose(0, 2, 3, 1))
    step = 1.2 * (bounds[1] - bounds[0]) / 255
    if int8:
        inside = np.clip(expected, bounds[0] - 10 * step, bounds[1] + 10 * step)
        assert np.abs(found - inside).mean() < step
        assert len(path.read_bytes()) < 0.5 * len(fp32.SerializeToString())
    else:
        assert np.abs(found - expected).max() < 1e-5 * np.ptp(expected)
    file = open_artifact(path)
    assert (file.macs(), file.parameters()) == (macs(model), parameters(model))


def test_a_layer_without_a_word_for_it_is_refused_by_name(artifacts):
    model = type(artifacts("econet")[0])()
    model.CopyFrom(artifacts("econet")[0])
    model.graph.node[-1].op_type = "Einsum"
    with pytest.raises(UserError, match="cannot become an ExecuTorch file") as refused:
        make_executorch(model, (0, 1), "model")
    assert "Einsum" in refused.value.why


def test_a_file_without_its_sign_is_refused(tmp_path):
    path = tmp_path / "model.pte"
    path.write_bytes(bytes(100))
    with pytest.raises(UserError, match="not an ExecuTorch program"):
        open_artifact(path)
