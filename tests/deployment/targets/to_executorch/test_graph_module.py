"""The artifact as a torch module gives the artifact's logits; what it cannot say is refused."""

import numpy as np
import pytest
import torch

from econet.deployment.targets.executorch.graph_module import GraphModule, Untranslatable
from target_networks import ARTIFACTS, GRAY, onnx_logits


@pytest.mark.parametrize("name", ARTIFACTS)
def test_torch_gives_the_logits_of_the_fp32_artifact(name, artifacts, unseen):
    model = artifacts(name)[0]
    scaled = (unseen[:20].astype(np.float32) - GRAY.offset) * np.float32(GRAY.scale)
    with torch.no_grad():
        found = GraphModule(model)(torch.from_numpy(scaled)).numpy()
    expected = onnx_logits(model, unseen[:20])
    assert np.abs(found - expected).max() < 1e-5 * np.ptp(expected)


def test_codes_of_different_grids_are_not_joined(artifacts):
    with pytest.raises(Untranslatable, match="different grids"):
        GraphModule(artifacts("joined")[1])


def test_an_unknown_operator_is_named(artifacts):
    model = type(artifacts("gated")[0])()
    model.CopyFrom(artifacts("gated")[0])
    model.graph.node[-1].op_type = "Einsum"
    with pytest.raises(Untranslatable, match="Einsum"):
        GraphModule(model)
