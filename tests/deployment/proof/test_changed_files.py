"""A changed file is found by its proof and what was changed in it is named, each change made in a real file."""

from dataclasses import replace

import numpy as np
import onnx
import pytest
from msgspec.structs import replace as with_fields
from onnx import helper, numpy_helper

from econet.deployment.engines.onnx_runtime import OnnxEngine
from econet.deployment.metadata import embed, read_metadata
from econet.deployment.proof.pipeline import Answers
from econet.deployment.proof.verdict import judge
from econet.jobs.prove import prove

KINDS = [(kind, precision) for kind in ("gray", "colour") for precision in ("fp32", "int8")]


def changed(given, change):
    """Put a changed model in the place of the file, and replay its proof."""
    model = onnx.load(given.path)
    change(model)
    given.path.write_bytes(model.SerializeToString())
    replay = prove(given.path)
    assert not replay.passed
    return [(finding.stage, finding.cause, finding.what) for finding in replay.findings]


@pytest.mark.parametrize("kind", KINDS, ids="-".join)
def test_one_flipped_weight_is_named(proven, kind):
    def flip(model):
        tensor = max(model.graph.initializer, key=lambda each: numpy_helper.to_array(each).size)
        raw = bytearray(tensor.raw_data)
        raw[len(raw) // 2] ^= 1
        tensor.raw_data = bytes(raw)

    given = proven(*kind)
    largest = max(onnx.load(given.path).graph.initializer, key=lambda each: numpy_helper.to_array(each).size)
    ((stage, cause, what),) = changed(given, flip)
    assert (stage, cause) == ("file", "weights")
    assert f"the first is '{largest.name}'" in what


@pytest.mark.parametrize("kind", KINDS, ids="-".join)
def test_classes_in_another_order_are_named(proven, kind):
    def exchange(model):
        metadata = read_metadata(model, "model")
        first, second, *others = metadata.classes
        embed(model, with_fields(metadata, classes=(second, first, *others)))

    ((stage, cause, what),) = changed(proven(*kind), exchange)
    assert (stage, cause) == ("classes", "class order")
    assert "number 0 is 'dress', and 'coat' in the proof" in what


def test_an_app_that_exchanges_classes_is_named(proven):
    given = proven("colour", "int8")
    logits = np.roll(given.proof.logits, 1, axis=1)
    (finding,) = judge(given.proof, Answers(logits=logits), given.base, "an app").findings
    assert (finding.stage, finding.cause) == ("classes", "class order")
    assert "logit 1 is that of 'coat', which is number 0" in finding.what


def swap_channels(model):
    for node in model.graph.node:
        node.input[:] = ["swapped" if name == "image" else name for name in node.input]
    model.graph.initializer.append(numpy_helper.from_array(np.array([2, 1, 0], np.int64), "order"))
    model.graph.node.insert(0, helper.make_node("Gather", ["image", "order"], ["swapped"], axis=1))


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_a_graph_that_exchanges_channels_is_named(proven, precision):
    ((stage, cause, _),) = changed(proven("colour", precision), swap_channels)
    assert (stage, cause) == ("file", "channel order")


def scaling_of(model):
    """The nodes that scale the pixels, and the tensor they give."""
    nodes = list(model.graph.node)
    first = next(node for node in nodes if "image" in node.input)
    if first.op_type == "DequantizeLinear":
        return [first], first.output[0]
    return nodes[:3], nodes[2].output[0]


def normalise_again(model, offset, scale):
    nodes, scaled = scaling_of(model)
    for node in model.graph.node:
        if node not in nodes:
            node.input[:] = ["again" if name == scaled else name for name in node.input]
    for name, value in (("less", offset), ("times", scale)):
        model.graph.initializer.append(numpy_helper.from_array(np.array(value, np.float32), name))
    model.graph.node.insert(len(nodes), helper.make_node("Sub", [scaled, "less"], ["centred"]))
    model.graph.node.insert(len(nodes) + 1, helper.make_node("Mul", ["centred", "times"], ["again"]))


def never_normalise(model):
    nodes, scaled = scaling_of(model)
    for node in nodes:
        model.graph.node.remove(node)
    model.graph.node.insert(0, helper.make_node("Cast", ["image"], [scaled], to=onnx.TensorProto.FLOAT))


@pytest.mark.parametrize("kind", KINDS, ids="-".join)
def test_a_graph_that_normalises_twice_or_never_is_named(proven, kind):
    given = proven(*kind)
    record, original = given.proof.head.preprocess, given.path.read_bytes()
    ((stage, cause, what),) = changed(given, lambda model: normalise_again(model, record.offset, record.scale))
    assert (stage, cause) == ("file", "normalisation")
    assert "twice" in what
    given.path.write_bytes(original)
    ((stage, cause, what),) = changed(given, never_normalise)
    assert (stage, cause) == ("file", "normalisation")


@pytest.mark.parametrize("kind", KINDS, ids="-".join)
def test_an_app_that_normalises_twice_or_never_is_named_by_its_logits(proven, kind):
    given = proven(*kind)
    record = given.proof.head.preprocess
    for change, word in (
        (lambda model: normalise_again(model, record.offset, record.scale), "twice"),
        (never_normalise, "not normalised"),
    ):
        model = onnx.load(given.path)
        change(model)
        app = replace(given.base, answer=OnnxEngine(model.SerializeToString(), threads=1, batch=None).logits)
        (finding,) = judge(given.proof, Answers(logits=app.logits_of(given.proof.photos)), given.base, "app").findings
        assert (finding.stage, finding.cause) == ("input", "normalisation")
        assert word in finding.what


@pytest.mark.parametrize("kind", ["gray", "colour"])
def test_the_file_of_the_other_precision_is_named(proven, made, kind):
    given = proven(kind, "int8")
    given.path.write_bytes(made[kind, "fp32"].read_bytes())
    (finding,) = prove(given.path).findings
    assert (finding.stage, finding.cause) == ("file", "precision")
    assert finding.what == "the file is fp32, and the proof is that of the int8 file"


def dequantize(model):
    """Write the int8 weights out as floats, as converters do that know no int8."""
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    for node in [node for node in model.graph.node if node.op_type == "DequantizeLinear"]:
        codes, scale = constants.get(node.input[0]), constants[node.input[1]]
        if codes is None or codes.dtype != np.int8:
            continue
        scale = scale.reshape((-1,) + (1,) * (codes.ndim - 1)) if scale.ndim else scale
        model.graph.initializer.append(numpy_helper.from_array((codes * scale).astype(np.float32), node.output[0]))
        model.graph.node.remove(node)
    kept = [tensor for tensor in model.graph.initializer if tensor.data_type != onnx.TensorProto.INT8]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)


def test_a_file_whose_weights_became_floats_is_named(proven):
    ((stage, cause, what),) = changed(proven("colour", "int8"), dequantize)
    assert (stage, cause) == ("file", "precision")
    assert "float" in what


def test_a_file_that_cannot_be_opened_is_named(proven):
    given = proven()
    given.path.write_bytes(given.path.read_bytes()[:-50])
    (finding,) = prove(given.path).findings
    assert (finding.stage, finding.cause) == ("file", "damaged")


def test_another_file_under_the_proofs_name_is_named_though_its_answers_are_the_same(proven):
    def note(model):
        model.doc_string = "touched"

    ((stage, cause, what),) = changed(proven(), note)
    assert (stage, cause) == ("file", "graph")
    assert "its weights are the same" in what
