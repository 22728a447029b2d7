"""Where the records of an artifact lie."""

from pathlib import Path

from econet.runs.choices import RUNTIMES, RuntimeName

# Formats that a run has one file of, so that their records need no ending in the name.
_PLAIN = (".onnx", ".safetensors")


def runtimes_of(artifact: Path) -> tuple[RuntimeName, ...]:
    """What runs a file of this name, its format's own runtime first."""
    return RUNTIMES.get(artifact.suffix, RUNTIMES[".onnx"])


def beside(artifact: Path, kind: str, runtime: RuntimeName | None = None) -> Path:
    """`model.int8.onnx` and "evaluation.json" -> `model.int8.evaluation.json` in the same folder.

    Of a format with a sidecar the whole name stays, `model.int8.tflite.evaluation.json`: the same network may lie
    beside it as ONNX. Figures of another runtime than the format's own bear its name, so that neither overwrites the
    other's: `model.int8.openvino.evaluation.json`.
    """
    own = runtime is None or runtime == runtimes_of(artifact)[0]
    return artifact.with_name(f"{record_stem(artifact)}.{kind if own else f'{runtime}.{kind}'}")


def record_stem(artifact: Path) -> str:
    """What the names of an artifact's records begin with."""
    return artifact.stem if artifact.suffix in _PLAIN else artifact.name
