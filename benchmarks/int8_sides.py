"""The files of `int8_nncf.py`: ours and NNCF's, made of one trained network and calibrated on the same images."""

import importlib
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import onnx

from econet.compression.quantization import activation_ranges, quantize
from econet.data.dataset import Dataset
from econet.deployment.artifact_file import open_artifact
from econet.deployment.engines.engine import Engine
from econet.deployment.engines.openvino import OpenVinoEngine
from econet.deployment.strip import strip
from econet.errors import UserError
from econet.files import write_whole
from econet.jobs.export import artifact_model, calibration_images
from econet.jobs.networks import float_file, network_of
from econet.jobs.options import QuantizeOptions
from econet.jobs.quantize import quantize as quantize_aware
from econet.runs.folder import Run
from econet.training.progress import Silent

OURS = ("econet static", "econet aware")
RUNTIMES = ("onnxruntime", "openvino")


class Lines(Silent):
    """Notes go to standard error, so that the table alone is on standard output."""

    def note(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)


@dataclass(frozen=True, slots=True)
class Side:
    """One int8 file: its name, where it lies, its bytes as written and after stripping (ONNX alone).

    `runtimes` open it; what ONNX Runtime said where it does not is in `refused`.
    """

    name: str
    path: Path
    bytes: int
    stripped_bytes: int | None
    runtimes: tuple[str, ...]
    refused: str | None = None

    def open(self, runtime: str, batch: int | None) -> Engine:
        """The file, as it ships, open in a runtime on one thread. Raises UserError where that cannot run it."""
        if self.path.suffix == ".onnx":
            return open_artifact(self.path, "openvino" if runtime == "openvino" else None).engine(batch=batch)
        weights = self.path.with_suffix(".bin").read_bytes()
        return OpenVinoEngine(self.path.read_bytes(), weights, threads=1, batch=batch)


def onnx_side(name: str, model: onnx.ModelProto, folder: Path) -> Side:
    """An ONNX file of the model, stripped: that is what is measured, and both sizes are told."""
    path = folder / f"{name.replace(' ', '-')}.onnx"
    lean = strip(model).SerializeToString()
    write_whole(path, lean)
    side = Side(name, path, len(model.SerializeToString()), len(lean), RUNTIMES)
    try:
        side.open("onnxruntime", 1)
    except UserError as error:
        return replace(side, runtimes=RUNTIMES[1:], refused=error.why)
    return side


def our_sides(run: Run, dataset: Dataset, folder: Path, epochs: int) -> list[Side]:
    """Static int8 and, where `epochs` are asked for, quantization-aware int8 of a finished run."""
    plain = float_file(run)
    static = quantize(plain, activation_ranges(plain, calibration_images(dataset, run.config.seed)))
    sides = [onnx_side(OURS[0], static, folder)]
    if epochs:
        aware = Run(folder / "aware")
        options = QuantizeOptions(epochs=epochs, seed=run.config.seed, threads=1)
        aware = quantize_aware(aware.folder, run, dataset, options, Lines(), resume=aware.exists)
        model, _ = artifact_model(aware, network_of(aware), dataset, int8=True)
        sides.append(onnx_side(OURS[1], model, folder))
    return sides


def nncf_sides(run: Run, dataset: Dataset, folder: Path) -> list[Side]:
    """NNCF's post-training int8 of the same float file: in ONNX, and in OpenVINO's own format."""
    try:
        import nncf
        import openvino
    except ImportError as error:
        raise UserError(
            "NNCF is not installed", "its files are the other side", 'pip install "econet[nncf]"'
        ) from error
    plain = float_file(run)
    pictures = calibration_images(dataset, run.config.seed)
    seen = cast("Any", nncf).Dataset([{"image": picture[None]} for picture in pictures])

    def quantized(model: Any, **more: Any) -> Any:
        return cast("Any", nncf).quantize(model, seen, subset_size=len(pictures), **more)

    advanced = importlib.import_module("nncf.quantization.advanced_parameters")
    per_tensor = advanced.AdvancedQuantizationParameters(
        activations_quantization_params=advanced.QuantizationParameters(per_channel=False)
    )
    sides = [
        onnx_side("nncf onnx", quantized(plain), folder),
        onnx_side("nncf per-tensor", quantized(plain, advanced_parameters=per_tensor), folder),
    ]
    source, path = folder / "float.onnx", folder / "nncf-openvino.xml"
    write_whole(source, plain.SerializeToString())
    openvino.save_model(quantized(openvino.Core().read_model(source)), path, compress_to_fp16=False)
    size = sum(part.stat().st_size for part in (path, path.with_suffix(".bin")))
    return [*sides, Side("nncf openvino", path, size, None, RUNTIMES[1:])]
