"""A .tflite file with its sidecar: read and checked against each other, counted, and opened in LiteRT."""

import math
from pathlib import Path
from typing import Literal, cast

from econet.deployment.engines import tflite_counts
from econet.deployment.engines.flatbuffer import Damaged
from econet.deployment.engines.litert import LiteRtEngine
from econet.deployment.engines.tflite_graph import Tensor, TfliteGraph, read_graph
from econet.deployment.graph import LayerSummary
from econet.deployment.metadata import Metadata
from econet.deployment.model_file import read_content
from econet.deployment.sidecar import InputTensor, Number, OutputTensor, Sidecar, read_sidecar, sidecar_path
from econet.errors import UserError
from econet.images.preprocess import Preprocess
from econet.runs.confidence_records import Confidence

# So many classes are written out where a sidecar is shown, whatever a file says of its output.
_MOST_CLASSES = 1000


class TfliteFile:
    """A `.tflite` file, checked, with its sidecar.

    Raises UserError where it is absent, cut or garbage, holds what no image classifier needs, or has no sidecar that
    fits it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._content = read_content(path)
        try:
            self.graph: TfliteGraph = read_graph(self._content)
        except Damaged as error:
            raise UserError(
                f"{path} is not a .tflite file that EcoNet can run",
                str(error),
                "restore the file from a copy, or make it again",
            ) from error
        self.sidecar = read_sidecar(path, self._content, _suggestion(path, self.graph))
        _check_fit(path, self.graph, self.sidecar)

    @property
    def metadata(self) -> Metadata:
        """Name, classes, preprocessing and precision, from the sidecar."""
        return self.sidecar.metadata

    @property
    def confidence(self) -> Confidence | None:
        """Its temperature and thresholds, from the sidecar; None where that has none."""
        return self.sidecar.confidence

    def engine(self, *, threads: int = 1, batch: int | None = None) -> LiteRtEngine:
        """Open it in LiteRT, whatever the batch: a file takes one image at a time.

        Raises UserError where LiteRT is not installed or cannot run the file.
        """
        del batch
        try:
            return LiteRtEngine(self._content, self.sidecar, threads=threads)
        except (ValueError, RuntimeError) as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise UserError(f"LiteRT cannot run {self.path}", reason, "make the file again") from error

    def layers(self) -> list[LayerSummary]:
        """The layers in the order they run."""
        return tflite_counts.layers(self.graph)

    def macs(self) -> int:
        """MACs of one image."""
        return tflite_counts.macs(self.graph)

    def parameters(self) -> int:
        """Weights and biases in the file."""
        return tflite_counts.parameters(self.graph)


def _suggestion(path: Path, graph: TfliteGraph) -> Sidecar:
    """A sidecar as far as the file tells; classes and, for a float input, offset and scale are the user's to give."""
    given, answer = graph.tensors[graph.input], graph.tensors[graph.output]
    shape = given.shape if len(given.shape) == 4 else (1, 0, 0, 3)
    layout: Literal["NHWC", "NCHW"] = "NCHW" if shape[1] in (1, 3) and shape[3] not in (1, 3) else "NHWC"
    height, width, channels = shape[1:] if layout == "NHWC" else (*shape[2:], shape[1])
    scale, zero_point = _grid_of(given)
    offset = 0 if zero_point is None else zero_point + (128 if given.type == "int8" else 0)
    return Sidecar(
        name=path.stem,
        classes=tuple(
            f"class {number}" for number in range(min(answer.shape[-1], _MOST_CLASSES) if answer.shape else 0)
        ),
        preprocess=Preprocess(
            image_size=(height, width),
            channels=cast("Literal[1, 3]", channels),
            resize_size=(height, width),
            offset=offset,
            scale=1.0 if scale is None else scale,
        ),
        precision="fp32" if given.type == "float32" else "int8",
        input=InputTensor(type=_number_of(given), layout=layout, scale=scale, zero_point=zero_point),
        output=OutputTensor(
            type=_number_of(answer),
            holds="probabilities" if _is_softmax(graph) else "logits",
            scale=_grid_of(answer)[0],
            zero_point=_grid_of(answer)[1],
        ),
    )


def _grid_of(tensor: Tensor) -> tuple[float, int] | tuple[None, None]:
    if tensor.type == "float32" or not len(tensor.scales):
        return None, None
    return float(tensor.scales[0]), int(tensor.zero_points[0]) if len(tensor.zero_points) else 0


def _same_grid(found: tuple[float | None, int | None], promised: tuple[float | None, int | None]) -> bool:
    """A scale in JSON may be rounded to the digits of a float32."""
    if found[0] is None or promised[0] is None:
        return found == promised
    return math.isclose(found[0], promised[0], rel_tol=1e-6) and found[1] == promised[1]


def _number_of(tensor: Tensor) -> Number:
    match tensor.type:
        case "int8" | "uint8":
            return tensor.type
        case _:
            return "float32"


def _is_softmax(graph: TfliteGraph) -> bool:
    """Whether the output comes from a softmax, through a change of its grid or not."""
    wanted = graph.output
    for each in reversed(graph.operations):
        if wanted in each.outputs:
            if each.kind not in ("QUANTIZE", "DEQUANTIZE"):
                return each.kind == "SOFTMAX"
            wanted = each.inputs[0]
    return False


def _check_fit(path: Path, graph: TfliteGraph, sidecar: Sidecar) -> None:
    """Shapes, types and grids of the file's ends must be those that its sidecar says."""
    record, given, answer = sidecar.preprocess, sidecar.input, sidecar.output
    sides, channels = record.image_size, record.channels
    image = (*sides, channels) if given.layout == "NHWC" else (channels, *sides)
    promised = [
        ("input", (1, *image), given.type, (given.scale, given.zero_point)),
        ("output", (1, len(sidecar.classes)), answer.type, (answer.scale, answer.zero_point)),
    ]
    for (name, shape, kind, grid), number in zip(promised, (graph.input, graph.output), strict=True):
        tensor = graph.tensors[number]
        found = _grid_of(tensor)
        if (tensor.shape, tensor.type) != (shape, kind) or not _same_grid(found, grid):
            raise UserError(
                f"{path} does not fit its sidecar {sidecar_path(path).name}",
                f"its {name} is {tensor.type} {list(tensor.shape)} with scale and zero point {found}, and the sidecar "
                f"says {kind} {list(shape)} with {grid}",
                "correct the sidecar, or restore the file",
            )
