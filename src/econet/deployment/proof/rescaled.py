"""The same graph with another normalisation, to find out whether an app scales pixels twice, or never."""

import numpy as np
import onnx
from onnx import helper, numpy_helper

from econet.images.preprocess import Preprocess

_FACTOR, _SHIFT, _PRODUCT, _SUM = "proof_factor", "proof_shift", "proof_product", "proof_sum"
# (what an app does, a, b): it gives the network a x + b in place of x = (pixel - offset) * scale.
Rescaling = tuple[str, float, float]


def rescaled(model: onnx.ModelProto, factor: float, shift: float) -> bytes | None:
    """The file with its scaled input x replaced by `factor` x + `shift`; None where it does not begin with one."""
    graph = model.graph
    tensor = _scaled_input(graph)
    if tensor is None:
        return None
    result = onnx.ModelProto()
    result.CopyFrom(model)
    for node in result.graph.node:
        node.input[:] = [_SUM if name == tensor else name for name in node.input]
    for name, value in ((_FACTOR, factor), (_SHIFT, shift)):
        result.graph.initializer.append(numpy_helper.from_array(np.array(value, np.float32), name))
    place = next(number for number, node in enumerate(result.graph.node) if tensor in node.output)
    result.graph.node.insert(place + 1, helper.make_node("Mul", [tensor, _FACTOR], [_PRODUCT]))
    result.graph.node.insert(place + 2, helper.make_node("Add", [_PRODUCT, _SHIFT], [_SUM]))
    return result.SerializeToString()


def rescalings(preprocess: Preprocess) -> list[Rescaling]:
    """What apps do to pixels beside, or in place of, `(pixel - offset) * scale`."""
    offset, scale = preprocess.offset, preprocess.scale
    return [
        ("pixels are normalised twice", scale, -offset * scale),
        ("pixels are not normalised", 1 / scale, float(offset)),
        ("pixels are divided by 255 and not normalised as the network was trained", 1 / (255 * scale), offset / 255),
        ("pixels are brought to -1..1, not normalised as in training", 1 / (127.5 * scale), (offset - 127.5) / 127.5),
    ]


def inverse(rescaling: Rescaling) -> Rescaling:
    """The one that undoes it."""
    name, factor, shift = rescaling
    return name, 1 / factor, -shift / factor


def _scaled_input(graph: onnx.GraphProto) -> str | None:
    """The float tensor in which the pixels enter the network: behind DequantizeLinear, or behind Cast, Sub and Mul."""
    tensor, found = graph.input[0].name, None
    constants = {each.name for each in graph.initializer}
    for kinds in (("DequantizeLinear", "Cast"), ("Sub",), ("Mul",)):
        readers = [node for node in graph.node if tensor in node.input]
        if len(readers) != 1 or readers[0].op_type not in kinds:
            break
        if any(name not in constants for name in readers[0].input if name != tensor):
            break
        tensor = found = readers[0].output[0]
        if readers[0].op_type == "DequantizeLinear":
            break
    return found
