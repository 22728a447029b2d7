"""Where the records of an artifact lie."""

from pathlib import Path

# Formats that a run has one file of, so that their records need no ending in the name.
_PLAIN = (".onnx", ".safetensors")


def beside(artifact: Path, kind: str) -> Path:
    """`model.int8.onnx` and "evaluation.json" -> `model.int8.evaluation.json` in the same folder.

    Of a format with a sidecar the whole name stays, `model.int8.tflite.evaluation.json`: the same network may lie
    beside it as ONNX.
    """
    return artifact.with_name(f"{record_stem(artifact)}.{kind}")


def record_stem(artifact: Path) -> str:
    """What the names of an artifact's records begin with."""
    return artifact.stem if artifact.suffix in _PLAIN else artifact.name
