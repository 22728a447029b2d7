"""`export --to`: a finished run in another format than ONNX, with its sidecar and the same proof on the same images."""

import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from msgspec.structs import replace
from numpy.typing import NDArray
from torch import nn

from econet.data.dataset import Dataset
from econet.deployment.graph_writer import OUTPUT
from econet.deployment.parity import ParityBroken, worst_image
from econet.deployment.parity_cause import ParityFailure, likeliest_cause
from econet.deployment.predictor import Predictor
from econet.deployment.session import open_session, run_session
from econet.deployment.sidecar import sidecar_path, write_sidecar
from econet.deployment.targets.c_array import array_bytes
from econet.deployment.targets.catalog import TARGETS
from econet.deployment.targets.target import LogitsRange, Target, TargetFiles
from econet.errors import UserError
from econet.files import sha256_of_all, write_whole
from econet.images.preprocess import Pixels
from econet.jobs.confidence import confidence_of
from econet.jobs.export import (
    Sample,
    artifact_model,
    calibration_images,
    export_run,
    file_logits,
    parity_of,
    parity_sample,
    torch_logits,
)
from econet.jobs.networks import is_quantized, network_of
from econet.jobs.prove import prove_beside
from econet.jobs.prove_elsewhere import prove_elsewhere
from econet.jobs.run_data import check_same_data, load_again, seen_by
from econet.runs.artifact_records import Export, Parity, ValidationAccuracy
from econet.runs.beside import beside
from econet.runs.choices import Format, OtherRuntime
from econet.runs.folder import Run
from econet.runs.record import read_record, write_record
from econet.training.progress import Progress

_BATCH = 256
Floats = NDArray[np.float32]


def export_as(
    run: Run,
    *,
    to: Format,
    int8: bool,
    parity_drop: float,
    progress: Progress,
    data_dir: Path | None = None,
    dataset: Dataset | None = None,
    module: nn.Module | None = None,
    prove_in: OtherRuntime | None = None,
) -> Export:
    """Export a finished run to the format `to`, on its own data loaded again unless there is a `dataset`.

    With `prove_in` an ONNX file is proven in that runtime too; one that differs there stays, proven in its own.
    Raises ParityBroken where the file answers otherwise than the network, UserError where a package is missing or the
    network holds what the format has no word for.
    """
    target = None if to == "onnx" else TARGETS[to]
    if prove_in is not None:
        if target is not None:
            raise UserError(f"--prove-in {prove_in} does not go with --to {to}", "it runs ONNX files", "--to onnx")
        TARGETS[prove_in].check_installed()
    if target is not None:
        target.check_installed()
    if dataset is None:
        dataset = load_again(run.config.data, data_dir=data_dir)
    if target is None:
        record = export_run(run, dataset, int8=int8, parity_drop=parity_drop, progress=progress, module=module)
        if prove_in is None:
            return record
        return prove_elsewhere(run, dataset, record, prove_in, parity_drop=parity_drop, module=module)
    return export_target(run, dataset, target, int8=int8, parity_drop=parity_drop, progress=progress, module=module)


def export_target(
    run: Run,
    dataset: Dataset,
    target: Target,
    *,
    int8: bool,
    parity_drop: float,
    progress: Progress,
    module: nn.Module | None = None,
) -> Export:
    """Write `model.tflite`, `model.int8.xml`... and a sidecar, unless they are there and whole.

    Of a quantized run that is always the int8 file. The file is made from the ONNX artifact of the same run, so that
    both have the same weights and grids, and proven as that is. One that fails is kept as `*.failed.*`. Raises
    ParityBroken.
    """
    check_same_data(run.config.data, dataset, run.folder)
    dataset = seen_by(dataset, run.config.architecture)
    int8 = int8 or is_quantized(run)
    path = run.artifact("int8" if int8 else "fp32", target.format)
    done = _finished(path)
    if done is not None:
        return done
    network = network_of(run, module)
    model, warnings = artifact_model(run, network, dataset, int8=int8)
    pixels = calibration_images(dataset, run.config.seed)
    made = target.make(model, _logits_range(model, pixels), path.stem)
    _remove(path, made)
    failed = path.with_name(f"{path.stem}.failed{path.suffix}")
    _write(failed, made)
    with _opened(failed) as predictor:
        confidence = confidence_of(predictor.logits, dataset, progress)
    write_sidecar(failed, replace(made.sidecar, confidence=confidence))
    proof = _prove(failed, model, network, dataset, parity_drop)
    record = replace(_record(path, target, made, proof, warnings), confidence=confidence)
    # The file that is looked for comes last: a process that dies in between leaves no unproven artifact.
    sidecar_path(failed).replace(sidecar_path(path))
    for ending in reversed(made.contents):
        failed.with_suffix(ending).replace(path.with_suffix(ending))
    if path.suffix != ".cc":  # text for a compiler, which no runtime here opens
        prove_beside(path)
    write_record(beside(path, "export.json"), record)
    parity = record.parity
    progress.note(
        f"{path}: {made.held_bytes:,} bytes, same answer on {100 * parity.top1_agreement:.2f} % of "
        f"{parity.images + parity.files} validation images"
    )
    return record


def _finished(path: Path) -> Export | None:
    """The record of an artifact that lies there whole, its sidecar too."""
    recorded = beside(path, "export.json")
    if not (path.exists() and recorded.exists() and sidecar_path(path).exists()):
        return None
    record = read_record(recorded, Export)
    if record.file != path.name or any(Path(name).stem != path.stem for name in record.files):
        return None
    files = [path.with_suffix(Path(name).suffix) for name in record.files]
    whole = all(file.exists() for file in files) and sha256_of_all(files) == record.sha256
    return record if whole else None


def _remove(path: Path, made: TargetFiles) -> None:
    for each in (beside(path, "export.json"), sidecar_path(path), *map(path.with_suffix, made.contents)):
        each.unlink(missing_ok=True)


def _write(path: Path, made: TargetFiles) -> None:
    for ending, content in made.contents.items():
        write_whole(path.with_suffix(ending), content)
    write_sidecar(path, made.sidecar)


def _logits_range(model: onnx.ModelProto, pixels: Pixels) -> LogitsRange:
    """Smallest and largest logit of an artifact over training images [N, C, H, W]."""
    session = open_session(model.SerializeToString())
    found = [
        run_session(session, [OUTPUT], pixels[start : start + _BATCH])[0] for start in range(0, len(pixels), _BATCH)
    ]
    return float(min(each.min() for each in found)), float(max(each.max() for each in found))


@contextmanager
def _opened(path: Path) -> Generator[Predictor]:
    """The file at `path` in its runtime; of a C array the .tflite file that its text holds."""
    if path.suffix != ".cc":
        yield Predictor(path)
        return
    with tempfile.TemporaryDirectory() as folder:
        held = Path(folder) / "model.tflite"
        held.write_bytes(array_bytes(path.read_text()))
        sidecar_path(held).write_bytes(sidecar_path(path).read_bytes())
        yield Predictor(held)


@dataclass(frozen=True, slots=True)
class _Proof:
    parity: Parity
    accuracy: ValidationAccuracy


def _prove(path: Path, model: onnx.ModelProto, network: nn.Module, dataset: Dataset, parity_drop: float) -> _Proof:
    """Parity of the file at `path` with the network in torch. Raises ParityBroken."""
    sample = parity_sample(dataset)
    expected = torch_logits(network, sample.pixels, dataset.preprocess)
    with _opened(path) as predictor:
        answered = file_logits(predictor, sample.stored, sample.files, dataset.classes)
        parity = parity_of(predictor, expected, answered, sample, parity_drop)
    if not parity.passed:
        raise ParityBroken(
            f"{path.name} does not answer as the network does: the same class on "
            f"{100 * parity.top1_agreement:.2f} % of {len(sample.labels)} images, "
            f"logits up to {parity.max_logit_difference:.3g} apart\n"
            f"  worst: validation image {sample.name_of(worst_image(expected, answered))}\n"
            f"  likeliest cause: {_cause(model, expected, sample, dataset, parity_drop)}"
        )
    right = [float((logits.argmax(1) == sample.labels).mean()) for logits in (expected, answered)]
    return _Proof(parity, ValidationAccuracy(network=right[0], artifact=right[1]))


def _cause(model: onnx.ModelProto, expected: Floats, sample: Sample, dataset: Dataset, parity_drop: float) -> str:
    """Whether the ONNX artifact answers otherwise too, and then why; else it is what became of it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        path.write_bytes(model.SerializeToString())
        predictor = Predictor(path)
        answered = file_logits(predictor, sample.stored, sample.files, dataset.classes)
        if parity_of(predictor, expected, answered, sample, parity_drop).passed:
            return "the translation: the ONNX file that it was made from answers as the network does"
        failure = ParityFailure(
            path=path,
            pixels=sample.pixels,
            torch_logits=expected,
            artifact_logits=answered,
            run_artifact=lambda pixels: file_logits(predictor, pixels, (), dataset.classes),
            preprocess=dataset.preprocess,
            classes=dataset.classes,
        )
        return f"{likeliest_cause(failure).reason} (in the ONNX file that it was made from)"


def _record(path: Path, target: Target, made: TargetFiles, proof: _Proof, warnings: tuple[str, ...]) -> Export:
    return Export(
        file=path.name,
        files=tuple(path.with_suffix(ending).name for ending in made.contents),
        format=target.format,
        bytes=made.held_bytes,
        sha256=made.sha256,
        precision=made.sidecar.precision,
        parity=proof.parity,
        accuracy_validation=proof.accuracy,
        warnings=warnings,
    )
