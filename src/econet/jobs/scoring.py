"""What a variant of a network reaches on validation images: the figures by which variants are chosen."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from econet.compression.sensitivity import Score
from econet.data.dataset import Dataset, Images
from econet.data.stream import in_memory
from econet.errors import UserError
from econet.images.preprocess import Preprocess
from econet.jobs.export import PARITY_STREAMED, torch_logits
from econet.runs.sensitivity_records import Cost


def validation_images(dataset: Dataset, images: int | None) -> Images:
    """The validation images, or so many of them, evenly spread. Raises UserError where there are none."""
    whole = in_memory(dataset.validation, images or PARITY_STREAMED)
    if not len(whole):
        raise UserError(
            "no validation images to measure on", "the split holds none", "a run made with --validation 0.1"
        )
    if images is None or images >= len(whole):
        return whole
    return whole.take(np.linspace(0, len(whole) - 1, images).round().astype(np.intp))


def scoring(images: Images, preprocess: Preprocess) -> Score:
    """What gives a network's accuracy and cross-entropy on `images`."""
    labels = torch.from_numpy(images.labels)

    def score(network: nn.Module) -> Cost:
        logits = torch.from_numpy(torch_logits(network, images.pixels, preprocess))
        right = float((logits.argmax(1) == labels).double().mean())
        return Cost(accuracy=right, cross_entropy=F.cross_entropy(logits.double(), labels).item())

    return score
