import msgspec
import numpy as np
import pytest
import torch
from torch import nn

from econet.deployment.metadata import read_metadata
from econet.deployment.onnx_export import export_network, folded
from econet.deployment.predictor import Predictor
from econet.errors import UserError


class Own(nn.Module):
    """A user's network: strides, batch norm, ReLU6, a residual sum, adaptive pooling."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(1, 16, 3, 2, 1, bias=False)
        self.norm = nn.BatchNorm2d(16)
        self.second = nn.Conv2d(16, 16, 3, 1, 1)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.last = nn.Linear(16, 10)

    def forward(self, x):
        x = torch.relu(self.norm(self.first(x)))
        x = x + nn.functional.relu6(self.second(x))
        return self.last(self.pool(x).flatten(1))


def predictor_of(model, folder):
    path = folder / "exported.onnx"
    path.write_bytes(model.SerializeToString())
    return Predictor(path)


def test_the_file_gives_the_logits_of_the_network(network, gray, classes, clothes, torch_logits, tmp_path):
    exported = predictor_of(export_network(network, gray, classes, "n"), tmp_path).logits(clothes)
    expected = torch_logits(network, clothes)
    assert (exported.argmax(1) == expected.argmax(1)).all()
    assert np.abs(exported - expected).max() <= 1e-5 * np.ptp(expected)


def test_the_file_says_name_classes_preprocessing_and_precision(slim_model, gray, tmp_path):
    metadata = read_metadata(slim_model, tmp_path)
    assert (metadata.name, metadata.classes, metadata.precision) == ("slim", tuple("abcdefghij"), "fp32")
    assert metadata.preprocess == gray


def test_the_file_is_lean(network, gray, classes):
    model = export_network(network, gray, classes, "n")
    graph = model.graph
    names = {name for node in graph.node for name in (*node.input, *node.output)} - {"image", "logits"}
    assert max(map(len, names)) <= 2
    assert not graph.value_info
    assert not any(node.name or node.doc_string or node.metadata_props for node in graph.node)
    assert (model.opset_import[0].version, model.ir_version, len(model.metadata_props)) == (17, 8, 1)
    weights = sum(len(tensor.raw_data) for tensor in graph.initializer)
    assert len(model.SerializeToString()) - weights < 5000


def test_batch_norm_is_folded_as_its_formula_says():
    torch.manual_seed(3)
    conv, norm = nn.Conv2d(2, 3, 1, bias=False), nn.BatchNorm2d(3)
    norm.running_mean.copy_(torch.tensor([0.5, -1.0, 2.0]))
    norm.running_var.copy_(torch.tensor([0.25, 1.0, 4.0]))
    norm.weight.data = torch.tensor([2.0, 1.0, -1.0])
    norm.bias.data = torch.tensor([0.1, 0.2, 0.3])
    weight, bias = folded(conv, norm)
    factor = np.array([2.0, 1.0, -1.0]) / np.sqrt(np.array([0.25, 1.0, 4.0]) + 1e-5)
    assert np.allclose(weight, conv.weight.detach().numpy() * factor[:, None, None, None], rtol=1e-6)
    assert bias is not None
    assert np.allclose(bias, np.array([0.1, 0.2, 0.3]) - np.array([0.5, -1.0, 2.0]) * factor, rtol=1e-6)


def test_exporting_leaves_the_network_as_it_was(slim, gray, classes):
    before = {name: value.clone() for name, value in slim.state_dict().items()}
    export_network(slim, gray, classes, "n")
    assert all(torch.equal(value, before[name]) for name, value in slim.state_dict().items())


def test_an_offset_that_is_no_gray_level_is_refused(slim, gray, classes):
    with pytest.raises(UserError, match="offset 300 cannot be exported"):
        export_network(slim, msgspec.structs.replace(gray, offset=300), classes, "n")


def test_a_users_own_network_is_exported_in_the_same_form(gray, classes, clothes, torch_logits, tmp_path):
    own = Own()
    own.norm.running_mean.uniform_(-1, 1)
    own.norm.running_var.uniform_(0.5, 2)
    own.eval()
    model = export_network(own, gray, classes, "own")
    predictor = predictor_of(model, tmp_path)
    expected = torch_logits(own, clothes)
    assert np.abs(predictor.logits(clothes) - expected).max() <= 1e-5 * np.ptp(expected)
    assert [each.op_type for each in model.graph.node][:3] == ["Cast", "Sub", "Mul"]
    assert "GlobalAveragePool" in {each.op_type for each in model.graph.node}
    weights = sum(len(tensor.raw_data) for tensor in model.graph.initializer)
    assert len(model.SerializeToString()) - weights < 2000


def test_a_network_that_gives_other_than_logits_is_refused(gray, classes):
    with pytest.raises(UserError, match=r"gives \(2, 784\) for 2 images"):
        export_network(nn.Flatten(), gray, classes, "own")


def test_a_network_that_torch_cannot_trace_is_refused_by_name(gray, classes):
    class Branching(nn.Module):
        def forward(self, x):
            return x.flatten(1)[:, :10] * (2 if x.sum() > 0 else 3)

    with pytest.raises(UserError, match="Branching cannot be exported"):
        export_network(Branching(), gray, classes, "own")
