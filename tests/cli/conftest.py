"""A run's folder and a comparison made of records, and the commands called in this process."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from econet.cli.main import main
from econet.runs.artifact_records import Evaluation
from econet.runs.comparison_records import Comparison
from econet.runs.folder import Run
from econet.runs.record import write_record
from econet.runs.records import Epoch, Finished, RunConfig

DATA = {
    "source": "fashion-mnist",
    "name": "fashion-mnist",
    "fingerprint": "f" * 64,
    "classes": ["Coat", "[bold]Bag"],
    "split_seed": 3,
    "validation_fraction": 0.1,
    "preprocess": {"image_size": [28, 28], "channels": 1, "resize_size": [28, 28], "offset": 73, "scale": 0.0111},
}
CONFIG = {
    "created": "2026-11-21T10:00:00+00:00",
    "command": "econet train fashion-mnist --epochs 4",
    "econet": "0.1.0",
    "python": "3.11.9",
    "torch": "2.13.0",
    "git_commit": None,
    "parent": None,
    "data": DATA,
    "model": "alexnet_small",
    "architecture": {},
    "training": {
        "epochs": 4,
        "time_s": None,
        "batch_size": 128,
        "optimizer": "sgd",
        "schedule": "one-cycle",
        "lr": 0.1,
        "weight_decay": 5e-4,
        "label_smoothing": 0.1,
        "ema": 0.99,
        "augment": "light",
        "patience": None,
        "teacher": None,
        "from_weights": None,
    },
    "plan": {"epochs": 4, "steps_per_epoch": 421, "steps": 1684, "dropped_images": 112},
    "machine": {
        "device": "cpu",
        "threads": 2,
        "precision": "bf16",
        "compile": False,
        "processes": 1,
        "deterministic": False,
        "measured_images_per_s": {"2 threads bf16": 5000.0},
        "cpu": "An x86 processor",
        "capability": "AVX512",
    },
    "seed": 7,
}
FINISHED = {
    "steps": 1684,
    "epochs": 4,
    "seconds": 130.0,
    "images": 215552,
    "validation_accuracy": 0.9125,
    "still_improving": True,
    "stopped_early": False,
    "weights_sha256": "a" * 64,
    "finished": "2026-11-21T10:03:00+00:00",
}
EVALUATION = {
    "subject": "model.int8.onnx",
    "precision": "int8",
    "data": {"name": "fashion-mnist", "fingerprint": "f" * 64, "split": "test", "images": 1000},
    "accuracy": 0.9,
    "accuracy_interval": [0.88, 0.917],
    "top5_accuracy": None,
    "per_class": [
        {"class": "Coat", "images": 400, "accuracy": 0.95},
        {"class": "[bold]Bag", "images": 600, "accuracy": 0.8667},
    ],
    "confusion": [[380, 20], [80, 520]],
    "nll": 0.3,
    "ece": 0.02,
    "reliability": [],
    "torch_agreement": None,
    "predictions_sha256": "b" * 64,
    "test_reads": 2,
    "seconds": 1.0,
}
BENCHMARK = {
    "subject": "model.int8.onnx",
    "precision": "int8",
    "parameters": 77834,
    "parameters_trained": 80000,
    "macs": 1_910_000,
    "bytes": 95860,
    "runtime": {"name": "onnxruntime", "version": "1.31.1", "threads": 1, "spinning": False},
    "latency_ms": {"p50": 0.119, "p95": 0.2, "mean": 0.13, "rounds": 9, "calls": 200},
    "cpu_s_per_1000": 0.125,
    "throughput_images_per_s": 8000.0,
    "peak_memory_mb": 61.5,
    "energy_mj": None,
    "energy_method": "no counter",
    "energy_estimate": None,
    "machine": {"cpu": "An x86 processor", "cores": 2, "features": []},
}
RATIOS = {"macs": 0.1, "parameters": 0.07, "bytes": 0.02, "latency": 0.3, "latency_range": [0.2, 0.4], "cpu": 0.3}
INTERVALS = {"yes": (-0.005, 0.006), "no": (-0.03, -0.02), "undecided": (-0.015, 0.001)}


def epoch(number: int, accuracy: float) -> Epoch:
    return Epoch(
        epoch=number,
        step=421 * number,
        loss=0.5 / number,
        train_accuracy=accuracy - 0.01,
        validation_loss=0.4,
        validation_accuracy=accuracy,
        lr=0.05,
        seconds=30.0 * number,
        images_per_s=5123.4,
    )


def make_comparison(verdict: str) -> Comparison:
    def side(role: str, precision: str) -> dict[str, Any]:
        return {
            "role": role,
            "precision": precision,
            "name": {"baseline": "alexnet_small", "candidate": "econet"}[role],
            "run": role,
            "artifact": f"{role}/model.{precision}.onnx",
            "evaluation": EVALUATION,
            "benchmark": BENCHMARK,
            "export": None,
            "training": {"seconds": 140.0, "epochs": 4, "images": 54_000, "still_improving": False},
        }

    low, high = INTERVALS[verdict]
    record = {
        "created": "2026-11-21T10:06:41Z",
        "command": "econet compare fashion-mnist",
        "econet": "0.1.0",
        "seed": 0,
        "data": DATA,
        "proof": "test",
        "margin": 0.01,
        "provable_margin": 0.004,
        "margin_for_yes": -low,
        "sides": [side("baseline", "fp32"), side("candidate", "int8")],
        "difference": {
            "candidate_minus_baseline": (low + high) / 2,
            "interval": [low, high],
            "n10": 40,
            "n01": 38,
            "images": 10000,
        },
        "ratios": RATIOS,
        "ratios_same_precision": None,
        "verdict": verdict,
        "reason": "the interval was compared with the margin",
        "steps": [],
        "repeats": [],
        "seconds": {"training": 280.0, "total": 371.0},
        "test_reads": 1,
        "warnings": ["the baseline was still improving"],
    }
    return msgspec.convert(record, Comparison)


@pytest.fixture
def comparison() -> Callable[[str], Comparison]:
    """Makes a comparison with the verdict given."""
    return make_comparison


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    """A finished run with four epochs and an int8 file with its evaluation."""
    run = Run(tmp_path / "shirts")
    run.write_config(msgspec.convert(CONFIG, RunConfig))
    for number, accuracy in enumerate((0.5, 0.8, 0.9, 0.9125), start=1):
        run.append_epoch(epoch(number, accuracy))
    run.artifact("int8").write_bytes(b"x" * 95_860)
    write_record(run.folder / "model.int8.evaluation.json", msgspec.convert(EVALUATION, Evaluation))
    write_record(run.finished_path, msgspec.convert(FINISHED, Finished))
    return run.folder


@dataclass
class Outcome:
    """What a command left: its exit code and both streams."""

    code: int
    out: str
    err: str


@pytest.fixture
def econet(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Outcome]:
    """Runs a command in this process."""
    monkeypatch.delenv("RANK", raising=False)

    def call(*words: str | Path) -> Outcome:
        code = main([str(word) for word in words])
        out, err = capsys.readouterr()
        return Outcome(code, out, err)

    return call


@pytest.fixture
def in_a_fresh_process() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs Python code in a process of its own, with the package on its path."""

    def run(code: str, *words: str, **more: Any) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", **more}
        return subprocess.run(
            [sys.executable, "-c", code, *words],
            capture_output=True,
            text=True,
            env=environment,
            timeout=60,
            check=False,
        )

    return run
