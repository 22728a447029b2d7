"""What a changed file differs in: its classes, its preprocessing, its precision, its normalisation, one weight."""

from collections.abc import Sequence

import numpy as np
import onnx

from econet.deployment.engines.engine import ArtifactFile
from econet.deployment.engines.onnx_runtime import OnnxEngine, OnnxFile
from econet.deployment.graph import baked_scaling
from econet.deployment.metadata import Metadata
from econet.deployment.proof.digests import graph_digests
from econet.deployment.proof.pipeline import Pipeline
from econet.deployment.proof.proof_file import Proof
from econet.deployment.proof.rescaled import inverse, rescaled, rescalings
from econet.deployment.proof.suspects import class_order, likeliest, suspects
from econet.errors import UserError
from econet.images.preprocess import Preprocess, cropped
from econet.runs.proof_records import Finding, GraphDigests, ProofHead, ProvenFile, Stage

_RESTORE = "put the file back that the proof was written with, or export it again with its proof"
# What apps do to pixels and what undoes itself: given to a file that does it too, the proof's answers come back.
_UNDO_THEMSELVES = ("channel order", "mirrored", "upside down", "inverted", "transposed")


def file_finding(proof: Proof, file: ArtifactFile, found: Sequence[ProvenFile]) -> Finding | None:
    """What differs between the file that the proof was written with and the one here; None where nothing does."""
    head, metadata = proof.head, file.metadata
    said = _metadata(head, metadata)
    if said is not None:
        return said
    if [each.sha256 for each in found] == [each.sha256 for each in head.files]:
        return None
    return (
        _widened(head, file)
        or _normalisation(proof, file)
        or _behaviour(proof, file)
        or _parts(head, file)
        or _finding("file", "file", _sizes(head, found), _RESTORE)
    )


def damaged(error: UserError) -> Finding:
    """The finding for a file that is not the proof's and cannot be opened at all."""
    return _finding("file", "damaged", f"the file is damaged: {error.why}", _RESTORE)


def _finding(stage: Stage, cause: str, what: str, remedy: str) -> Finding:
    return Finding(stage=stage, cause=cause, what=what, remedy=remedy)


def _metadata(head: ProofHead, metadata: Metadata) -> Finding | None:
    if metadata.precision != head.precision:
        what = f"the file is {metadata.precision}, and the proof is that of the {head.precision} file"
        return _finding("file", "precision", what, f"use the {head.precision} file, or the proof beside this one")
    if metadata.classes != head.classes:
        moved = sorted(metadata.classes) == sorted(head.classes)
        pairs = zip(metadata.classes, head.classes, strict=False)
        number, (here, there) = next(
            ((number, pair) for number, pair in enumerate(pairs) if pair[0] != pair[1]), (-1, ("", ""))
        )
        if number < 0:
            what = f"the file has {len(metadata.classes)} classes, and the proof {len(head.classes)}"
        else:
            order = "the classes of the file are in another order" if moved else "the classes of the file are others"
            what = f"{order}: number {number} is {here!r}, and {there!r} in the proof"
        return _finding("classes", "class order" if moved else "classes", what, _RESTORE)
    for field in Preprocess.__struct_fields__:
        here, there = getattr(metadata.preprocess, field), getattr(head.preprocess, field)
        if here != there:
            cause = "normalisation" if field in ("offset", "scale") else "preprocessing"
            what = f"the file says {field} {here}, and the proof {there}"
            return _finding("file", cause, what, _RESTORE)
    if metadata.name != head.name:
        what = f"the file is the network {metadata.name!r}, and the proof that of {head.name!r}"
        return _finding("file", "file", what, "use the proof that lies beside the file")
    return None


def _widened(head: ProofHead, file: ArtifactFile) -> Finding | None:
    """Whether an int8 file's weights became floats, as converters write them that know no int8."""
    if head.precision != "int8" or not isinstance(file, OnnxFile):
        return None
    if any(tensor.data_type == onnx.TensorProto.INT8 for tensor in file.model.graph.initializer):
        return None
    return _finding("file", "precision", "the int8 weights of the file were turned into floats", _RESTORE)


def _normalisation(proof: Proof, file: ArtifactFile) -> Finding | None:
    """Whether the graph's own scaling of the pixels is another one, or is done twice or never."""
    if not isinstance(file, OnnxFile):
        return None
    head = proof.head
    inputs = cropped(proof.pixels, head.preprocess)
    for what, factor, shift in rescalings(head.preprocess):
        undone = rescaled(file.model, *inverse((what, factor, shift))[1:])
        if undone is not None and _answers(proof, OnnxEngine(undone, threads=1, batch=None).logits(inputs)):
            return _finding("file", "normalisation", f"the graph was changed: in it {what}", _RESTORE)
    baked = baked_scaling(file.model)
    wanted = (head.preprocess.offset, head.preprocess.scale)
    if baked is not None and not np.allclose(baked, wanted, rtol=1e-6):
        what = f"the graph computes (pixel - {baked[0]:g}) * {baked[1]:g}, and was exported with {wanted}"
        return _finding("file", "normalisation", what, _RESTORE)
    return None


def _answers(proof: Proof, logits: np.ndarray) -> bool:
    """Whether these are the proof's logits of its pixels."""
    largest = np.abs(logits - proof.logits[: len(logits)]).max(axis=1)
    return bool((largest <= 2 * proof.pixel_tolerance).all())


def _behaviour(proof: Proof, file: ArtifactFile) -> Finding | None:
    """Whether the file answers as the proof's does on changed pixels, or with its logits in another order."""
    pipeline = Pipeline(proof.head.preprocess, file.engine().logits)
    expected = proof.logits[: len(proof.pixels)]
    found = pipeline.answer(pipeline.inputs(proof.pixels))
    if found.shape != expected.shape or _answers(proof, found):
        return None
    order = class_order(found, expected)
    if order is not None:
        number = next(number for number, place in enumerate(order) if place != number)
        what = (
            f"the logits of the file are in another order: {proof.head.classes[number]!r} is number {number}, "
            f"and logit {order[number]} is its own"
        )
        return _finding("classes", "class order", what, _RESTORE)
    among = [each for each in suspects(pipeline) if each.cause in _UNDO_THEMSELVES and each.stage == "input"]
    suspect = likeliest(list(expected), list(found), among, lambda each: list(each.answer(each.inputs(proof.pixels))))
    if suspect is None:
        return None
    return _finding("file", suspect.cause, f"the graph was changed: in it {suspect.what}", _RESTORE)


def _parts(head: ProofHead, file: ArtifactFile) -> Finding | None:
    """Which part of an ONNX graph differs."""
    if head.graph is None or not isinstance(file, OnnxFile):
        return None
    found = graph_digests(file.model)
    if len(found.weights) == len(head.graph.weights):
        return _weights(found, head.graph) or _nodes(found, head.graph)
    what = f"the graph has {len(found.weights)} constants, and had {len(head.graph.weights)}"
    return _finding("file", "graph", f"the graph was changed: {what}", _RESTORE)


def _weights(found: GraphDigests, expected: GraphDigests) -> Finding | None:
    differ = [
        (number, each)
        for number, (each, other) in enumerate(zip(found.weights, expected.weights, strict=True), start=1)
        if (each.shape, each.sha256) != (other.shape, other.sha256)
    ]
    if not differ:
        return None
    number, first = differ[0]
    shape = "x".join(map(str, first.shape)) or "a single value"
    of = f"{len(differ)} of {len(found.weights)} constants"
    what = f"weights were changed: {of}, the first is {first.name!r} ({shape}), number {number} in the file"
    return _finding("file", "weights", what, _RESTORE)


def _nodes(found: GraphDigests, expected: GraphDigests) -> Finding | None:
    if found.nodes == expected.nodes:
        return None
    return _finding("file", "graph", "the graph was changed: its weights are the same, its operators are not", _RESTORE)


def _sizes(head: ProofHead, found: Sequence[ProvenFile]) -> str:
    for here, there in zip(found, head.files, strict=False):
        if here.sha256 != there.sha256:
            return (
                f"{here.name} is another file: {here.bytes:,} bytes with SHA-256 {here.sha256[:12]}..., "
                f"the proof has {there.bytes:,} bytes with {there.sha256[:12]}..."
            )
    return "the artifact has another number of files"
