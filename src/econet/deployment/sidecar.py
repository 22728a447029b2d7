"""The sidecar: what a file whose format holds no metadata says about itself, as JSON beside it.

`small.tflite` has `small.tflite.json`. It is not counted in the model's bytes.
"""

import hashlib
import math
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from econet.deployment.confidence import checked
from econet.deployment.metadata import Metadata
from econet.errors import UserError
from econet.images.preprocess import Preprocess, misfit
from econet.runs.artifact_records import Precision
from econet.runs.confidence_records import Confidence
from econet.runs.record import SCHEMA, Record, read_record, write_record

Number = Literal["float32", "int8", "uint8"]
Counted = Annotated[int, msgspec.Meta(ge=0, le=10**15)]


class InputTensor(Record, frozen=True, kw_only=True):
    """How `x = (pixel - offset) * scale` of the Preprocess record stands in the file's input.

    float32 holds x itself; int8 and uint8 hold `round(x / scale) + zero_point`. A file that takes raw gray levels has
    a Preprocess with offset 0 and scale 1.
    """

    type: Number
    layout: Literal["NHWC", "NCHW"] = "NHWC"
    scale: float | None = None
    zero_point: int | None = None


class OutputTensor(Record, frozen=True, kw_only=True):
    """What the file gives for each class: [1, K], of integers `(code - zero_point) * scale`."""

    type: Number
    holds: Literal["logits", "probabilities"]
    scale: float | None = None
    zero_point: int | None = None


class Sidecar(Record, frozen=True, kw_only=True):
    """`<file>.json`: the keys of an artifact's metadata, and how the ends of the file are to be read.

    `provenance` says where the file comes from; with `sha256` the sidecar belongs to that one file alone (of a format
    with two files: to their contents, one after the other). `macs` and `parameters` are those of the graph that a file
    was made from, where it cannot be counted itself. `confidence` is the entry that an ONNX file has in its metadata.
    """

    schema: int = SCHEMA
    name: str
    classes: tuple[str, ...]
    preprocess: Preprocess
    precision: Precision
    input: InputTensor
    output: OutputTensor
    provenance: str | None = None
    sha256: str | None = None
    macs: Counted | None = None
    parameters: Counted | None = None
    confidence: Confidence | None = None

    @property
    def metadata(self) -> Metadata:
        """The part that every artifact has."""
        return Metadata(name=self.name, classes=self.classes, preprocess=self.preprocess, precision=self.precision)

    def count(self, what: Literal["macs", "parameters"], artifact: Path) -> int:
        """One of the counts. Raises UserError naming `artifact` where the sidecar does not have it."""
        found = self.macs if what == "macs" else self.parameters
        if found is None:
            raise UserError(
                f"the {what} of {artifact} are not known",
                f"its format cannot be counted, and {sidecar_path(artifact).name} does not say",
                "export it again with `econet export`, or measure the ONNX file",
            )
        return found


def sidecar_path(artifact: Path) -> Path:
    """`small.tflite` -> `small.tflite.json` beside it."""
    return artifact.with_name(f"{artifact.name}.json")


def write_sidecar(artifact: Path, sidecar: Sidecar) -> None:
    """Write the sidecar of `artifact`, whole or not at all."""
    write_record(sidecar_path(artifact), sidecar)


def read_sidecar(artifact: Path, content: bytes, suggestion: Sidecar) -> Sidecar:
    """The sidecar of `artifact`, whose bytes are `content`.

    Raises UserError where there is none (then with `suggestion`, ready to be written), where it is wrong, or where it
    belongs to another file.
    """
    path = sidecar_path(artifact)
    if not path.exists():
        raise UserError(
            f"{artifact} does not say what its answers mean",
            f"its format holds no metadata, and there is no sidecar {path.name} beside it",
            f"write one, with the right classes and preprocess: {_compact(suggestion)}",
        )
    found = read_record(path, Sidecar)
    if found.confidence is not None:
        checked(found.confidence, path)
    wrong = misfit(found.preprocess)
    if wrong is not None:
        raise UserError(f"{path} is not a sidecar EcoNet can use", wrong, "give the sizes of the file's own pictures")
    for end in (found.input, found.output):
        _check_grid(end, path)
    if found.sha256 is not None and found.sha256 != hashlib.sha256(content).hexdigest():
        raise UserError(
            f"{path} belongs to another file than {artifact.name}",
            "its sha256 is not that of the file",
            "restore the file, or write a sidecar for it",
        )
    return found


def _check_grid(end: InputTensor | OutputTensor, path: Path) -> None:
    """An integer tensor has a scale and a zero point, a float one has neither."""
    given = (end.scale is not None, end.zero_point is not None)
    usable = end.scale is None or (end.scale > 0 and math.isfinite(end.scale))
    if set(given) != {end.type != "float32"} or not usable:
        raise UserError(
            f"{path} is not a sidecar EcoNet can use",
            f"a tensor of {end.type} has scale {end.scale} and zero_point {end.zero_point}",
            "give both for int8 and uint8 (the scale above 0), neither for float32",
        )


def _compact(sidecar: Sidecar) -> str:
    return msgspec.json.encode(sidecar).decode()
