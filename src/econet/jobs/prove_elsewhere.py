"""`export --prove-in`: the ONNX file gives the network's answers in another runtime too."""

from importlib.metadata import version

from msgspec.structs import replace
from torch import nn

from econet.compression.fake_quant import FakeQuantNetwork
from econet.data.dataset import Dataset
from econet.deployment.parity import ParityBroken, check_quantized_parity, worst_image
from econet.deployment.predictor import Predictor
from econet.jobs.export import file_logits, parity_of, parity_sample, sidecar, torch_logits
from econet.jobs.networks import network_of
from econet.jobs.run_data import seen_by
from econet.runs.artifact_records import Export, ProvenIn
from econet.runs.choices import OtherRuntime
from econet.runs.folder import Run
from econet.runs.record import write_record


def prove_elsewhere(
    run: Run,
    dataset: Dataset,
    record: Export,
    runtime: OtherRuntime,
    *,
    parity_drop: float,
    module: nn.Module | None = None,
) -> Export:
    """The export record of a run's ONNX file with its parity in `runtime`, written beside the file.

    The same images and limits as for its own runtime. Raises ParityBroken where it answers otherwise there.
    """
    dataset = seen_by(dataset, run.config.architecture)
    path = run.folder / record.file
    predictor = Predictor(path, runtime=runtime)
    sample = parity_sample(dataset)
    network = network_of(run, module)
    expected = torch_logits(network, sample.pixels, dataset.preprocess)
    answered = file_logits(predictor, sample.stored, sample.files, dataset.classes)
    if isinstance(network, FakeQuantNetwork):
        parity = check_quantized_parity(expected, answered, files=len(sample.decoded))
    else:
        parity = parity_of(predictor, expected, answered, sample, parity_drop)
    if not parity.passed:
        raise ParityBroken(
            f"{path.name} does not answer in {runtime} as the network does: the same class on "
            f"{100 * parity.top1_agreement:.2f} % of {len(sample.labels)} images, "
            f"logits up to {parity.max_logit_difference:.3g} apart\n"
            f"  worst: validation image {sample.name_of(worst_image(expected, answered))}\n"
            "  likeliest cause: the runtime, since the file answers as the network does in ONNX Runtime"
        )
    proven = ProvenIn(runtime=runtime, version=version(runtime), parity=parity)
    others = tuple(each for each in record.proven_in if each.runtime != runtime)
    result = replace(record, proven_in=(*others, proven))
    write_record(sidecar(path), result)
    return result
