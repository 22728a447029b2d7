"""`sensitivity`: which layer of a run's network costs how much, when it is quantized or pruned."""

from dataclasses import dataclass
from pathlib import Path

from torch import nn

from econet.compression.fake_quant import FakeQuantNetwork
from econet.compression.layer_names import layer_names
from econet.compression.quantization import activation_ranges
from econet.compression.quantized_graph import graph_of
from econet.compression.sensitivity import LayerCosts, layer_costs, whole_costs
from econet.data.dataset import Dataset
from econet.errors import UserError
from econet.files import folder_lock, write_text
from econet.jobs.export import calibration_images
from econet.jobs.networks import float_file, is_quantized, quantized_network
from econet.jobs.options import check_range
from econet.jobs.quantize import parent_of
from econet.jobs.run_data import check_same_data, load_again, seen_by
from econet.jobs.scoring import scoring, validation_images
from econet.report.charts.sensitivity import sensitivity_chart
from econet.report.sensitivity import as_csv, sentence
from econet.runs.folder import Run
from econet.runs.record import write_record
from econet.runs.sensitivity_records import LayerSensitivity, Sensitivity, SensitivityData
from econet.training.progress import Progress
from econet.training.weights import trained_network

RECORD, TABLE, FIGURE = "sensitivity.json", "sensitivity.csv", "sensitivity.svg"


def sensitivity(
    run: Run,
    progress: Progress,
    *,
    images: int | None = None,
    data_dir: Path | None = None,
    dataset: Dataset | None = None,
    module: nn.Module | None = None,
) -> Sensitivity:
    """Measure every layer of a finished run on its validation images and write record, table and figure beside it.

    `images` takes so many of them, evenly spread, instead of all. `module` and `dataset` are for a run of a network
    object of the user's own. Raises UserError where the run is not finished, its data are gone or hold no images.
    """
    check_range("--images", images, 1, 10_000_000)
    run.finished  # noqa: B018 - raises where training did not come to its end
    data = load_again(run.config.data, data_dir=data_dir) if dataset is None else dataset
    check_same_data(run.config.data, data, run.folder)
    data = seen_by(data, run.config.architecture)
    subject = _subject(run, data, module)
    chosen = validation_images(data, images)
    score = scoring(chosen, data.preprocess)
    network = subject.network
    unchanged, int8 = whole_costs(network, score)
    layers: list[LayerSensitivity] = []
    for name, operation in zip(subject.names, network.graph.weighted, strict=True):
        layers.append(_recorded(name, layer_costs(network, operation, score), network))
        progress.note(f"{len(layers)} of {len(subject.names)} layers measured: {name}")
    worst, said = sentence(layers, unchanged, int8, _remedy(run))
    record = Sensitivity(
        model=run.config.model,
        data=SensitivityData(
            name=data.name,
            fingerprint=data.fingerprint,
            split="validation",
            images=len(chosen),
            calibration_images=subject.calibration_images,
        ),
        unchanged=unchanged,
        int8=int8,
        layers=tuple(layers),
        worst=worst,
        sentence=said,
    )
    with folder_lock(run.folder):
        write_text(run.folder / TABLE, as_csv(record))
        write_text(run.folder / FIGURE, f"{sensitivity_chart(record)}\n")
        write_record(run.folder / RECORD, record)
    return record


@dataclass(frozen=True, slots=True)
class _Subject:
    """The network to look into, a name for each of its layers, and how many images set its ranges."""

    network: FakeQuantNetwork
    names: list[str]
    calibration_images: int


def _subject(run: Run, dataset: Dataset, module: nn.Module | None) -> _Subject:
    """The network with the grids of its static int8 file, or with those a quantized run has trained with."""
    if is_quantized(run):
        network = quantized_network(run)
        names = layer_names(network.graph, network.constants(), _parent_network(run), trained_on=True)
        return _Subject(network, names, 0)
    model = float_file(run, module)
    calibration = calibration_images(dataset, run.config.seed)
    ranges = activation_ranges(model, calibration)
    graph, constants = graph_of(model, run.config.data.preprocess, ranges)
    network = FakeQuantNetwork(graph)
    network.take(constants, ranges)
    names = layer_names(graph, constants, trained_network(run, module))
    return _Subject(network.eval(), names, len(calibration))


def _parent_network(run: Run) -> nn.Module | None:
    """What a quantized run was made from, which has the names; None where it is gone or was an object."""
    try:
        return trained_network(parent_of(run))
    except UserError:
        return None


def _remedy(run: Run) -> str:
    """What brings back the accuracy that 8 bits cost a run."""
    if is_quantized(run):
        return f"`econet quantize {run.folder / (run.config.parent or '')}` with more --epochs may train them back"
    return f"`econet quantize {run.folder}` trains them back"


def _recorded(name: str, costs: LayerCosts, network: FakeQuantNetwork) -> LayerSensitivity:
    return LayerSensitivity(
        layer=name,
        operator=costs.operation.operator,
        shape=network.graph.floats[costs.operation.inputs[1]],
        only_int8=costs.only_int8,
        all_but_int8=costs.all_but_int8,
        pruned=costs.pruned,
    )
