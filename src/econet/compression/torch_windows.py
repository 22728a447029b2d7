"""ONNX operators with a sliding window, computed in torch: convolutions and poolings in one to three dimensions."""

from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

Attributes = Mapping[str, Any]
_CONVOLUTIONS = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
_MAX_POOLS = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
_AVERAGE_POOLS = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}


def conv(x: Tensor, weight: Tensor, bias: Tensor | None, attributes: Attributes) -> Tensor:
    """Conv: [N, C, ...] by [out, C / group, ...]."""
    kernel = weight.shape[2:]
    steps, spread = _steps(attributes, kernel), _each(attributes.get("dilations"), kernel)
    before, after = _pads(x, kernel, steps, spread, attributes)
    if before != after:
        x, before = F.pad(x, _torch_pads(before, after)), [0] * len(kernel)
    return _CONVOLUTIONS[len(kernel)](x, weight, bias, steps, before, spread, attributes.get("group", 1))


def max_pool(x: Tensor, attributes: Attributes) -> Tensor:
    """MaxPool: the largest value in each window; what lies beyond the edge never counts."""
    kernel = attributes["kernel_shape"]
    if set(kernel) == {1} and not attributes.keys() - {"kernel_shape"}:
        return x
    steps, spread = _steps(attributes, kernel), _each(attributes.get("dilations"), kernel)
    before, after = _pads(x, kernel, steps, spread, attributes)
    if before != after or any(2 * near > side for near, side in zip(before, kernel, strict=True)):
        x, before = F.pad(x, _torch_pads(before, after), value=-torch.inf), [0] * len(kernel)
    return _MAX_POOLS[len(kernel)](x, kernel, steps, before, spread, bool(attributes.get("ceil_mode", 0)))


def average_pool(x: Tensor, attributes: Attributes) -> Tensor:
    """AveragePool; unless `count_include_pad` is set, only the pixels inside the picture count."""
    kernel = attributes["kernel_shape"]
    steps = _steps(attributes, kernel)
    before, after = _pads(x, kernel, steps, [1] * len(kernel), attributes)
    counts_pads, rounds_up = bool(attributes.get("count_include_pad", 0)), bool(attributes.get("ceil_mode", 0))
    pool = _AVERAGE_POOLS[len(kernel)]
    if before == after:
        return pool(x, kernel, steps, before, rounds_up, counts_pads)
    pads = _torch_pads(before, after)
    sums = pool(F.pad(x, pads), kernel, steps, 0, rounds_up)
    if counts_pads:
        return sums
    return sums / pool(F.pad(torch.ones_like(x[:1, :1]), pads), kernel, steps, 0, rounds_up)


def _steps(attributes: Attributes, kernel: Sequence[int]) -> list[int]:
    return _each(attributes.get("strides"), kernel)


def _each(values: Sequence[int] | None, kernel: Sequence[int]) -> list[int]:
    return [1] * len(kernel) if values is None else list(values)


def _pads(
    x: Tensor, kernel: Sequence[int], steps: Sequence[int], spread: Sequence[int], attributes: Attributes
) -> tuple[list[int], list[int]]:
    """Padding before and after each dimension, by `pads` or by the rule that `auto_pad` names."""
    rule = attributes.get("auto_pad", "NOTSET")
    count = len(kernel)
    if rule in ("NOTSET", "VALID"):
        pads = list(attributes.get("pads", [])) if rule == "NOTSET" else []
        pads = pads or [0] * (2 * count)
        return pads[:count], pads[count:]
    before: list[int] = []
    after: list[int] = []
    for side, window, step, dilation in zip(x.shape[2:], kernel, steps, spread, strict=True):
        whole = max(0, (ceil(side / step) - 1) * step + (window - 1) * dilation + 1 - side)
        less, more = whole // 2, whole - whole // 2
        before.append(less if rule == "SAME_UPPER" else more)
        after.append(more if rule == "SAME_UPPER" else less)
    return before, after


def _torch_pads(before: Sequence[int], after: Sequence[int]) -> list[int]:
    """torch names the last dimension first."""
    return [each for pair in reversed(list(zip(before, after, strict=True))) for each in pair]
