"""What a file costs, before its network is trained and after: taken from the file, never guessed."""

import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn

from econet.compression.quantization import activation_ranges, quantize
from econet.deployment import graph
from econet.deployment.graph_writer import OUTPUT
from econet.deployment.model_file import read_model_bytes
from econet.deployment.onnx_export import export_network
from econet.deployment.predictor import Predictor
from econet.deployment.session import open_session, run_session
from econet.images.preprocess import Preprocess
from econet.jobs.budgets import over_budget
from econet.jobs.turns import Turns
from econet.measurement.energy import measure_energy_mj
from econet.measurement.quiet_latency import quiet_latency
from econet.runs.artifact_records import Precision
from econet.runs.shrink_records import Budgets, FileCost

# Enough to give an untrained network's activations some range; it has no accuracy to lose.
_PROBE_IMAGES = 4


class Scales:
    """What a search weighs its files with: the budgets, the yardstick, and the turns with those who train."""

    def __init__(self, budgets: Budgets, yardstick: Path, yardstick_ms: float, turns: Turns) -> None:
        self.budgets = budgets
        self._yardstick, self._yardstick_ms, self._turns = yardstick, yardstick_ms, turns

    def weighed(self, path: Path) -> FileCost:
        """What the file at `path` costs. Latency and energy are measured only where they have a budget."""
        model, content = read_model_bytes(path)
        predictor = Predictor(path)
        latency, energy, busy = None, None, False
        if self.budgets.max_latency_ms is not None:
            with self._turns.timing():
                measured = quiet_latency(path, self._yardstick, self._yardstick_ms)
            latency, busy = measured.ms, measured.busy
        if self.budgets.max_energy_mj is not None:
            session, shape = open_session(content, dimensions={"N": 1}), predictor.preprocess
            image = np.zeros((1, shape.channels, *shape.image_size), np.uint8)
            with self._turns.timing():
                energy = measure_energy_mj(partial(run_session, session, [OUTPUT], image))
        return FileCost(
            precision=predictor.precision,
            bytes=len(content),
            macs=graph.macs(model),
            parameters=graph.parameters(model),
            latency_ms=latency,
            energy_mj=energy,
            busy=busy,
        )

    def weighed_untrained(
        self, network: nn.Module, preprocess: Preprocess, classes: tuple[str, ...], name: str
    ) -> tuple[FileCost, dict[str, float]]:
        """What the files of an untrained `network` cost: int8, or fp32 where that alone keeps the budgets.

        With the cost comes how far it is over them. The network is changed: its norms are made as uneven as trained.
        """
        with tempfile.TemporaryDirectory() as folder:
            paths = write_untrained(network, preprocess, classes, name, Path(folder))
            small = self.weighed(paths["int8"])
            over = over_budget(small, self.budgets)
            if not over or "bytes" in over or "macs" in over:  # fp32 is larger, and computes as much
                return small, over
            plain = self.weighed(paths["fp32"])
            over_plain = over_budget(plain, self.budgets)
            return (plain, over_plain) if not over_plain else (small, over)


def write_untrained(
    network: nn.Module, preprocess: Preprocess, classes: Sequence[str], name: str, folder: Path
) -> dict[Precision, Path]:
    """Write both files of an untrained network into `folder`: of the size and the speed that trained ones will have."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):  # equal constants would be stored once
                module.bias.normal_(0, 0.1, generator=generator)
                if module.running_var is not None:
                    module.running_var.uniform_(0.5, 1.5, generator=generator)
            elif isinstance(module, nn.Linear | nn.Conv2d) and module.bias is not None:
                module.bias.normal_(0, 0.1, generator=generator)
    plain = export_network(network.eval(), preprocess, tuple(classes), name)
    shape = (_PROBE_IMAGES, preprocess.channels, *preprocess.image_size)
    pictures = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    models = {"fp32": plain, "int8": quantize(plain, activation_ranges(plain, pictures))}
    paths: dict[Precision, Path] = {"fp32": folder / "model.onnx", "int8": folder / "model.int8.onnx"}
    for precision, path in paths.items():
        path.write_bytes(models[precision].SerializeToString())
    return paths
