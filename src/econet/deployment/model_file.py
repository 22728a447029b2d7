"""Reading a model file that may come from a stranger: everything is checked before a runtime sees it.

What is held against it, and refused by name: its size and number of nodes; data in other files; functions, subgraphs
and training graphs of its own; operators, also of quantization, outside the standard set; tensors larger than an image
classifier can mean, which a runtime would compute while it loads the file.
"""

import math
from collections.abc import Iterator
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError

from econet.errors import UserError, one_line
from econet.files import read_regular

MOST_BYTES = 500_000_000
# A network of a thousand layers, each with its quantization, has some ten thousand.
MOST_NODES = 20_000
# The largest map of the published AlexNet has 290,400 numbers an image, its largest weight 37,748,736.
MOST_NUMBERS = 1 << 28
MOST_METADATA = 8_000_000
STANDARD_DOMAINS = ("", "ai.onnx")
_SMALL = 1024
_DAMAGE = (DecodeError, onnx.checker.ValidationError, onnx.shape_inference.InferenceError)
_GRAPHS = (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS)


def read_model(path: Path) -> onnx.ModelProto:
    """Read and check the ONNX file at `path`; nothing in it can run code or open another file.

    Raises UserError naming the file where it is absent, over 500 MB, cut or garbage, where it keeps data in other
    files, or uses operators outside the standard set, functions of its own or subgraphs (If, Loop, Scan).
    """
    return read_model_bytes(path)[0]


def read_model_bytes(path: Path) -> tuple[onnx.ModelProto, bytes]:
    """`read_model`, with the very bytes that were checked, so that a runtime is given those and no others."""
    content = read_content(path)
    try:
        model = onnx.ModelProto.FromString(content)
        if not model.graph.node:
            raise _broken(path, "there is no network in it")
        _read_every_name(model)
        _refuse_unsafe(model, path)
        onnx.checker.check_model(model)
        _refuse_oversized(model, path)
    except UserError:
        raise
    # Each of these libraries has errors of its own for damage, and raises others besides (ValueError, KeyError, ...).
    except (*_DAMAGE, ValueError, RuntimeError) as error:
        raise _broken(path, one_line(error)) from error
    return model, content


def _read_every_name(model: onnx.ModelProto) -> None:
    """Text is decoded only when it is looked at; look now, so that damaged text is found here."""
    for node in model.graph.node:
        _ = [node.name, *node.input, *node.output, *(attribute.name for attribute in node.attribute)]
    graph = model.graph
    _ = [each.name for each in (*graph.input, *graph.output, *graph.initializer, *graph.value_info)]
    _ = [(entry.key, entry.value) for entry in model.metadata_props]


def read_content(path: Path) -> bytes:
    """The bytes of a regular file. Raises UserError where it cannot be read or has over 500 MB."""
    try:
        return read_regular(path, MOST_BYTES)
    except OSError as error:
        raise UserError(f"cannot read {path}", error.strerror or str(error), "check the file's name") from error


def _refuse_unsafe(model: onnx.ModelProto, path: Path) -> None:
    if len(model.graph.node) > MOST_NODES:
        raise _refused(path, f"it has {len(model.graph.node):,} nodes; at most {MOST_NODES:,} are read")
    if model.functions:
        raise _refused(path, f"it defines functions of its own ({one_line(model.functions[0].name)!r})")
    if model.training_info:
        raise _refused(path, "it holds graphs for training")
    if model.graph.sparse_initializer:
        raise _refused(path, "it has sparse weights")
    _refuse_domains(model, path)
    if sum(len(entry.key) + len(entry.value) for entry in model.metadata_props) > MOST_METADATA:
        raise _refused(path, f"its metadata have over {MOST_METADATA:,} letters")
    for tensor in _tensors(model):
        if tensor.external_data or tensor.data_location == onnx.TensorProto.EXTERNAL:
            raise _refused(path, f"tensor {one_line(tensor.name)!r} keeps its data in another file")
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.type in _GRAPHS or attribute.HasField("g") or attribute.graphs:
                raise _refused(path, f"operator {one_line(node.op_type)!r} holds a graph of its own")
            if attribute.ref_attr_name:
                raise _refused(path, f"operator {one_line(node.op_type)!r} takes an attribute from a function")


def _refuse_domains(model: onnx.ModelProto, path: Path) -> None:
    for node in model.graph.node:
        if node.domain not in STANDARD_DOMAINS:
            raise _refused(path, f"operator {one_line(node.op_type)!r} comes from the domain {one_line(node.domain)!r}")
    newest = onnx.defs.onnx_opset_version()
    for opset in model.opset_import:
        if opset.domain in STANDARD_DOMAINS and not 1 <= opset.version <= newest:
            raise _refused(path, f"it asks for operator set {opset.version}; 1 to {newest} are known")


def _refuse_oversized(model: onnx.ModelProto, path: Path) -> None:
    """Constants must have the values that their shapes promise; no tensor may be larger than MOST_NUMBERS an image."""
    for tensor in _tensors(model):
        count = math.prod(tensor.dims)
        if min(tensor.dims, default=0) < 0 or count > MOST_NUMBERS:
            raise _refused(path, f"tensor {one_line(tensor.name)!r} is of shape {list(tensor.dims)[:8]}")
    inferred = onnx.shape_inference.infer_shapes(_outline(model), check_type=True, data_prop=True).graph
    for value in (*inferred.input, *inferred.output, *inferred.value_info):
        shape = [dimension.dim_value or 1 for dimension in value.type.tensor_type.shape.dim]
        if min(shape, default=1) < 0 or math.prod(shape) > MOST_NUMBERS:
            raise _refused(path, f"tensor {one_line(value.name)!r} would be of shape {shape[:8]}")


def _outline(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with the values of small constants alone, such as shapes: inference would copy all weights twice."""
    outline = onnx.ModelProto(ir_version=model.ir_version, opset_import=model.opset_import)
    graph = model.graph
    outline.graph.MergeFrom(onnx.GraphProto(name=graph.name, node=graph.node, input=graph.input, output=graph.output))
    for tensor in graph.initializer:
        small = math.prod(tensor.dims) <= _SMALL
        kept = tensor if small else onnx.TensorProto(name=tensor.name, dims=tensor.dims, data_type=tensor.data_type)
        outline.graph.initializer.append(kept)
    return outline


def _tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    yield from model.graph.initializer
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
            yield from (sparse.values for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors))


def _broken(path: Path, why: str) -> UserError:
    return UserError(f"{path} is not a whole ONNX file", why, "restore the file from a copy or export it again")


def _refused(path: Path, why: str) -> UserError:
    return UserError(f"{path} is refused", why, "use a file that `econet export` wrote")
