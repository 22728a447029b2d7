"""One way to open a model in ONNX Runtime, so that every measurement and every answer uses the same engine."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from econet.deployment.graph_writer import INPUT
from econet.images.preprocess import Pixels


def open_session(
    content: bytes,
    *,
    threads: int = 1,
    dimensions: Mapping[str, int] | None = None,
    optimised: Path | None = None,
) -> ort.InferenceSession:
    """A CPU session of the model in `content`: all optimisations, `threads` threads, no spinning.

    Without ENABLE_ALL a QDQ file is slower than fp32. `dimensions` fixes symbolic sizes ({"N": 1}: static batch 1);
    with `optimised` the runtime also writes the graph it really runs to that path.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    # What goes wrong is raised; the runtime's own lines on stderr would stand beside it.
    options.log_severity_level = 4
    for name, size in (dimensions or {}).items():
        options.add_free_dimension_override_by_name(name, size)
    if optimised is not None:
        options.optimized_model_filepath = str(optimised)
    return ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def run_session(session: ort.InferenceSession, outputs: Sequence[str], images: Pixels) -> list[NDArray[np.float32]]:
    """The float tensors named `outputs` for `images`, uint8 [N, C, H, W]."""
    return cast("list[NDArray[np.float32]]", session.run(outputs, {INPUT: np.ascontiguousarray(images)}))
