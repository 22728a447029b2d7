"""From an EcoNet artifact in ONNX to a .tflite file: the same operators on the same scales, channels last.

The int8 file takes int8 codes (pixel - 128) and gives int8 logits; the fp32 file takes the uint8 pixels themselves and
gives float32 logits. Both inputs are [1, H, W, C], and the input's grid is the normalisation.
"""

import numpy as np
import onnx

from econet.deployment.graph import baked_scaling
from econet.deployment.graph_writer import INPUT, OUTPUT
from econet.deployment.targets.litert.draft import Draft, refused
from econet.deployment.targets.litert.onnx_view import OnnxView
from econet.deployment.targets.litert.rules import RULES
from econet.deployment.targets.litert.schema import (
    Code,
    LiteTensor,
    Options,
    Quantization,
    TensorType,
    serialise,
)
from econet.deployment.targets.logits_grid import logits_grid
from econet.errors import UserError

_RESHAPE_OPTIONS = 17
# Behind these the logits lie on the grid of what they were before.
_MOVING = ("Flatten", "Reshape", "Squeeze")


def to_tflite(model: onnx.ModelProto, logits_range: tuple[float, float] | None = None) -> bytes:
    """The .tflite bytes of an artifact; of an int8 one its logits become int8 over the `logits_range` seen.

    Raises UserError naming every operator that has no translation.
    """
    check_translatable(model)
    view = OnnxView(model)
    if logits_range is not None and view.nodes[-1].op_type not in _MOVING:
        grid = logits_grid(*logits_range)
        scale, zero_point = np.array([grid.scale], np.float32), np.array([grid.zero_point], np.int64)
        view.grids.setdefault(OUTPUT, Quantization(scale, zero_point))
    draft = Draft(view)
    _write_input(draft, model)
    for node in view.nodes:
        if node.output[0] not in draft.values and node.output[0] not in draft.skipped:
            RULES[node.op_type](draft, node)
    _write_output(draft)
    return serialise(draft.model)


def check_translatable(model: onnx.ModelProto) -> None:
    """Raises UserError naming the operators of `model` that no rule knows."""
    known = {*RULES, "Cast", "QuantizeLinear", "DequantizeLinear"}
    unknown = sorted({node.op_type for node in model.graph.node} - known)
    if unknown:
        raise UserError(
            "this network cannot become a LiteRT file",
            f"these of its operators have no translation: {', '.join(unknown)} (normalisation across channels, "
            "filters that are not shared and layers of one's own bring such)",
            "ship the ONNX file, or train the network without those layers",
        )


def _write_input(draft: Draft, model: onnx.ModelProto) -> None:
    number, channels, height, width = draft.view.shapes[INPUT]
    shape = (number, height, width, channels)
    grid = draft.view.grids.get(INPUT)
    if grid is not None:
        image = draft.tensor(LiteTensor(shape, TensorType.INT8, grid))
        draft.settle(INPUT, image)
    else:
        image = _write_pixels(draft, model, shape)
    draft.model.inputs["image"] = image


def _write_pixels(draft: Draft, model: onnx.ModelProto, shape: tuple[int, ...]) -> int:
    """The input of an fp32 file, in the place of the three nodes that scale the pixels."""
    scaling = baked_scaling(model)
    if scaling is None or [node.op_type for node in draft.view.nodes[:3]] != ["Cast", "Sub", "Mul"]:
        raise ValueError("not an artifact of EcoNet: it does not begin with the scaling of its pixels")
    cast, minus, times = draft.view.nodes[:3]
    draft.skipped |= {cast.output[0], minus.output[0]}
    offset, scale = scaling
    grid = Quantization(np.array([scale], np.float32), np.array([round(offset)], np.int64))
    image = draft.tensor(LiteTensor(shape, TensorType.UINT8, grid))
    draft.settle(times.output[0], draft.as_float(image))
    return image


def _write_output(draft: Draft) -> None:
    """The logits as [N, K]: a network that ends with a flattened mean has them as a map of one pixel."""
    value = draft.values[OUTPUT]
    tensor = value.tensor
    if len(draft.shape(tensor)) != 2:
        if draft.shape(tensor)[1:3] != (1, 1):
            raise refused(draft.view.nodes[-1], "the logits are a flattened map")
        classes = draft.view.shapes[OUTPUT][1]
        shape = draft.constant(np.array([-1, classes], np.int32))
        options = Options(_RESHAPE_OPTIONS, {})
        tensor = draft.add(Code.RESHAPE, [tensor, shape], (1, classes), draft.grid(tensor), options)
    draft.model.outputs["logits"] = tensor
