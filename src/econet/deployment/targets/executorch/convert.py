"""`python -m econet.deployment.targets.executorch.convert MODEL.onnx MODEL.pte [LOW HIGH]` makes a .pte file.

ExecuTorch's exporter takes half a minute to load, prints as it likes and changes torch's state: it has a process of
its own.
"""

# The extra is not among those of development.
# pyright: reportMissingImports=false

import sys
import warnings
from pathlib import Path
from typing import Any

import onnx
import torch

from econet.deployment.graph_writer import INPUT
from econet.deployment.targets.executorch.artifact import REFUSED
from econet.deployment.targets.executorch.graph_module import GraphModule, Untranslatable
from econet.deployment.targets.logits_grid import logits_grid


def convert(model: onnx.ModelProto, logits_range: tuple[float, float] | None = None) -> bytes:
    """The .pte file of an artifact, with everything that XNNPACK can compute handed to it.

    An int8 artifact needs the range of its logits. Raises Untranslatable.
    """
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower

    module = GraphModule(model, None if logits_range is None else logits_grid(*logits_range)).eval()
    shape = next(each for each in model.graph.input if each.name == INPUT).type.tensor_type.shape.dim
    sample = torch.zeros(1, *(size.dim_value for size in shape[1:]))
    with torch.no_grad():
        program = torch.export.export(module, (sample,))
    lowered: Any = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()])
    return bytes(lowered.to_executorch().buffer)


def main(source: str, result: str, *logits_range: str) -> int:
    """Convert a file; the exit status, and on refusal the reason as the last line."""
    warnings.simplefilter("ignore")
    try:
        bounds = (float(logits_range[0]), float(logits_range[1])) if logits_range else None
        Path(result).write_bytes(convert(onnx.load(source), bounds))
    except Untranslatable as refusal:
        print(refusal)
        return REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
