"""A run's network as one that explains its answers. Needs torch."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from econet.explanation.gradcam import ActivationMap, gradcam_map
from econet.explanation.question import Answer
from econet.explanation.randomised_network import forgetful_networks
from econet.images.preprocess import Pixels, Preprocess, scaled
from econet.jobs.explain_subject import Subject, check_gradcam
from econet.jobs.networks import is_quantized, network_of
from econet.models import architecture, cost
from econet.runs.folder import Run


def network_subject(run: Run) -> Subject:
    """The finished network of a run. Raises UserError where it is not finished or cannot be built from its record."""
    config, network = run.config, network_of(run)
    data, preprocess = config.architecture, config.data.preprocess
    subject = Subject(
        path=run.folder,
        name=config.model,
        kind="network",
        precision="int8" if is_quantized(run) else "fp32",
        classes=config.data.classes,
        preprocess=preprocess,
        answer=answer_of(network, preprocess),
        macs=cost.macs(architecture.from_data(data)) if "layers" in data else None,
        network=network,
    )
    return replace(subject, forgotten=partial(_forgotten, subject, network))


def gradcam(subject: Subject, picture: Pixels, label: int) -> ActivationMap:
    """The class activation map of a picture uint8 [h, w, C]. Raises UserError where the subject has no layer for it."""
    check_gradcam(subject)
    if subject.network is None:
        raise ValueError(f"{subject.path} was opened without its network")
    return gradcam_map(subject.network, inputs(picture[None], subject.preprocess), label)


def inputs(seen: Pixels, preprocess: Preprocess) -> Tensor:
    """Pictures uint8 [N, h, w, C] as the network takes them: float32 [N, C, h, w]."""
    return torch.from_numpy(scaled(seen, preprocess)).permute(0, 3, 1, 2)


def answer_of(network: nn.Module, preprocess: Preprocess) -> Answer:
    """Logits of pictures that have the input's size, through the network."""

    def answer(seen: Pixels) -> NDArray[np.float32]:
        with torch.inference_mode():
            return network(inputs(seen, preprocess)).float().numpy()

    return answer


def _forgotten(subject: Subject, network: nn.Module, seed: int) -> Iterator[Subject]:
    for _, forgetful in forgetful_networks(network, seed=seed):
        yield replace(subject, network=forgetful, answer=answer_of(forgetful, subject.preprocess), forgotten=None)
