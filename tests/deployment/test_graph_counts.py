import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from econet.compression.quantization import activation_ranges, quantize
from econet.deployment import graph
from econet.deployment.onnx_export import export_network
from econet.models import cost
from econet.models.network import Network


def both_files(network, gray, classes, clothes):
    exported = export_network(network, gray, classes, "n")
    ranges = activation_ranges(exported, clothes[:8].transpose(0, 3, 1, 2))
    return {"fp32": exported, "int8": quantize(exported, ranges)}


def test_macs_and_parameters_of_both_files_equal_what_torch_counts(network, gray, classes, clothes):
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, 1, 28, 28))
    convolutions = [each for each in network.modules() if isinstance(each, nn.Conv2d | nn.Linear)]
    expected = sum(each.weight.numel() + each.weight.shape[0] for each in convolutions)
    for model in both_files(network, gray, classes, clothes).values():
        assert 2 * graph.macs(model) == counter.get_total_flops()
        assert graph.macs(model) == cost.macs(network.architecture)
        assert graph.parameters(model) == expected == cost.parameters(network.architecture)


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_layers_are_summarised_in_order(precision, slim, gray, classes, clothes, tmp_path):
    path = tmp_path / "n.onnx"
    model = both_files(slim, gray, classes, clothes)[precision]
    path.write_bytes(model.SerializeToString())
    found = graph.layers(path)
    kinds = ["conv", *["depthwise", "pointwise"] * 3, "mean", "dense"]
    assert [layer.kind for layer in found] == kinds
    first, second, last = found[0], found[1], found[-1]
    assert (first.name, first.channels, first.height, first.width) == ("conv 1", 8, 28, 28)
    assert (first.parameters, first.macs) == (8 * 9 + 8, 8 * 9 * 784)
    assert (second.channels, second.height, second.parameters, second.macs) == (8, 14, 8 * 10, 8 * 9 * 196)
    assert (last.channels, last.height, last.parameters, last.macs) == (10, 1, 16 * 10 + 10, 160)
    assert sum(layer.macs for layer in found) == graph.macs(model)
    assert sum(layer.parameters for layer in found) == graph.parameters(model)


def test_pooling_inside_a_normalisation_is_no_layer(gray, classes, tmp_path, clothes):
    from econet.models.alexnet_small import alexnet_small

    torch.manual_seed(0)
    path = tmp_path / "n.onnx"
    network = Network(alexnet_small((1, 28, 28), 10, lrn=True)).eval()
    path.write_bytes(export_network(network, gray, classes, "n").SerializeToString())
    pools = [layer for layer in graph.layers(path) if layer.kind == "pool"]
    assert [(pool.channels, pool.height) for pool in pools] == [(32, 13), (64, 6), (64, 3)]


def test_the_scaling_is_read_from_the_graph_itself(slim, gray, classes, clothes):
    for model in both_files(slim, gray, classes, clothes).values():
        assert graph.baked_scaling(model) == pytest.approx((73, 1 / 90), rel=1e-6)
