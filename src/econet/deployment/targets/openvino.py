"""OpenVINO's intermediate representation of an artifact, its numbers as they are: float32 stays float32.

OpenVINO reads the ONNX file itself, and the representation of an int8 file is about twice as large: it is for those
whose tools take nothing else.
"""

import tempfile
from pathlib import Path

import onnx

from econet.deployment.metadata import read_metadata
from econet.deployment.sidecar import InputTensor, OutputTensor
from econet.deployment.targets.target import SOURCE, LogitsRange, TargetFiles, sidecar_for


def make_openvino(model: onnx.ModelProto, logits_range: LogitsRange, stem: str) -> TargetFiles:
    """`<stem>.xml` and `<stem>.bin`. Input and output are the ONNX file's: uint8 [N, C, H, W], float32 logits."""
    import openvino

    del logits_range
    network = openvino.Core().read_model(model.SerializeToString(), b"")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{stem}.xml"
        # Half-precision weights, the default, would be other weights.
        openvino.save_model(network, path, compress_to_fp16=False)
        contents = {".xml": path.read_bytes(), ".bin": path.with_suffix(".bin").read_bytes()}
    record = read_metadata(model, SOURCE).preprocess
    sidecar = sidecar_for(
        model,
        b"".join(contents.values()),
        InputTensor(type="uint8", layout="NCHW", scale=record.scale, zero_point=record.offset),
        OutputTensor(type="float32", holds="logits"),
        countable=False,
    )
    return TargetFiles(contents, sidecar, sum(map(len, contents.values())))
