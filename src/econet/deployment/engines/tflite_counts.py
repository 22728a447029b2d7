"""Counting a .tflite file from its own graph: layers, MACs and parameters, by the rules of `deployment.graph`."""

import math

from econet.deployment.engines.tflite_graph import Operation, TfliteGraph
from econet.deployment.graph import LayerKind, LayerSummary

# Where an operator keeps its weights among its inputs; the bias, where there is one, follows.
_WEIGHTS = {"CONV_2D": 1, "DEPTHWISE_CONV_2D": 1, "FULLY_CONNECTED": 1, "TRANSPOSE_CONV": 1}
# A constant beside the activation is learned: batch norm that was not folded, or the slope of a PReLU.
_LEARNED_BESIDE = ("ADD", "MUL", "SUB", "DIV", "PRELU")


def layers(graph: TfliteGraph) -> list[LayerSummary]:
    """The layers in the order they run."""
    constants = _constants(graph)
    found: list[LayerSummary] = []
    seen: dict[str, int] = {}
    for each in graph.operations:
        kind = _kind(graph, each)
        if kind is None:
            continue
        seen[kind] = seen.get(kind, 0) + 1
        shape = graph.tensors[each.outputs[0]].shape
        height, width = shape[1:3] if len(shape) == 4 else (1, 1)
        count = sum(_size(graph, number) for number in _held(each, constants))
        found.append(LayerSummary(f"{kind} {seen[kind]}", kind, shape[-1], height, width, count, _macs(graph, each)))
    return found


def macs(graph: TfliteGraph) -> int:
    """Multiply-accumulates of convolutions and matrix products for one image."""
    return sum(_macs(graph, each) for each in graph.operations)


def parameters(graph: TfliteGraph) -> int:
    """Weights and biases in the file, each counted once."""
    constants = _constants(graph)
    held = {number for each in graph.operations for number in _held(each, constants)}
    return sum(_size(graph, number) for number in held)


def _constants(graph: TfliteGraph) -> dict[int, int]:
    """A constant, or what DEQUANTIZE makes of one (weights kept as float16), -> the constant."""
    found = {number: number for number, tensor in enumerate(graph.tensors) if tensor.constant}
    for each in graph.operations:
        if each.kind == "DEQUANTIZE" and each.inputs[0] in found:
            found[each.outputs[0]] = each.inputs[0]
    return found


def _held(operation: Operation, constants: dict[int, int]) -> list[int]:
    """The constants that are parameters of an operator."""
    first = _WEIGHTS.get(operation.kind)
    if first is not None:
        read = operation.inputs[first:]
    elif operation.kind in _LEARNED_BESIDE:
        read = operation.inputs
    else:
        read = ()
    return [constants[number] for number in read if number in constants]


def _size(graph: TfliteGraph, number: int) -> int:
    """Values of a constant; a single number is a scaling, no parameter."""
    shape = graph.tensors[number].shape
    return math.prod(shape) if shape else 0


def _macs(graph: TfliteGraph, operation: Operation) -> int:
    if operation.kind == "BATCH_MATMUL":
        left, output = graph.tensors[operation.inputs[0]].shape, graph.tensors[operation.outputs[0]].shape
        return math.prod(output) * left[-1]
    if operation.kind not in _WEIGHTS:
        return 0
    weights = math.prod(graph.tensors[operation.inputs[1]].shape)
    if operation.kind == "FULLY_CONNECTED":
        outputs = graph.tensors[operation.inputs[1]].shape[0]
        return weights * math.prod(graph.tensors[operation.outputs[0]].shape) // outputs
    # A transposed convolution takes its maps as the third input, and uses its weights once for each of their pixels.
    maps = operation.inputs[2] if operation.kind == "TRANSPOSE_CONV" else operation.outputs[0]
    return weights * math.prod(graph.tensors[maps].shape[1:3])


def _kind(graph: TfliteGraph, operation: Operation) -> LayerKind | None:
    shape = graph.tensors[operation.outputs[0]].shape
    match operation.kind:
        case "CONV_2D" | "TRANSPOSE_CONV":
            kernel = graph.tensors[operation.inputs[1]].shape[1:3]
            return "pointwise" if math.prod(kernel) == 1 else "conv"
        case "DEPTHWISE_CONV_2D":
            return "depthwise"
        case "FULLY_CONNECTED" | "BATCH_MATMUL":
            return "dense"
        case "MAX_POOL_2D" | "AVERAGE_POOL_2D":
            return "mean" if shape[1:3] == (1, 1) else "pool"
        case "MEAN":
            return "mean"
        case _:
            return None
