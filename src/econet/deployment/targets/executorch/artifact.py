"""The .pte artifact: file and sidecar."""

import subprocess
import sys
import tempfile
from pathlib import Path

import onnx

from econet.deployment.metadata import read_metadata
from econet.deployment.sidecar import InputTensor, OutputTensor
from econet.deployment.targets.target import SOURCE, LogitsRange, TargetFiles, sidecar_for
from econet.errors import UserError

# What the process ends with where the network has no translation; its last line then says why.
REFUSED = 3


def make_executorch(model: onnx.ModelProto, logits_range: LogitsRange, stem: str) -> TargetFiles:
    """The .pte file of an artifact: scaled pixels float32 [1, C, H, W] in, float32 logits out.

    An int8 one computes in integers between them. Raises UserError where the network has no translation.
    """
    int8 = read_metadata(model, SOURCE).precision == "int8"
    with tempfile.TemporaryDirectory() as folder:
        source, result = Path(folder) / f"{stem}.onnx", Path(folder) / f"{stem}.pte"
        source.write_bytes(model.SerializeToString())
        command = [sys.executable, "-m", "econet.deployment.targets.executorch.convert", str(source), str(result)]
        command += [str(bound) for bound in logits_range] if int8 else []
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == REFUSED:
            raise UserError(
                "this network cannot become an ExecuTorch file",
                done.stdout.strip().splitlines()[-1],
                "ship the ONNX file, or train the network without those layers",
            )
        if done.returncode:
            raise RuntimeError(f"ExecuTorch's exporter failed:\n{done.stderr[-4000:]}")
        content = result.read_bytes()
    given = InputTensor(type="float32", layout="NCHW")
    sidecar = sidecar_for(model, content, given, OutputTensor(type="float32", holds="logits"), countable=False)
    return TargetFiles({".pte": content}, sidecar, len(content))
