"""Small .tflite files, made with the runtime's own schema: what the reader is held against."""

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

TYPES = {"float32": 0, "int32": 2, "int8": 9}
PADDING_SAME, PADDING_VALID = 0, 1
RELU = 1


class TfliteBuilder:
    """Collects tensors and operators of one graph."""

    def __init__(self) -> None:
        self.model, self.graph = schema.ModelT(), schema.SubGraphT()
        self.model.version, self.model.description = 3, "by hand"
        self.model.buffers, self.model.operatorCodes = [schema.BufferT()], []
        self.graph.tensors, self.graph.operators = [], []
        self.model.subgraphs = [self.graph]

    def tensor(self, shape, kind="float32", values=None, scale=None, zero_point=0) -> int:
        """The number of a new tensor; a constant where it has `values`."""
        made = schema.TensorT()
        made.shape, made.type, made.name = list(shape), TYPES[kind], f"t{len(self.graph.tensors)}"
        if values is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(np.ascontiguousarray(values, kind).tobytes(), np.uint8)
            self.model.buffers.append(buffer)
            made.buffer = len(self.model.buffers) - 1
        if scale is not None:
            made.quantization = schema.QuantizationParametersT()
            made.quantization.scale, made.quantization.zeroPoint = [float(scale)], [zero_point]
        self.graph.tensors.append(made)
        return len(self.graph.tensors) - 1

    def constant(self, values, kind="float32", **grid) -> int:
        values = np.asarray(values)
        return self.tensor(values.shape, kind, values, **grid)

    def add(self, operator: str, inputs, outputs, options=None, kind: str | None = None) -> None:
        """Append an operator; `options` are the fields of its options table, named as in the schema."""
        code = schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = getattr(schema.BuiltinOperator, operator)
        code.version = 1
        self.model.operatorCodes.append(code)
        made = schema.OperatorT()
        made.opcodeIndex, made.inputs, made.outputs = len(self.model.operatorCodes) - 1, list(inputs), list(outputs)
        if kind is not None:
            made.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
            made.builtinOptions = getattr(schema, f"{kind}T")()
            for name, value in (options or {}).items():
                setattr(made.builtinOptions, name, value)
        self.graph.operators.append(made)

    def content(self, given: int, answer: int) -> bytes:
        """The finished file."""
        self.graph.inputs, self.graph.outputs = [given], [answer]
        builder = flatbuffers.Builder(1024)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def convolutional(weights: dict[str, np.ndarray], *, softmax: bool = True) -> bytes:
    """float32 [1, 28, 28, 1] -> 3x3 convolution every 2 pixels with ReLU, mean, dense layer, softmax or not."""
    build = TfliteBuilder()
    outputs, classes = len(weights["conv"]), len(weights["dense"])
    image = build.tensor((1, 28, 28, 1))
    maps = build.tensor((1, 14, 14, outputs))
    conv = [build.constant(weights["conv"]), build.constant(weights["conv_bias"])]
    strides = {"padding": PADDING_SAME, "strideW": 2, "strideH": 2, "fusedActivationFunction": RELU}
    build.add("CONV_2D", [image, *conv], [maps], strides, "Conv2DOptions")
    mean = build.tensor((1, outputs))
    axes = build.constant([1, 2], "int32")
    build.add("MEAN", [maps, axes], [mean], {"keepDims": False}, "ReducerOptions")
    logits = build.tensor((1, classes))
    dense = [build.constant(weights["dense"]), build.constant(weights["dense_bias"])]
    build.add("FULLY_CONNECTED", [mean, *dense], [logits], {}, "FullyConnectedOptions")
    if not softmax:
        return build.content(image, logits)
    answer = build.tensor((1, classes))
    build.add("SOFTMAX", [logits], [answer], {"beta": 1.0}, "SoftmaxOptions")
    return build.content(image, answer)


def integer_dense(weight: np.ndarray, bias: np.ndarray, scales: tuple[float, float, float], zero: int) -> bytes:
    """int8 [1, 28, 28, 1], code = pixel - 128 -> int8 dense layer; `scales` of input, weight and output."""
    build = TfliteBuilder()
    image = build.tensor((1, 28, 28, 1), "int8", scale=scales[0], zero_point=-128)
    flat = build.tensor((1, 784), "int8", scale=scales[0], zero_point=-128)
    shape = build.constant([1, 784], "int32")
    build.add("RESHAPE", [image, shape], [flat], {"newShape": [1, 784]}, "ReshapeOptions")
    logits = build.tensor((1, len(weight)), "int8", scale=scales[2], zero_point=zero)
    constants = [
        build.constant(weight, "int8", scale=scales[1]),
        build.constant(bias, "int32", scale=scales[0] * scales[1]),
    ]
    build.add("FULLY_CONNECTED", [flat, *constants], [logits], {}, "FullyConnectedOptions")
    return build.content(image, logits)
