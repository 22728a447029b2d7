"""The writer's bytes, read back by the runtime's own schema classes and by a reader that trusts nothing."""

import struct
from dataclasses import replace

import numpy as np

from econet.deployment.engines.tflite_graph import read_graph
from econet.deployment.targets.litert.flatbuffer import FlatBuffer
from econet.deployment.targets.litert.schema import (
    Code,
    LiteModel,
    LiteOperator,
    LiteTensor,
    Options,
    Quantization,
    TensorType,
    int8,
    int32,
    serialise,
)


def small_model():
    model = LiteModel()
    grid = Quantization(np.array([0.5, 0.25], np.float32), np.array([0, 0]), 3)
    model.tensors = [
        LiteTensor((1, 4, 4, 2), TensorType.INT8, Quantization(np.array([0.1], np.float32), np.array([-7]))),
        LiteTensor((1, 3, 3, 2), TensorType.INT8, grid, bytes(range(18))),
        LiteTensor((2,), TensorType.INT32, replace(grid, axis=0), struct.pack("<2i", 5, -6)),
        LiteTensor((1, 2, 2, 2), TensorType.INT8, Quantization(np.array([0.2], np.float32), np.array([3]))),
    ]
    options = Options(2, {1: int32(2), 2: int32(2), 3: int32(1), 4: int8(1), 0: int8(1)})
    model.operators = [LiteOperator(Code.DEPTHWISE_CONV_2D, (0, 1, 2), (3,), options)]
    model.inputs, model.outputs = {"image": 0}, {"logits": 3}
    return model


def test_the_runtimes_own_schema_reads_every_field_back():
    from ai_edge_litert import schema_py_generated as schema

    content = serialise(small_model())
    assert schema.Model.ModelBufferHasIdentifier(content, 0)
    found = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    assert found.version == 3
    assert [(each.builtinCode, each.deprecatedBuiltinCode) for each in found.operatorCodes] == [(4, 4)]
    (graph,) = found.subgraphs
    assert (graph.inputs.tolist(), graph.outputs.tolist()) == ([0], [3])
    weight = graph.tensors[1]
    assert (weight.shape.tolist(), weight.type) == ([1, 3, 3, 2], schema.TensorType.INT8)
    assert weight.quantization.scale.tolist() == [0.5, 0.25]
    assert weight.quantization.quantizedDimension == 3
    assert bytes(found.buffers[weight.buffer].data) == bytes(range(18))
    assert graph.tensors[0].quantization.zeroPoint.tolist() == [-7]
    (operator,) = graph.operators
    assert operator.builtinOptionsType == schema.BuiltinOptions.DepthwiseConv2DOptions
    options = operator.builtinOptions
    assert (options.strideW, options.strideH, options.depthMultiplier) == (2, 2, 1)
    assert (options.fusedActivationFunction, options.padding) == (1, schema.Padding.VALID)
    (signature,) = found.signatureDefs
    assert signature.signatureKey == b"serving_default"
    assert [(each.name, each.tensorIndex) for each in signature.outputs] == [(b"logits", 3)]


def test_a_reader_that_checks_every_offset_accepts_it():
    graph = read_graph(serialise(small_model()))
    assert [operation.kind for operation in graph.operations] == ["DEPTHWISE_CONV_2D"]
    assert [tensor.constant for tensor in graph.tensors] == [False, True, True, False]


def test_constants_lie_at_multiples_of_16_and_the_file_is_whole():
    content = serialise(small_model())
    assert len(content) % 16 == 0
    assert content.index(bytes(range(18))) % 16 == 0
    assert content[4:8] == b"TFL3"


def test_equal_parts_are_kept_once():
    buffer = FlatBuffer()
    first = buffer.vector(bytes(800), 100, 8)
    assert buffer.vector(bytes(800), 100, 8) == first
    assert buffer.vector(bytes(800), 200) != first
    table = buffer.table({0: first, 1: int32(4)})
    assert buffer.table({1: int32(4), 0: first}) == table
    length = len(buffer.finish(table, b"TEST"))
    assert length < 800 + 800 + 64


def test_the_file_is_the_same_each_time():
    assert serialise(small_model()) == serialise(small_model())
