"""A small float network as an EcoNet file, written node by node."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from econet.deployment.metadata import Metadata, embed
from econet.images.preprocess import Preprocess

GRAY = Preprocess(image_size=(28, 28), channels=1, resize_size=(28, 28), offset=73, scale=1 / 90)


def small_model(nodes: tuple[onnx.NodeProto, ...] = (), preprocess: Preprocess = GRAY) -> onnx.ModelProto:
    """Convolution, ReLU, pooling, mean and a dense layer to ten classes; `nodes` stand before them, read by nobody."""
    random = np.random.default_rng(3)
    constants = {
        "offset": np.float32(73),
        "scale": np.float32(1 / 90),
        "kernel": random.normal(0, 0.3, (8, 1, 3, 3)).astype(np.float32),
        "bias": random.normal(0, 0.1, 8).astype(np.float32),
        "dense": random.normal(0, 0.5, (10, 8)).astype(np.float32),
        "dense_bias": random.normal(0, 0.5, 10).astype(np.float32),
    }
    body = [
        helper.make_node("Cast", ["image"], ["cast"], to=TensorProto.FLOAT),
        helper.make_node("Sub", ["cast", "offset"], ["shifted"]),
        helper.make_node("Mul", ["shifted", "scale"], ["x"]),
        helper.make_node("Conv", ["x", "kernel", "bias"], ["maps"], kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4),
        helper.make_node("Relu", ["maps"], ["positive"]),
        helper.make_node("MaxPool", ["positive"], ["pooled"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("GlobalAveragePool", ["pooled"], ["means"]),
        helper.make_node("Flatten", ["means"], ["flat"]),
        helper.make_node("Gemm", ["flat", "dense", "dense_bias"], ["logits"], transB=1),
    ]
    given = helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", 1, 28, 28])
    answer = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", 10])
    tensors = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph([*nodes, *body], "small", [given], [answer], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    embed(model, Metadata(name="small", classes=tuple("abcdefghij"), preprocess=preprocess, precision="fp32"))
    return model
