"""Digests of a file and of its parts, so that a changed file can be told to differ in one place."""

import hashlib
from pathlib import Path

import onnx
from onnx import numpy_helper

from econet.deployment.model_file import read_content
from econet.runs.proof_records import GraphDigests, ProvenFile, WeightDigest

# 64 bits: enough to tell what changed by itself; the whole file has its full digest.
_DIGITS = 16


def file_digests(artifact: Path) -> tuple[ProvenFile, ...]:
    """The artifact's own file, and the `.bin` of an `.xml`. Raises UserError where one cannot be read."""
    paths = [artifact, artifact.with_suffix(".bin")] if artifact.suffix == ".xml" else [artifact]
    contents = [(path.name, read_content(path)) for path in paths]
    return tuple(
        ProvenFile(name=name, bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
        for name, content in contents
    )


def graph_digests(model: onnx.ModelProto) -> GraphDigests:
    """The digests of an ONNX graph's parts; the file's metadata are in neither."""
    bare = onnx.ModelProto()
    bare.CopyFrom(model)
    del bare.graph.initializer[:], bare.metadata_props[:]
    weights = [
        WeightDigest(
            name=tensor.name,
            shape=tuple(tensor.dims),
            sha256=hashlib.sha256(numpy_helper.to_array(tensor).tobytes()).hexdigest()[:_DIGITS],
        )
        for tensor in model.graph.initializer
    ]
    nodes = hashlib.sha256(bare.SerializeToString(deterministic=True)).hexdigest()[:_DIGITS]
    return GraphDigests(nodes=nodes, weights=tuple(weights))
