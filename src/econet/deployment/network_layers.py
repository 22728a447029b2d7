"""What each layer of a catalog network gives in torch, to be set against the file's own tensors."""

import numpy as np
import torch
from torch import nn

from econet.deployment.parity_cause import LayerOutput
from econet.images.preprocess import Pixels, Preprocess, cropped, scaled
from econet.models.layers_2012 import MaskDropout
from econet.models.network import Network


def layer_outputs(network: Network, pixels: Pixels, preprocess: Preprocess) -> list[LayerOutput]:
    """The outputs of all layers for stored images `pixels` [N, H, W, C], in order, in evaluation mode."""
    inputs = scaled(cropped(pixels, preprocess), preprocess).transpose(0, 3, 1, 2)
    x = torch.from_numpy(np.ascontiguousarray(inputs))
    was_training = network.training
    network.eval()
    found: list[LayerOutput] = []
    with torch.no_grad():
        for index, layer in enumerate(network.layers):
            x = layer.to("cpu")(x)
            if not isinstance(layer, nn.Dropout | MaskDropout):  # a file has no tensor of theirs
                # A copy: a rectifier behind it works in place.
                found.append(LayerOutput(f"{index} ({type(layer).__name__})", x.numpy().copy()))
    network.train(was_training)
    return found
