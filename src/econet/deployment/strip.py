"""Stripping: everything a runtime does not need goes out of a model's bytes; no answer changes."""

import itertools
import string
from collections.abc import Iterator

import onnx
from onnx import TensorProto

_FIRST = string.ascii_letters
_LATER = string.ascii_letters + string.digits


def strip(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of `model` without notes, spare opset imports, unused or doubled constants, and with short names.

    Inputs and outputs of the graph keep their names, and the model's own metadata stays. Equal scalars and equal
    shapes (int64) are merged; equal weights are not, so that what a file holds can be counted.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    _drop_notes(result)
    _merge_constants(graph)
    used = {name for node in graph.node for name in node.input} | {each.name for each in graph.output}
    kept = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    _shorten_names(graph)
    return result


def _drop_notes(model: onnx.ModelProto) -> None:
    for field in ("producer_name", "producer_version", "domain", "doc_string", "model_version"):
        model.ClearField(field)
    domains = {node.domain for node in model.graph.node} | {""}
    kept = [each for each in model.opset_import if each.domain in domains]
    del model.opset_import[:]
    model.opset_import.extend(kept)
    graph = model.graph
    graph.name = "g"
    del graph.value_info[:], graph.metadata_props[:], graph.quantization_annotation[:]
    graph.ClearField("doc_string")
    for node in graph.node:
        node.ClearField("name")
        node.ClearField("doc_string")
        del node.metadata_props[:]
        for attribute in node.attribute:
            attribute.ClearField("doc_string")
    for tensor in graph.initializer:
        tensor.ClearField("doc_string")
        del tensor.metadata_props[:]
    for value in (*graph.input, *graph.output):
        value.ClearField("doc_string")
        del value.metadata_props[:]


def _merge_constants(graph: onnx.GraphProto) -> None:
    first: dict[bytes, str] = {}
    replaced: dict[str, str] = {}
    for tensor in graph.initializer:
        if tensor.dims and tensor.data_type != TensorProto.INT64:
            continue
        nameless = TensorProto()
        nameless.CopyFrom(tensor)
        nameless.ClearField("name")
        key = nameless.SerializeToString()
        replaced[tensor.name] = first.setdefault(key, tensor.name)
    for node in graph.node:
        node.input[:] = [replaced.get(name, name) for name in node.input]


def _shorten_names(graph: onnx.GraphProto) -> None:
    taken = {each.name for each in (*graph.input, *graph.output)}
    fresh = (name for name in _short_names() if name not in taken)
    short = {name: name for name in ("", *taken)}
    for node in graph.node:
        for names in (node.input, node.output):
            for name in names:
                if name not in short:
                    short[name] = next(fresh)
            names[:] = [short[name] for name in names]
    for tensor in graph.initializer:
        if tensor.name not in short:
            short[tensor.name] = next(fresh)
        tensor.name = short[tensor.name]


def _short_names() -> Iterator[str]:
    """a, b, ... Z, aa, ab, ... and then names of three characters and more."""
    for length in itertools.count(1):
        for characters in itertools.product(_FIRST, *[_LATER] * (length - 1)):
            yield "".join(characters)
