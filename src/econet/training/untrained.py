"""A run without training: weights that come from elsewhere are measured on validation, and the folder is finished."""

import torch
from safetensors.torch import save
from torch import nn

from econet.data.augmentation import Augmenter, pictures
from econet.data.dataset import Dataset
from econet.files import sha256_of, write_whole
from econet.runs import provenance
from econet.runs.folder import Run
from econet.runs.record import write_record
from econet.runs.records import Finished
from econet.training.inference import logits_of


def finish_untrained(run: Run, network: nn.Module, dataset: Dataset) -> Finished:
    """Write the weights of `network` as they are and the accuracy they have. The caller holds the folder's lock."""
    validation = Augmenter(pictures(dataset.validation), dataset.preprocess, "none", torch.device("cpu"))
    logits = logits_of(network.to("cpu"), validation.plain, len(dataset.validation), "fp32")
    right = (logits.argmax(1) == torch.from_numpy(dataset.validation.labels)).double().mean().item()
    weights = {name: value.detach().contiguous() for name, value in network.state_dict().items()}
    write_whole(run.weights_path, save(weights))
    finished = Finished(
        steps=0,
        epochs=0,
        seconds=0.0,
        images=0,
        validation_accuracy=right,
        still_improving=False,
        stopped_early=False,
        weights_sha256=sha256_of(run.weights_path),
        finished=provenance.now(),
    )
    write_record(run.finished_path, finished)
    return finished
