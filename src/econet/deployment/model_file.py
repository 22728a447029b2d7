"""Reading a model file that may come from a stranger: everything is checked before a runtime sees it."""

from collections.abc import Iterator
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError

from econet.errors import UserError

MOST_BYTES = 500_000_000
STANDARD_DOMAINS = ("", "ai.onnx")


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
    except (DecodeError, UnicodeDecodeError, onnx.checker.ValidationError) as error:
        raise _broken(path, _first_line(str(error))) from error
    return model, content


def _read_every_name(model: onnx.ModelProto) -> None:
    """Text is decoded only when it is looked at; look now, so that damaged text is found here."""
    for node in model.graph.node:
        _ = [*node.input, *node.output, *(attribute.name for attribute in node.attribute)]
    graph = model.graph
    _ = [each.name for each in (*graph.input, *graph.output, *graph.initializer, *graph.value_info)]
    _ = [(entry.key, entry.value) for entry in model.metadata_props]


def read_content(path: Path) -> bytes:
    """The bytes of a file. Raises UserError where it cannot be read or has over 500 MB."""
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise _refused(path, f"it has {size:,} bytes; at most {MOST_BYTES:,} are read")
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path}", error.strerror or str(error), "check the file's name") from error


def _refuse_unsafe(model: onnx.ModelProto, path: Path) -> None:
    if model.functions:
        raise _refused(path, f"it defines functions of its own ({model.functions[0].name!r})")
    if model.graph.sparse_initializer:
        raise _refused(path, "it has sparse weights")
    for tensor in _tensors(model):
        if tensor.external_data or tensor.data_location == onnx.TensorProto.EXTERNAL:
            raise _refused(path, f"tensor {tensor.name!r} keeps its data in another file")
    for node in model.graph.node:
        if node.domain not in STANDARD_DOMAINS:
            raise _refused(path, f"operator {node.op_type!r} comes from the domain {node.domain!r}")
        for attribute in node.attribute:
            if attribute.type in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS):
                raise _refused(path, f"operator {node.op_type!r} holds a graph of its own")


def _tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    yield from model.graph.initializer
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
            yield from (sparse.values for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors))


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0] if text.strip() else "the checker gave no reason"


def _broken(path: Path, why: str) -> UserError:
    return UserError(f"{path} is not a whole ONNX file", why, "restore the file from a copy or export it again")


def _refused(path: Path, why: str) -> UserError:
    return UserError(f"{path} is refused", why, "use a file that `econet export` wrote")
