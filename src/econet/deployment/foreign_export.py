"""A user's own torch module as a graph of the artifact's form, through torch's exporter."""

import copy
import io
import logging
import warnings
from contextlib import redirect_stderr, redirect_stdout

import onnx
import torch
from onnx import numpy_helper
from torch import nn

from econet.deployment.graph_writer import INPUT, OUTPUT, GraphWriter, write_scaling
from econet.errors import UserError
from econet.images.preprocess import Preprocess

# The lowest that torch's exporter writes without converting afterwards.
_EXPORTER_OPSET = 18


def foreign_graph(
    network: nn.Module, preprocess: Preprocess, image: tuple[int, int, int], classes: int
) -> onnx.ModelProto:
    """`network` in evaluation mode behind the scaling of `preprocess`: uint8 [N, C, H, W] to logits [N, classes].

    `image` is (C, H, W). Raises UserError where torch cannot trace the network or its output has another shape.
    """
    traced = copy.deepcopy(network).to("cpu").float().eval()
    sample = torch.zeros(2, *image)
    _check_output(traced, sample, classes)
    exported = onnx.shape_inference.infer_shapes(_exported(traced, sample), data_prop=True)
    graph = exported.graph
    means = _global_means(graph)
    writer = GraphWriter()
    scaled = write_scaling(writer, preprocess, INPUT)
    renamed = {graph.input[0].name: scaled, graph.output[0].name: OUTPUT}
    for node in graph.node:
        for names in (node.input, node.output):
            names[:] = [renamed.get(name, name) for name in names]
        if node.output[0] in means:
            _write_global_mean(writer, node, keeps_rank=means[node.output[0]])
        else:
            writer.nodes.append(node)
    opset = next(each.version for each in exported.opset_import if each.domain == "")
    return writer.model(image, classes, opset, graph.initializer)


def _global_means(graph: onnx.GraphProto) -> dict[str, bool]:
    """Outputs of means over height and width of a map, and whether they keep four dimensions."""
    ranks = {value.name: len(value.type.tensor_type.shape.dim) for value in (*graph.input, *graph.value_info)}
    constants = {tensor.name: tensor for tensor in graph.initializer}
    found: dict[str, bool] = {}
    for node in graph.node:
        if node.op_type != "ReduceMean" or ranks.get(node.input[0]) != 4 or len(node.input) != 2:
            continue
        axes = constants.get(node.input[1])
        if axes is not None and {int(axis) % 4 for axis in numpy_helper.to_array(axes)} == {2, 3}:
            found[node.output[0]] = all(each.name != "keepdims" or each.i == 1 for each in node.attribute)
    return found


def _write_global_mean(writer: GraphWriter, node: onnx.NodeProto, *, keeps_rank: bool) -> None:
    """The same mean by the operator that runtimes have an integer kernel for."""
    if keeps_rank:
        writer.add("GlobalAveragePool", [node.input[0]], node.output[0])
    else:
        pooled = writer.add("GlobalAveragePool", [node.input[0]])
        writer.add("Flatten", [pooled], node.output[0])


def _check_output(network: nn.Module, sample: torch.Tensor, classes: int) -> None:
    with torch.no_grad():
        output = network(sample)
    if not isinstance(output, torch.Tensor) or output.shape != (len(sample), classes):
        found = tuple(output.shape) if isinstance(output, torch.Tensor) else type(output).__name__
        raise UserError(
            f"the network gives {found} for {len(sample)} images",
            f"an artifact gives one logit for each of {classes} classes: ({len(sample)}, {classes})",
            "let `forward` return the logits alone",
        )


def _exported(network: nn.Module, sample: torch.Tensor) -> onnx.ModelProto:
    """Torch's own export, its progress lines and deprecation notes kept from the user's terminal."""
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                network,
                (sample,),
                dynamo=True,
                opset_version=_EXPORTER_OPSET,
                dynamic_shapes=({0: torch.export.Dim("N")},),
                external_data=False,
                verbose=False,
            )
    except Exception as error:  # torch raises a dozen kinds; each means that this network cannot be exported
        raise UserError(
            f"{type(network).__name__} cannot be exported to ONNX",
            str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__,
            "keep `forward` free of Python branches on values and of batch sizes written as numbers",
        ) from error
    finally:
        logging.disable(logging.NOTSET)
    if program is None:
        raise RuntimeError("torch.onnx.export gave no program")
    return program.model_proto
