"""A narrower network begins with part of a trained one's weights: the first channels of every layer.

Taking the first channels everywhere is a cut that fits together, through sums of maps and flattened ones alike. It is
a start where no channel can be cut out by itself: which ones matter is what pruning finds out.
"""

from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor, nn


def take_leading(network: nn.Module, weights: Path) -> int:
    """Copy the leading part of each tensor in `weights` into `network`; returns how many tensors found a source.

    A tensor without a source of its name, or whose source is smaller in some direction, stays as it was.
    """
    source, target = load_file(weights), network.state_dict()
    taken = {name: _leading(source[name], value) for name, value in target.items() if _covers(source.get(name), value)}
    network.load_state_dict({**target, **taken})
    return len(taken)


def _covers(source: Tensor | None, value: Tensor) -> bool:
    return (
        source is not None
        and source.dim() == value.dim()
        and all(have >= want for have, want in zip(source.shape, value.shape, strict=True))
    )


def _leading(source: Tensor, value: Tensor) -> Tensor:
    return source[tuple(slice(0, size) for size in value.shape)].clone()
