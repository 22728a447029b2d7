"""A record of a budget search, made by hand: six networks looked at, one of them handed over."""

from typing import Any

import msgspec

from econet.runs.shrink_records import Shrink

DATA = {
    "source": "clothes",
    "name": "<b>clothes",
    "fingerprint": "f" * 64,
    "classes": ["Coat", "Bag"],
    "split_seed": 0,
    "validation_fraction": 0.1,
    "preprocess": {"image_size": [28, 28], "channels": 1, "resize_size": [28, 28], "offset": 73, "scale": 0.0111},
}
EVALUATION = {
    "subject": "model.int8.onnx",
    "precision": "int8",
    "data": {"name": "clothes", "fingerprint": "f" * 64, "split": "test", "images": 1000},
    "accuracy": 0.91,
    "accuracy_interval": [0.89, 0.926],
    "top5_accuracy": None,
    "per_class": [],
    "confusion": [[1, 0], [0, 1]],
    "nll": 0.3,
    "ece": 0.02,
    "reliability": [],
    "torch_agreement": None,
    "predictions_sha256": "b" * 64,
    "test_reads": 1,
    "seconds": 1.0,
}
EXPORT = {
    "file": "model.int8.onnx",
    "format": "onnx",
    "bytes": 28_000,
    "sha256": "c" * 64,
    "precision": "int8",
    "parity": {"images": 10, "files": 0, "top1_agreement": 1.0, "max_logit_difference": 0.1, "passed": True},
    "accuracy_validation": {"float": 0.9, "artifact": 0.9},
}


def benchmark(size: int, macs: int, milliseconds: float) -> dict[str, Any]:
    return {
        "subject": "model.onnx",
        "precision": "fp32",
        "parameters": 1000,
        "parameters_trained": None,
        "macs": macs,
        "bytes": size,
        "runtime": {"name": "onnxruntime", "version": "1.31.1", "threads": 1, "spinning": False},
        "latency_ms": {"p50": milliseconds, "p95": milliseconds, "mean": milliseconds, "rounds": 3, "calls": 9},
        "cpu_s_per_1000": 0.1,
        "throughput_images_per_s": 8000.0,
        "peak_memory_mb": 61.5,
        "energy_mj": None,
        "energy_method": "no counter",
        "energy_estimate": None,
        "machine": {"cpu": "An x86 processor", "cores": 2, "features": []},
    }


def point(number: int, size: int, accuracy: float | None, outcome: str = "trained", **more: Any) -> dict[str, Any]:
    return {
        "number": number,
        "stage": "trial",
        "outcome": outcome,
        "point": {"stem": 8 + number},
        "network": f"C{8 + number} P64/2",
        "side": 28,
        "cost": {
            "precision": "int8",
            "bytes": size,
            "macs": 10 * size,
            "parameters": size,
            "latency_ms": 1e-5 * size,
            "energy_mj": None,
        },
        "over": {},
        "accuracy": accuracy,
        "epochs": 0 if accuracy is None else 2,
        "seconds": 1.0,
        **more,
    }


POINTS = [
    point(0, 20_000, 0.80),
    point(1, 28_000, 0.85),
    point(2, 24_000, 0.79),  # number 0 is both smaller and better
    point(3, 29_000, 0.86, "stopped early"),
    point(4, 50_000, None, "over budget", over={"bytes": 0.7}),
    point(1, 28_000, 0.90, stage="final", epochs=30),
]


def made_search(*, accuracy_change: float = -0.004, kept: bool = True, verdict: str = "yes") -> Shrink:
    """A finished search with a budget of 30 KB and 2 points."""
    proof = {
        "run": "final",
        "artifact": "final/model.int8.onnx",
        "network": "C9 P64/2",
        "precision": "int8",
        "export": EXPORT,
        "evaluation": EVALUATION,
        "benchmark": benchmark(28_000, 280_000, 0.28),
        "latency": {
            "processes_ms": [0.27, 0.28, 0.31],
            "median_ms": 0.28,
            "subject_ms": [0.9, 0.84, 0.83],
            "yardstick_ms": [0.1, 0.1, 0.1],
        },
        "budgets": [{"name": "bytes", "allowed": 30_000, "found": 28_000, "kept": kept}],
        "drop_validation": 0.005,
        "difference": {
            "candidate_minus_baseline": accuracy_change,
            "interval": [accuracy_change - 0.01, accuracy_change + 0.01],
            "n10": 20,
            "n01": 16,
            "images": 1000,
        },
        "verdict": verdict,
        "reason": "because",
    }
    return msgspec.convert(
        {**_whole(), "proof": proof, "reachable": None, "kept": kept and verdict == "yes", "reason": "because"}, Shrink
    )


def unreachable_search() -> Shrink:
    """A search of which no network keeps 10 KB."""
    nearest = {**POINTS[0], "outcome": "over budget", "over": {"bytes": 1.0}, "accuracy": None}
    found = {"nearest": nearest, "least": {"bytes": 20_000.0, "macs": 200_000.0}}
    record = {**_whole(), "proof": None, "reachable": found, "kept": False, "reason": "because"}
    record |= {"points": [nearest], "front": [], "budgets": {"max_kb": 10.0}, "test_reads": 0}
    record |= {"subject_evaluation": None, "subject_benchmark": None, "subject_accuracy": None}
    return msgspec.convert(record, Shrink)


def _whole() -> dict[str, Any]:
    return {
        "created": "2026-11-21T10:06:41Z",
        "command": "econet shrink runs/shirts --max-kb 30",
        "econet": "0.1.0",
        "seed": 0,
        "data": DATA,
        "subject": "../shirts",
        "subject_name": "alexnet_small",
        "subject_evaluation": EVALUATION,
        "subject_benchmark": benchmark(4_000_000, 20_000_000, 0.85),
        "subject_accuracy": 0.92,
        "budgets": {"max_kb": 30.0, "max_drop": 0.02},
        "cost": "bytes",
        "points": POINTS,
        "front": [0, 1],
        "seconds": 100.0,
        "test_reads": 1,
        "warnings": ["the machine was <busy>"],
    }
