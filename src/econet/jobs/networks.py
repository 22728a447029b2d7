"""The network of any run: a trained one, or one with fake quantization. The rooms below know only the first kind."""

from typing import Any

import onnx
from torch import nn

from econet.compression import quantized_graph
from econet.compression.fake_quant import FakeQuantNetwork
from econet.compression.graph_check import checked_network
from econet.deployment.onnx_export import export_network
from econet.errors import read_from
from econet.models import catalog
from econet.runs.folder import Run
from econet.training.weights import load_into, trained_network


def is_quantized(run: Run) -> bool:
    """Whether the run is a quantization-aware training."""
    return catalog.is_quantized(run.config.architecture)


def network_of(run: Run, module: nn.Module | None = None) -> nn.Module:
    """The finished network of a run, in evaluation mode; `module` is the user's own where the run has no record.

    Raises UserError where the run is not finished or its weights do not fit its architecture.
    """
    return quantized_network(run) if is_quantized(run) else trained_network(run, module)


def quantized_network(run: Run) -> FakeQuantNetwork:
    """The finished network of a quantized run, in evaluation mode, from its record and its weights alone."""
    finished = run.finished
    network = untrained_quantized(run)
    load_into(network, run.weights_path, finished.weights_sha256)
    return network.eval()


def untrained_quantized(run: Run) -> FakeQuantNetwork:
    """The network that a quantized run records, without values. Raises UserError where the record is wrong."""
    architecture = run.config.architecture
    with read_from(run.config_path):
        return checked_network(quantized_graph.from_data(architecture.get("graph")))


def quantized_architecture(parent: dict[str, Any], graph: quantized_graph.QuantizedGraph) -> dict[str, Any]:
    """What `config.json` of a quantized run holds: the parent's architecture, and the graph that was made of it."""
    return {"quantized": parent, "graph": quantized_graph.to_data(graph)}


def float_file(run: Run, module: nn.Module | None = None) -> onnx.ModelProto:
    """The fp32 artifact of a finished run that is not quantized, in memory."""
    config = run.config
    return export_network(trained_network(run, module), config.data.preprocess, config.data.classes, config.model)
