"""One artifact in another format: its files, and the sidecar that says what their format cannot."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import onnx

from econet.deployment import graph
from econet.deployment.metadata import read_metadata
from econet.deployment.sidecar import InputTensor, OutputTensor, Sidecar
from econet.errors import UserError
from econet.runs.choices import Format
from econet.version import __version__

LogitsRange = tuple[float, float]
# Stands for the file name in messages about an artifact that is not on disk.
SOURCE = Path("the artifact in memory")


@dataclass(frozen=True, slots=True)
class TargetFiles:
    """The contents of an artifact's files by the endings of their names, the one to open first, and its sidecar.

    `held_bytes` is what of them a device has to hold.
    """

    contents: dict[str, bytes]
    sidecar: Sidecar
    held_bytes: int

    @property
    def sha256(self) -> str:
        """Of the contents one after the other."""
        return hashlib.sha256(b"".join(self.contents.values())).hexdigest()


@dataclass(frozen=True, slots=True)
class Target:
    """A format: the package that makes and runs it, the extra that brings that, and what makes its files.

    `make` takes an artifact in ONNX, the smallest and largest logit seen, and the name of the files without ending.
    """

    format: Format
    package: str
    extra: str
    make: Callable[[onnx.ModelProto, LogitsRange, str], TargetFiles]

    def check_installed(self) -> None:
        """Raises UserError saying what to install where the package is missing."""
        if find_spec(self.package) is None:
            raise UserError(
                f"--to {self.format} needs {self.package}, which is not installed",
                "the file is run by it to prove its answers",
                f'pip install "econet[{self.extra}]"',
            )


def sidecar_for(
    model: onnx.ModelProto, content: bytes, given: InputTensor, answer: OutputTensor, *, countable: bool
) -> Sidecar:
    """The sidecar of `content`, made from the artifact `model`, whose counts it gets where it is not `countable`."""
    metadata = read_metadata(model, SOURCE)
    source = hashlib.sha256(model.SerializeToString()).hexdigest()
    return Sidecar(
        name=metadata.name,
        classes=metadata.classes,
        preprocess=metadata.preprocess,
        precision=metadata.precision,
        input=given,
        output=answer,
        provenance=f"made by EcoNet {__version__} from the ONNX artifact with SHA-256 {source}",
        sha256=hashlib.sha256(content).hexdigest(),
        macs=None if countable else graph.macs(model),
        parameters=None if countable else graph.parameters(model),
    )
