"""The other end of runs.py: orders given, answers read, and what a run folder must be like after each."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.numpy import load_file

from econet.files import folder_lock

TESTS = Path(__file__).parents[1]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}
NETWORKS: dict[str, dict[str, Any]] = {
    "econet": {"width": 0.25, "lr": 0.02},
    "alexnet_small": {"width": None, "lr": 0.01},
}
VALIDATION = 0.15


class Nursery:
    """The process of runs.py, which forks a run for every order."""

    def __init__(self, data: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "disturbed.runs", data, str(VALIDATION)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=ENVIRONMENT,
            cwd=TESTS,
        )

    def __enter__(self) -> "Nursery":
        return self

    def __exit__(self, *error: object) -> None:
        with self.process:
            self.process.stdin.close()

    def child(self, folder: Path, model: str, epochs: int, batch_size: int, **rest: Any) -> dict[str, Any]:
        """Order one child and wait for its end; `rest` is what else stands in an order."""
        size = {"model": model, "epochs": epochs, "batch_size": batch_size, **NETWORKS[model]}
        self.process.stdin.write(json.dumps({"folder": str(folder), **size, **rest}) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


def assert_whole(folder: Path) -> None:
    """Every file of the run folder can be read; of the history all lines but the last; nobody holds the lock."""
    for record in folder.glob("*.json"):
        json.loads(record.read_bytes())
    if (folder / "history.jsonl").exists():
        for line in (folder / "history.jsonl").read_bytes().split(b"\n")[:-1]:
            json.loads(line)
    for checkpoint in folder.glob("checkpoint*.safetensors"):
        assert_digest(checkpoint)
    if (folder / "finished.json").exists():
        digest = hashlib.sha256((folder / "weights.safetensors").read_bytes()).hexdigest()
        assert json.loads((folder / "finished.json").read_bytes())["weights_sha256"] == digest
    if (folder / "model.int8.export.json").exists():
        digest = hashlib.sha256((folder / "model.int8.onnx").read_bytes()).hexdigest()
        assert json.loads((folder / "model.int8.export.json").read_bytes())["sha256"] == digest
    with folder_lock(folder):
        pass


def assert_digest(checkpoint: Path) -> None:
    """The digest inside is SHA-256 over the counters and, in the order of names, each tensor's name, form and bytes."""
    with safe_open(checkpoint, framework="np") as stream:
        metadata = stream.metadata()
    digest = hashlib.sha256(metadata["counters"].encode())
    for name, value in sorted(load_file(checkpoint).items()):
        form = f" torch.{value.dtype} {list(value.shape)}"
        digest.update(name.encode() + form.encode() + value.tobytes())
    assert digest.hexdigest() == metadata["digest"], checkpoint
