"""The mean image out of a trained network of 2012: one gray level for all pixels takes its place.

A file with 8 bits holds the image in float32, three values for every pixel of the input, and computes with it in
float. Of natural pictures it is nearly flat. So pixels come scaled as every other network takes them, `(pixel - offset)
* scale`; the first convolution takes in the scale, and its biases, or its batch norm, how far each channel's mean lies
from the offset. What is lost, how the image varies over its places, is for fine-tuning to bring back.
"""

from typing import cast

import torch
from msgspec.structs import replace
from torch import Tensor, nn

from econet.errors import UserError
from econet.images.preprocess import Preprocess
from econet.models.layers_2012 import MeanImageLayer
from econet.models.network import ConvLayer, Network


def has_mean_image(network: nn.Module) -> bool:
    """Whether a catalog network subtracts a mean image."""
    return any(isinstance(module, MeanImageLayer) for module in network.modules())


def without_mean_image(network: Network, preprocess: Preprocess) -> Network:
    """A copy of `network`, which takes raw pixels, for pixels scaled by `preprocess`; its mean image is one offset.

    Exact where the mean image is flat in each channel, but for windows that reach over the edge.
    Raises UserError where no convolution reads what is left of the mean image.
    """
    first, second, *rest = network.layers
    if not isinstance(first, MeanImageLayer) or not isinstance(second, ConvLayer):
        raise UserError(
            f"the mean image of {network.architecture.name} cannot be dropped",
            "no convolution reads what it is subtracted from, which could take it in",
            "leave --drop-mean out",
        )
    made = Network(replace(network.architecture, layers=network.architecture.layers[1:]))
    for own, layer in zip(made.layers, (second, *rest), strict=True):
        own.load_state_dict(layer.state_dict())
    reads = cast("ConvLayer", made.layers[0])
    with torch.no_grad():
        away = preprocess.offset - first.mean.double().mean((1, 2))
        shift = (reads.conv.weight.double().sum((2, 3)) * away).sum(1)
        reads.conv.weight.div_(preprocess.scale)
        if reads.norm is not None:
            _add(reads.norm.running_mean, -shift)
        else:
            _add(reads.conv.bias, shift)
    return made.train(network.training)


def _add(values: Tensor | None, shift: Tensor) -> None:
    """Add `shift`, in the type of `values`."""
    if values is not None:
        values.add_(shift.to(values.dtype))
