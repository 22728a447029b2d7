import itertools

import numpy as np
import onnx
from onnx import helper, numpy_helper

from econet.deployment.session import open_session, run_session
from econet.deployment.strip import strip


def noisy(model):
    """`model` with everything that a chatty exporter leaves behind."""
    result = onnx.shape_inference.infer_shapes(model)
    result.producer_name, result.doc_string, result.graph.name = "chatty", "long words", "main_graph"
    for index, node in enumerate(result.graph.node):
        node.name, node.doc_string = f"/layers/{index}/node", "File somewhere.py, line 3"
        node.metadata_props.add(key="trace", value="x" * 100)
    result.opset_import.append(helper.make_opsetid("ai.onnx.ml", 3))
    spare = numpy_helper.from_array(np.zeros(100, np.float32), "never.read")
    doubled = numpy_helper.from_array(np.float32(73), "offset.again")
    result.graph.initializer.extend([spare, doubled])
    first = result.graph.node[1]
    assert first.op_type == "Sub"
    first.input[1] = "offset.again"
    return result


def test_stripping_changes_no_answer_and_leaves_nothing_spare(slim_model, clothes):
    images = clothes.transpose(0, 3, 1, 2)
    loud = noisy(slim_model)
    lean = strip(loud)
    before = run_session(open_session(loud.SerializeToString()), ["logits"], images)[0]
    after = run_session(open_session(lean.SerializeToString()), ["logits"], images)[0]
    assert np.array_equal(before, after)
    assert len(lean.SerializeToString()) == len(slim_model.SerializeToString())
    assert not any(len(tensor.dims) == 1 and tensor.dims[0] == 100 for tensor in lean.graph.initializer)
    assert [each.domain for each in lean.opset_import] == [""]
    assert lean.metadata_props[0].key == "econet"


def test_the_model_that_is_given_stays_as_it_was(slim_model):
    before = slim_model.SerializeToString()
    strip(slim_model)
    assert slim_model.SerializeToString() == before


def test_equal_scalars_are_kept_once_and_equal_weights_twice():
    nodes = [
        helper.make_node("Add", ["x", "one"], ["a"]),
        helper.make_node("Add", ["a", "uno"], ["b"]),
        helper.make_node("Add", ["b", "bias"], ["c"]),
        helper.make_node("Add", ["c", "copy"], ["y"]),
    ]
    values = {
        "one": np.float32(1),
        "uno": np.float32(1),
        "bias": np.ones(3, np.float32),
        "copy": np.ones(3, np.float32),
    }
    tensors = [numpy_helper.from_array(np.asarray(value), name) for name, value in values.items()]
    ends = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [3]) for name in ("x", "y")]
    model = helper.make_model(helper.make_graph(nodes, "g", ends[:1], ends[1:], tensors))
    assert sorted(len(each.dims) for each in strip(model).graph.initializer) == [0, 1, 1]


def test_thousands_of_tensors_get_different_names():
    names = [f"tensor{index}" for index in range(4000)]
    chain = [helper.make_node("Relu", [a], [b]) for a, b in itertools.pairwise(["a", *names, "b"])]
    ends = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [3]) for name in ("a", "b")]
    lean = strip(helper.make_model(helper.make_graph(chain, "g", ends[:1], ends[1:])))
    given = [node.output[0] for node in lean.graph.node]
    assert len(set(given)) == 4001
    assert given[-1] == "b"
    assert "a" not in given
    onnx.checker.check_model(lean)
