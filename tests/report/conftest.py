"""A small comparison's folder with real pictures and real ONNX files; the answers in it are made up."""

import gzip
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from econet.deployment.metadata import Metadata, embed
from econet.images.preprocess import Preprocess
from econet.measurement.accuracy import Predictions
from econet.report.pictures import write_pictures
from econet.runs.artifact_records import (
    Benchmark,
    ClassAccuracy,
    EvaluatedData,
    Evaluation,
    Export,
    Latency,
    Machine,
    Parity,
    ReliabilityBin,
    Runtime,
    TorchAgreement,
    ValidationAccuracy,
)
from econet.runs.comparison_records import (
    Comparison,
    ComparisonSeconds,
    Ratios,
    Repeat,
    Side,
    SideTraining,
    Step,
)
from econet.runs.difference import Difference
from econet.runs.folder import Run
from econet.runs.record import write_record
from econet.runs.records import DataConfig, Epoch, MachineChoices, Plan, RunConfig, TrainingConfig
from econet.statistics.calibration import ece, nll
from econet.statistics.intervals import margin_for_yes, provable_margin, tango, verdict, wilson

CLASSES = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)
# Parameters, MACs, bytes, milliseconds of each file, roughly as measured.
COSTS = {
    "baseline fp32": (1_100_000, 20_100_000, 4_410_000, 0.452),
    "baseline int8": (1_100_000, 20_100_000, 1_120_000, 0.201),
    "candidate fp32": (62_400, 1_910_000, 262_000, 0.168),
    "candidate int8": (62_400, 1_910_000, 81_300, 0.119),
    "teacher fp32": (3_400_000, 210_000_000, 13_600_000, 3.11),
}


def real_pictures(count: int) -> tuple[np.ndarray, np.ndarray]:
    """The first test pictures of Fashion-MNIST as [N, 28, 28, 1], and their labels."""
    folder = files("econet.data") / "fashion_mnist"
    with gzip.open(str(folder / "t10k-images-idx3-ubyte.gz")) as stream:
        pixels = np.frombuffer(stream.read(16 + count * 784), dtype=np.uint8, offset=16)
    with gzip.open(str(folder / "t10k-labels-idx1-ubyte.gz")) as stream:
        labels = np.frombuffer(stream.read(8 + count), dtype=np.uint8, offset=8)
    return pixels.reshape(count, 28, 28, 1), labels.astype(np.uint16)


def write_network(path: Path, widths: tuple[int, ...], *, separable: bool, classes: int) -> None:
    """A small convolutional network as ONNX, its weights all zero; every second convolution halves the picture."""
    nodes, constants, tensor, channels = [], [], "image", 1

    def convolution(name: str, filters: int, kernel: int, stride: int, group: int) -> None:
        nonlocal tensor, channels
        weight = np.zeros((filters, channels // group, kernel, kernel), dtype=np.float32)
        constants.append(numpy_helper.from_array(weight, f"{name}.weight"))
        attributes = {"strides": [stride] * 2, "pads": [kernel // 2] * 4, "group": group}
        nodes.append(helper.make_node("Conv", [tensor, f"{name}.weight"], [name], name, **attributes))
        tensor, channels = name, filters

    for number, width in enumerate(widths):
        stride = 2 if number % 2 else 1
        if separable and number:
            convolution(f"depthwise{number}", channels, 3, stride, channels)
            convolution(f"pointwise{number}", width, 1, 1, 1)
        else:
            convolution(f"conv{number}", width, 3, stride, 1)
    constants.append(numpy_helper.from_array(np.zeros((channels, classes), dtype=np.float32), "dense.weight"))
    nodes += [
        helper.make_node("GlobalAveragePool", [tensor], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("Gemm", ["flat", "dense.weight"], ["logits"]),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 1, 28, 28])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, classes])
    graph = helper.make_graph(nodes, "example", [image], [logits], constants)
    path.parent.mkdir(parents=True, exist_ok=True)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    names = tuple(f"class {number}" for number in range(classes))
    preprocess = Preprocess(image_size=(28, 28), channels=1, resize_size=(28, 28), offset=0, scale=1.0)
    embed(model, Metadata(name="example", classes=names, preprocess=preprocess, precision="fp32"))
    onnx.save(model, path)


def answers(truth: np.ndarray, wrong: np.ndarray, classes: int, seed: int) -> Predictions:
    """Predictions that are wrong exactly at the numbers `wrong`."""
    generator = np.random.default_rng(seed)
    predicted = truth.copy()
    predicted[wrong] = (truth[wrong] + generator.integers(1, classes, len(wrong))) % classes
    sure = 1 - 0.6 * generator.random(len(truth)) ** 3
    probabilities = np.repeat(((1 - sure) / (classes - 1))[:, None], classes, axis=1)
    probabilities[np.arange(len(truth)), predicted] = sure
    return Predictions(truth, predicted, probabilities.astype(np.float16))


def evaluation(given: Predictions, names: tuple[str, ...], subject: str, precision: str, split: str) -> Evaluation:
    n = len(given.truth)
    right = int((given.predicted == given.truth).sum())
    confusion = np.zeros((len(names), len(names)), dtype=int)
    np.add.at(confusion, (given.truth, given.predicted), 1)
    error, bins = ece(given.probabilities, given.truth)
    each = []
    for number, name in enumerate(names):
        images = int(confusion[number].sum())
        accuracy = float(confusion[number, number]) / images if images else None
        each.append(ClassAccuracy(name=name, images=images, accuracy=accuracy))
    return Evaluation(
        subject=subject,
        precision=precision,
        data=EvaluatedData(name="fashion-mnist", fingerprint="f" * 64, split=split, images=n),
        accuracy=right / n,
        accuracy_interval=wilson(right, n),
        top5_accuracy=None,
        per_class=tuple(each),
        confusion=tuple(tuple(row) for row in confusion.tolist()),
        nll=nll(given.probabilities, given.truth),
        ece=error,
        reliability=tuple(ReliabilityBin(confidence=b.confidence, accuracy=b.accuracy, images=b.images) for b in bins),
        torch_agreement=TorchAgreement(images=n, top1_agreement=1.0, max_logit_difference=2e-6),
        predictions_sha256="a1" * 32,
        test_reads=1,
        seconds=2.0,
    )


def benchmark(key: str) -> Benchmark:
    role, precision = key.split()
    parameters, macs, size, milliseconds = COSTS[key]
    return Benchmark(
        subject=role,
        precision=precision,
        parameters=parameters,
        parameters_trained=None,
        macs=macs,
        bytes=size,
        runtime=Runtime(name="onnxruntime", version="1.31.1", threads=1, spinning=False),
        latency_ms=Latency(p50=milliseconds, p95=1.3 * milliseconds, mean=1.05 * milliseconds, rounds=9, calls=200),
        cpu_s_per_1000=milliseconds * 1.02,
        throughput_images_per_s=900 / milliseconds,
        peak_memory_mb=61.5,
        energy_mj=None,
        energy_method="no counter on this machine",
        energy_estimate=None,
        machine=Machine(cpu="An x86 processor", cores=2, features=("avx2", "avx512_vnni")),
    )


def export(path: Path, precision: str) -> Export:
    return Export(
        file=path.name,
        format="onnx",
        bytes=path.stat().st_size,
        sha256="0c" * 32,
        precision=precision,
        parity=Parity(images=6000, files=0, top1_agreement=0.9987, max_logit_difference=0.0213, passed=True),
        accuracy_validation=ValidationAccuracy(network=0.92, artifact=0.919),
    )


def run_config(role: str, data: DataConfig) -> RunConfig:
    return RunConfig(
        created="2026-11-21T10:00:00Z",
        command="econet compare fashion-mnist --time 5m",
        econet="0.1.0",
        python="3.11.9",
        torch="2.13.0",
        git_commit=None,
        parent=None,
        data=data,
        model={"baseline": "alexnet_small", "candidate": "econet"}.get(role, "econet"),
        architecture={},
        training=TrainingConfig(
            epochs=None,
            time_s=150.0,
            batch_size=128,
            optimizer="sgd",
            schedule="one-cycle",
            lr=0.1,
            weight_decay=5e-4,
            label_smoothing=0.1,
            ema=0.99,
            augment="light",
            patience=None,
            teacher=None,
            from_weights=None,
        ),
        plan=Plan(epochs=8, steps_per_epoch=421, steps=3368, dropped_images=0),
        machine=MachineChoices(
            device="cpu",
            threads=2,
            precision="bf16",
            compile=False,
            processes=1,
            deterministic=False,
            measured_images_per_s={"2 threads, bf16": 5123.0, "2 threads, fp32": 2871.0},
            cpu="An x86 processor",
            capability="AVX512",
        ),
        seed=0,
    )


def history(run: Run, epochs: int, best: float, seconds: float) -> None:
    for epoch in range(1, epochs + 1):
        part = epoch / epochs
        run.append_epoch(
            Epoch(
                epoch=epoch,
                step=421 * epoch,
                loss=0.4 + 0.8 * (1 - part),
                train_accuracy=best,
                validation_loss=0.25 + 0.7 * (1 - part) ** 2,
                validation_accuracy=best - 0.16 * (1 - part) ** 1.5,
                lr=0.1 * (1 - abs(2 * part - 0.7) / 1.4),
                seconds=seconds * part,
                images_per_s=5000.0,
            )
        )


def make_comparison(
    folder: Path,
    *,
    n10: int = 40,
    n01: int = 38,
    both_wrong: int = 120,
    images: int = 2000,
    names: tuple[str, ...] = CLASSES,
    margin: float = 0.01,
    proof: str = "test",
    teacher: bool = True,
    trained: bool = True,
    epochs: int = 8,
    repeats: int = 0,
    latency_ratio: float | None = None,
    warnings: tuple[str, ...] = (),
    command: str = "econet compare fashion-mnist --time 5m",
) -> Comparison:
    """Write a comparison's folder; `n10` and `n01` pictures are right in the baseline or the candidate alone."""
    generator = np.random.default_rng(1)
    pixels, truth = real_pictures(images)
    truth = truth % len(names)
    shuffled = generator.permutation(images)
    shared = shuffled[n10 + n01 : n10 + n01 + both_wrong]
    wrong = {
        "candidate": np.concatenate([shuffled[:n10], shared]),
        "baseline": np.concatenate([shuffled[n10 : n10 + n01], shared]),
        "teacher": shared,
    }
    data = DataConfig(
        source="fashion-mnist",
        name="fashion-mnist",
        fingerprint="f" * 64,
        classes=names,
        split_seed=0,
        validation_fraction=0.1,
        preprocess=Preprocess(image_size=(28, 28), channels=1, resize_size=(28, 28), offset=73, scale=0.0111),
    )
    given: dict[str, Predictions] = {}
    sides: list[Side] = []
    for key in COSTS:
        role, precision = key.split()
        if role == "teacher" and not teacher:
            continue
        run = Run(folder / role)
        artifact = run.artifact(precision)
        widths = (8, 16, 16, 32) if role == "candidate" else (32, 64, 64, 128)
        write_network(artifact, widths, separable=role != "baseline", classes=len(names))
        given[key] = answers(truth, wrong[role], len(names), seed=len(sides))
        np.savez(
            artifact.with_name(f"{artifact.stem}.predictions.npz"),
            truth=given[key].truth,
            predicted=given[key].predicted,
            probabilities=given[key].probabilities,
        )
        minutes = {"baseline": 150.0, "candidate": 148.0, "teacher": 0.9}[role]
        if trained and not run.exists:
            run.write_config(run_config(role, data))
            history(run, epochs, {"baseline": 0.915, "candidate": 0.913, "teacher": 0.936}[role], minutes)
        write_record(artifact.with_name(f"{artifact.stem}.export.json"), export(artifact, precision))
        sides.append(
            Side(
                role=role,
                precision=precision,
                name={"baseline": "alexnet_small", "candidate": "econet"}.get(role, "econet, width 3"),
                run=role if trained else None,
                artifact=f"{role}/{artifact.name}",
                evaluation=evaluation(given[key], names, role, precision, proof),
                benchmark=benchmark(key),
                export=export(artifact, precision) if trained else None,
                training=(
                    SideTraining(seconds=minutes, epochs=epochs, images=54_000, still_improving=False)
                    if trained
                    else None
                ),
            )
        )
    interval = tango(n10, n01, images)
    difference = Difference(
        candidate_minus_baseline=(n01 - n10) / images, interval=interval, n10=n10, n01=n01, images=images
    )
    ratio = COSTS["candidate int8"][3] / COSTS["baseline fp32"][3] if latency_ratio is None else latency_ratio
    comparison = Comparison(
        created="2026-11-21T10:06:41Z",
        command=command,
        econet="0.1.0",
        seed=0,
        data=data,
        proof=proof,
        margin=margin,
        provable_margin=provable_margin(images),
        margin_for_yes=margin_for_yes(interval),
        sides=tuple(sides),
        difference=difference,
        ratios=ratios("baseline fp32", ratio),
        ratios_same_precision=ratios("baseline int8", 0.119 / 0.201),
        verdict=verdict(interval, margin),
        reason="The whole interval was compared with the margin.",
        steps=(Step(name="baseline", seconds=151.0), Step(name="candidate", seconds=149.0)),
        repeats=tuple(
            Repeat(folder=f"seed-{seed}", seed=seed, difference=difference, verdict=verdict(interval, margin))
            for seed in range(repeats)
        ),
        seconds=ComparisonSeconds(training=298.0, total=371.0),
        test_reads=1 if proof == "test" else 0,
        warnings=warnings,
    )
    write_record(folder / "comparison.json", comparison)
    write_pictures(folder, pixels, given["baseline fp32"], given["candidate int8"])
    return comparison


def ratios(baseline: str, latency: float) -> Ratios:
    ours, theirs = COSTS["candidate int8"], COSTS[baseline]
    return Ratios(
        macs=ours[1] / theirs[1],
        parameters=ours[0] / theirs[0],
        bytes=ours[2] / theirs[2],
        latency=latency,
        latency_range=(0.95 * latency, 1.04 * latency),
        cpu=latency,
    )


@pytest.fixture
def comparison_in() -> Callable[..., Comparison]:
    """Writes a comparison's folder; see `make_comparison`."""
    return make_comparison


@pytest.fixture
def changed() -> Callable[..., Comparison]:
    """Writes a comparison again with some fields replaced."""

    def write(folder: Path, comparison: Comparison, **fields: object) -> Comparison:
        new = msgspec.structs.replace(comparison, **fields)
        write_record(folder / "comparison.json", new)
        return new

    return write
