"""`export`: a finished run becomes a file, and the file is proven to answer as the network does."""

from dataclasses import dataclass
from math import sqrt
from pathlib import Path

import numpy as np
import onnx
import torch
from msgspec.structs import replace
from numpy.typing import NDArray
from torch import nn

from econet.compression.fake_quant import FakeQuantNetwork
from econet.compression.quantization import activation_ranges, float_islands, quantize
from econet.data.augmentation import Augmenter
from econet.data.dataset import Dataset
from econet.data.stream import in_memory
from econet.deployment.confidence import embed_confidence
from econet.deployment.metadata import Metadata
from econet.deployment.network_layers import layer_outputs
from econet.deployment.onnx_export import export_network
from econet.deployment.parity import ParityBroken, check_parity, check_quantized_parity
from econet.deployment.parity_cause import ParityFailure, likeliest_cause
from econet.deployment.predictor import Predictor
from econet.errors import UserError
from econet.files import remove, rename, sha256_of, write_whole
from econet.images.decode import decode
from econet.images.preprocess import Pixels, Preprocess, cropped, resized
from econet.jobs.confidence import confidence_of, logits_in_memory
from econet.jobs.networks import is_quantized, network_of
from econet.jobs.prove import prove_beside
from econet.jobs.run_data import check_same_data, load_again, seen_by
from econet.models.network import Network
from econet.runs.artifact_records import Export, Parity, ValidationAccuracy
from econet.runs.folder import Run
from econet.runs.record import read_record, write_record
from econet.statistics.streams import stream_seed
from econet.training.inference import logits_of
from econet.training.progress import Progress

# Real training images that set the activation ranges of a static int8 file.
CALIBRATION_IMAGES = 500
# Of the user's original files, decoded again by the Predictor.
PARITY_FILES = 64
# Of validation pictures that stay on disk.
PARITY_STREAMED = 1000
LAYER_IMAGES = 2
# Static int8 that loses more validation accuracy than this is worth a training with fake quantization.
COSTLY = 0.01


def export(run: Run, *, int8: bool, parity_drop: float, progress: Progress, data_dir: Path | None = None) -> Export:
    """Export a finished run whose data are loaded again. Raises ParityBroken where the file answers otherwise."""
    dataset = load_again(run.config.data, data_dir=data_dir)
    return export_run(run, dataset, int8=int8, parity_drop=parity_drop, progress=progress)


def export_run(
    run: Run,
    dataset: Dataset,
    *,
    int8: bool,
    parity_drop: float,
    progress: Progress,
    module: nn.Module | None = None,
) -> Export:
    """Write `model.onnx` or `model.int8.onnx` with its sidecar, unless both are there and whole.

    Of a quantized run that is always `model.int8.onnx`, straight from its plan and its trained weights. Parity is
    proven on validation images and, where the data are photos, on up to 64 of their files. A file that fails is kept
    as `*.failed.onnx`; one that passes gets its own proof beside it.
    Raises ParityBroken naming the worst image and the likeliest cause.
    """
    check_same_data(run.config.data, dataset, run.folder)
    dataset = seen_by(dataset, run.config.architecture)
    path = run.artifact("int8" if int8 or is_quantized(run) else "fp32")
    done = finished_export(path)
    if done is not None:
        prove_beside(path)
        return done
    network = network_of(run, module)
    model, warnings = artifact_model(run, network, dataset, int8=int8)
    record = write_proven(path, model, network, dataset, parity_drop, warnings, progress)
    parity = record.parity
    progress.note(
        f"{path}: {record.bytes:,} bytes, same answer on {100 * parity.top1_agreement:.2f} % of "
        f"{parity.images + parity.files} validation images"
    )
    return record


def write_proven(
    path: Path,
    model: onnx.ModelProto,
    network: nn.Module,
    dataset: Dataset,
    parity_drop: float,
    warnings: tuple[str, ...],
    progress: Progress,
) -> Export:
    """Write the artifact `model` of `network`, how sure it is told in it, with its sidecar and its proof.

    It bears its name once it is proven: a process that dies in between leaves no unproven artifact. One of the same
    bytes that lies there whole is left as it is. Raises ParityBroken as `export_run` does.
    """
    confidence = confidence_of(logits_in_memory(model, dataset), dataset, progress)
    if confidence is not None:
        embed_confidence(model, confidence)
    content = model.SerializeToString()
    done = finished_export(path)
    if done is not None and path.read_bytes() == content:
        return done
    failed = path.with_name(f"{path.stem}.failed.onnx")
    remove(path, sidecar(path))
    write_whole(failed, content)
    record = _proven(failed, path.name, network, dataset, parity_drop, warnings)
    if record.precision == "int8" and not isinstance(network, FakeQuantNetwork):
        record = _with_loss(record, path.parent)
    rename(failed, path)
    prove_beside(path)
    write_record(sidecar(path), record)
    return record


def artifact_model(
    run: Run, network: nn.Module, dataset: Dataset, *, int8: bool
) -> tuple[onnx.ModelProto, tuple[str, ...]]:
    """The artifact of a run's network in memory, not proven yet, and what there is to warn of."""
    config = run.config
    if isinstance(network, FakeQuantNetwork):
        data = config.data
        metadata = Metadata(name=config.model, classes=data.classes, preprocess=data.preprocess, precision="int8")
        return network.file(metadata), config.warnings
    model = export_network(network, config.data.preprocess, config.data.classes, config.model)
    if not int8:
        return model, ()
    model = quantize(model, activation_ranges(model, calibration_images(dataset, config.seed)))
    islands = float_islands(model)
    return model, (float_warning(islands),) if islands else ()


def float_warning(islands: list[str]) -> str:
    """The warning about operators of an int8 file that are computed in float."""
    return f"these operators stay in float: {', '.join(islands)}"


def costs_much(lost: float, images: int) -> bool:
    """Whether a share `lost` of right answers on so many images is over a point, and more than chance.

    The two answer differently on at least that share, so a paired difference has a standard error of sqrt(lost / n).
    """
    return lost > COSTLY and lost > 2 * sqrt(lost / images)


def _with_loss(record: Export, folder: Path) -> Export:
    """The record of a static int8 file with a warning where it cost more than a point of validation accuracy."""
    accuracy = record.accuracy_validation
    lost = accuracy.network - accuracy.artifact
    if not costs_much(lost, record.parity.images + record.parity.files):
        return record
    warning = f"int8 lost {100 * lost:.1f} points of validation accuracy; `econet quantize {folder}` trains them back"
    return replace(record, warnings=(*record.warnings, warning))


def sidecar(path: Path) -> Path:
    """`model.int8.onnx` -> `model.int8.export.json` beside it."""
    return path.with_name(f"{path.stem}.export.json")


def finished_export(path: Path) -> Export | None:
    """The record of an artifact that lies there whole; None where it is absent or not what the record says."""
    if not (path.exists() and sidecar(path).exists()):
        return None
    record = read_record(sidecar(path), Export)
    return record if (record.file, record.sha256) == (path.name, sha256_of(path)) else None


def calibration_images(dataset: Dataset, seed: int, most: int | None = None) -> Pixels:
    """At most `most` (500) training images as the file takes them, drawn by `seed`, uint8 [N, C, H, W]."""
    rng = np.random.default_rng(stream_seed(seed, "calibration"))
    count = min(CALIBRATION_IMAGES if most is None else most, len(dataset.train))
    chosen = np.sort(rng.choice(len(dataset.train), count, replace=False))
    pixels = cropped(dataset.train.pixels[chosen], dataset.preprocess)
    return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))


@dataclass(frozen=True, slots=True)
class Sample:
    """The images of a parity check: stored ones, then pictures decoded again from their files."""

    stored: Pixels
    decoded: Pixels
    labels: NDArray[np.int64]
    files: tuple[Path, ...]

    @property
    def pixels(self) -> Pixels:
        """Both, in that order."""
        return np.concatenate([self.stored, self.decoded])

    def name_of(self, row: int) -> str:
        """The number of a stored image, or the name of a file."""
        return str(row) if row < len(self.stored) else str(self.files[row - len(self.stored)])


def _proven(
    path: Path, name: str, network: nn.Module, dataset: Dataset, parity_drop: float, warnings: tuple[str, ...]
) -> Export:
    """The export record of the file at `path`, to be called `name`, where it answers as the network does."""
    predictor = Predictor(path)
    sample = parity_sample(dataset)
    expected = torch_logits(network, sample.pixels, dataset.preprocess)
    answered = file_logits(predictor, sample.stored, sample.files, dataset.classes)
    if isinstance(network, FakeQuantNetwork):
        parity = check_quantized_parity(expected, answered, files=len(sample.decoded))
    else:
        parity = parity_of(predictor, expected, answered, sample, parity_drop)
    if not parity.passed or (predictor.classes, predictor.preprocess) != (dataset.classes, dataset.preprocess):
        raise _broken(predictor, network, dataset, sample, expected, answered, parity)
    return Export(
        file=name,
        format="onnx",
        bytes=path.stat().st_size,
        sha256=sha256_of(path),
        precision=predictor.precision,
        parity=parity,
        accuracy_validation=ValidationAccuracy(
            network=float((expected.argmax(1) == sample.labels).mean()),
            artifact=float((answered.argmax(1) == sample.labels).mean()),
        ),
        warnings=warnings,
        confidence=predictor.confidence,
    )


def torch_logits(network: nn.Module, pixels: Pixels, preprocess: Preprocess) -> NDArray[np.float32]:
    """Logits [N, K] of stored images through the training side: its own preprocessing, torch in float32."""
    device = torch.device("cpu")
    augmenter = Augmenter(torch.from_numpy(np.ascontiguousarray(pixels)), preprocess, "none", device)
    return logits_of(network.to(device), augmenter.plain, len(pixels), "fp32").numpy()


def file_logits(
    predictor: Predictor, stored: Pixels, files: tuple[Path, ...], classes: tuple[str, ...]
) -> NDArray[np.float32]:
    """Logits of the file alone, in the order of `classes`, matched by name; it decodes original `files` itself."""
    order = [predictor.classes.index(name) for name in classes]
    decoded = [predictor.stored(file)[None] for file in files]
    return predictor.logits(np.concatenate([stored, *decoded]))[:, order]


def parity_sample(dataset: Dataset) -> Sample:
    """The images that a file of these data is proven on. Raises UserError where there are none."""
    images = in_memory(dataset.validation, PARITY_STREAMED)
    if not len(images):
        raise UserError("no validation images to prove the export on", "the split holds none", "--validation 0.1")
    rows = np.linspace(0, len(images) - 1, min(PARITY_FILES, len(images.files))).round().astype(int)
    files = tuple(images.files[row] for row in rows)
    decoded = [resized(decode(file, dataset.preprocess.channels), dataset.preprocess) for file in files]
    return Sample(
        stored=images.pixels,
        decoded=np.stack(decoded) if decoded else images.pixels[:0],
        labels=np.concatenate([images.labels, images.labels[rows]]),
        files=files,
    )


def parity_of(
    predictor: Predictor,
    expected: NDArray[np.float32],
    answered: NDArray[np.float32],
    sample: Sample,
    parity_drop: float,
) -> Parity:
    """The parity of a file's answers on a sample with those expected, by the limits of its precision."""
    return check_parity(
        expected,
        answered,
        precision=predictor.precision,
        labels=sample.labels,
        parity_drop=parity_drop,
        files=len(sample.decoded),
    )


def _broken(
    predictor: Predictor,
    network: nn.Module,
    dataset: Dataset,
    sample: Sample,
    expected: NDArray[np.float32],
    answered: NDArray[np.float32],
    parity: Parity,
) -> ParityBroken:
    cause = likeliest_cause(
        ParityFailure(
            path=predictor.path,
            pixels=sample.pixels,
            torch_logits=expected,
            artifact_logits=answered,
            run_artifact=lambda pixels: file_logits(predictor, pixels, (), dataset.classes),
            preprocess=dataset.preprocess,
            classes=dataset.classes,
            layers=layer_outputs(network, sample.pixels[:LAYER_IMAGES], dataset.preprocess)
            if isinstance(network, Network)
            else (),
        )
    )
    return ParityBroken(
        f"{predictor.path.name} does not answer as the network does: the same class on "
        f"{100 * parity.top1_agreement:.2f} % of {len(sample.labels)} images, "
        f"logits up to {parity.max_logit_difference:.3g} apart\n"
        f"  worst: validation image {sample.name_of(cause.image)}\n"
        f"  likeliest cause: {cause.reason}"
    )
