"""Convolutions that blocks are assembled from: with batch norm and ReLU, and depthwise ones that train quickly."""

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.grad import conv2d_weight


class _StridedDepthwise(torch.autograd.Function):
    """Strided depthwise convolution whose input gradient is a plain convolution of the spread-out gradient.

    torch's own bf16 input gradient of a strided depthwise convolution is some 30 times slower on the CPU than the
    same in float32. Written between zeros, one value every `stride` pixels, the gradient needs the unstrided
    kernel only, turned by 180 degrees: the same sums, fast in bf16.
    """

    @staticmethod
    def forward(ctx: Any, maps: Tensor, weight: Tensor, stride: int) -> Tensor:
        """[N, C, H, W] and [C, 1, k, k], k odd -> [N, C, ceil(H / stride), ceil(W / stride)]."""
        ctx.save_for_backward(maps, weight)
        ctx.stride = stride
        return F.conv2d(maps, weight, None, stride, weight.shape[-1] // 2, 1, len(weight))

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor, Tensor, None]:
        """Gradients of the maps and of the weight."""
        maps, weight = ctx.saved_tensors
        stride, padding, groups = ctx.stride, weight.shape[-1] // 2, len(weight)
        spread = torch.zeros_like(maps)
        spread[:, :, ::stride, ::stride] = gradients[0]
        of_maps = F.conv2d(spread, weight.flip(2, 3), None, 1, padding, 1, groups)
        of_weight = conv2d_weight(maps, weight.shape, gradients[0], stride, padding, 1, groups)
        return of_maps, of_weight, None


class DepthwiseConv(nn.Conv2d):
    """Depthwise convolution; its strided form takes a detour round a slow gradient under bf16 autocast on the CPU."""

    def __init__(self, channels: int, kernel: int, stride: int) -> None:
        super().__init__(channels, channels, kernel, stride, kernel // 2, groups=channels, bias=False)

    def forward(self, input: Tensor) -> Tensor:
        """[N, C, H, W] -> [N, C, ceil(H / stride), ceil(W / stride)]."""
        if self.stride == (1, 1) or not torch.is_autocast_enabled("cpu") or input.device.type != "cpu":
            return super().forward(input)
        number = torch.get_autocast_dtype("cpu")
        return cast("Tensor", _StridedDepthwise.apply(input.to(number), self.weight.to(number), self.stride[0]))


class ConvUnit(nn.Module):
    """A convolution, batch norm (or a bias) after it, then ReLU up to `limit` unless `relu` is off."""

    def __init__(self, conv: nn.Conv2d, *, norm: bool = True, relu: bool = True, limit: float | None = None) -> None:
        super().__init__()
        self.conv = conv
        self.norm = nn.BatchNorm2d(conv.out_channels) if norm else None
        self.relu, self.limit = relu, limit

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] -> [N, channels, ...]."""
        x = self.conv(x)
        x = x if self.norm is None else self.norm(x)
        return rectified(x, self.limit) if self.relu else x


def rectified(x: Tensor, limit: float | None) -> Tensor:
    """ReLU in place, cut at `limit` where there is one (6 in ReLU6)."""
    return F.relu(x, inplace=True) if limit is None else F.hardtanh(x, 0.0, limit, inplace=True)
