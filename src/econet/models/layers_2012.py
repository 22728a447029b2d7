"""The layers of 2012 that torch has not, or has otherwise: normalisations, unshared weights, dropout, mean image.

Sources: Krizhevsky et al. 2012, sections 3.3 and 4.2, and cuda-convnet, whose formulas the paper's are.
"""

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from econet.models.architecture import Dropout, Local, Lrn, MapNorm


# An operator of its own, so that what counts a network's matrix products passes over these sums, as the paper does.
@torch.library.custom_op("econet::window_sums", mutates_args=())
def _window_sums(values: Tensor, before: int, after: int) -> Tensor:
    """Sums over windows of the last axis that begin `before` entries before each and end `after` behind it.

    A product with a band of ones: many times as fast as adding shifted slices of few channels.
    """
    count = values.shape[-1]
    distance = torch.arange(count, device=values.device)[:, None] - torch.arange(count, device=values.device)
    band = ((distance >= -before) & (distance <= after)).to(values.dtype)
    return values @ band


@_window_sums.register_fake
def _(values: Tensor, before: int, after: int) -> Tensor:
    return torch.empty_like(values)


class _Lrn(torch.autograd.Function):
    """`a * s^-beta` with `s = k + alpha * window sums of a^2`, its gradient by hand."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor, layer: Lrn) -> Tensor:
        """[N, H, W, columns, C / columns] -> the same, float32."""
        base = _window_sums(maps.square(), layer.size // 2, (layer.size - 1) // 2).mul_(layer.alpha).add_(layer.k)
        power = _power(base, layer.beta)
        ctx.save_for_backward(maps, base, power)
        ctx.layer = layer
        return maps * power

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor, None]:
        """`da = g s^-beta - 2 alpha beta a * (sum of g a s^(-beta-1) over the windows that hold a)`."""
        maps, base, power = ctx.saved_tensors
        layer: Lrn = ctx.layer
        direct = gradients[0] * power
        through = _window_sums((direct * maps).div_(base), (layer.size - 1) // 2, layer.size // 2)
        return direct.sub_(through.mul_(maps).mul_(2 * layer.alpha * layer.beta)), None


def _power(base: Tensor, beta: float) -> Tensor:
    """`base^-beta`; for the paper's 3/4 two square roots, far quicker than a power."""
    if beta == 0.75:
        root = base.rsqrt()
        return root * root.sqrt()
    return base.pow(-beta)


class LrnLayer(nn.Module):
    """`Lrn` as a module. torch's own divides alpha by the size; the printed formula does not."""

    def __init__(self, layer: Lrn) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] -> the same, computed in float32."""
        maps = x.float().permute(0, 2, 3, 1)
        columns = maps.unflatten(-1, (self.layer.columns, -1))
        result = cast("Tensor", _Lrn.apply(columns, self.layer))
        return result.flatten(-2).permute(0, 3, 1, 2).to(x.dtype)


class MapNormLayer(nn.Module):
    """`MapNorm` as a module: each pixel by the squares around it in its own map, zeros beyond the edge."""

    def __init__(self, layer: MapNorm) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] -> the same, computed in float32 at least."""
        layer, maps = self.layer, x if x.dtype == torch.float64 else x.float()
        # count_include_pad: the mean over the whole window times its pixels is the sum.
        mean = F.avg_pool2d(maps.square(), layer.size, 1, layer.size // 2)
        return (maps * _power(1 + layer.alpha * layer.size**2 * mean, layer.beta)).to(x.dtype)


class LocalLayer(nn.Module):
    """`Local` as a module; `weight` is [positions, C * k * k, channels], `bias` [positions, 1, channels]."""

    def __init__(self, inputs: int, height: int, width: int, layer: Local) -> None:
        super().__init__()
        places, patch = height * width, inputs * layer.kernel**2
        self.kernel, self.size = layer.kernel, (height, width)
        self.weight = nn.Parameter(torch.empty(places, patch, layer.channels))
        self.bias = nn.Parameter(torch.empty(places, 1, layer.channels))
        std = (2 / patch) ** 0.5 if layer.init_std is None else layer.init_std
        nn.init.normal_(self.weight, std=std)
        nn.init.constant_(self.bias, layer.init_bias)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] -> [N, channels, H, W]."""
        patches = F.unfold(x, self.kernel, padding=self.kernel // 2).permute(2, 0, 1)
        each = torch.bmm(patches, self.weight) + self.bias
        return F.relu(each.permute(1, 2, 0).unflatten(2, self.size), inplace=True)


class MaskDropout(nn.Module):
    """Dropout as in 2012: a plain mask in training, everything times `1 - p` afterwards."""

    def __init__(self, layer: Dropout) -> None:
        super().__init__()
        self.kept = 1 - layer.p

    def forward(self, x: Tensor) -> Tensor:
        """The same shape."""
        if not self.training:
            return x * self.kept
        return x * torch.empty_like(x).bernoulli_(self.kept)


class MeanImageLayer(nn.Module):
    """`MeanImage` as a module: a buffer [C, H, W], zero until training has seen its images."""

    mean: Tensor

    def __init__(self, channels: int, height: int, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(channels, height, width))

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] less the mean image."""
        return x - self.mean
