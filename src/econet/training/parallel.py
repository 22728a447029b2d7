"""Data-parallel training under `torchrun`: every process takes its slice of each batch, gradients are averaged."""

import os
from collections.abc import Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx

from econet.statistics.streams import stream_seed


def processes() -> int:
    """How many processes train together; 1 outside `torchrun`."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """This process's number among them."""
    return int(os.environ.get("RANK", "0"))


def join(device: torch.device) -> None:
    """Join the other processes: nccl between GPUs, gloo between CPUs. Nothing to do for a single one."""
    if processes() > 1 and not dist.is_initialized():
        if device.type == "cuda":
            torch.cuda.set_device(device)  # nccl talks through the current device
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")


def wait_for_all() -> None:
    """Return when every process has come here."""
    if dist.is_initialized():
        dist.barrier()


def my_slice(indices: Tensor) -> Tensor:
    """This process's part of a batch's indices; their number must be a multiple of the processes."""
    return indices.view(processes(), -1)[rank()]


def average_gradients(network: nn.Module) -> None:
    """Replace every gradient by its mean over the processes, in one exchange."""
    if processes() == 1:
        return
    gradients = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    dist.all_reduce(flat)
    flat /= processes()
    for gradient, mean in zip(gradients, flat.split([gradient.numel() for gradient in gradients]), strict=True):
        gradient.copy_(mean.view_as(gradient))


def summed(value: Tensor) -> Tensor:
    """The sum of `value` over the processes."""
    if processes() > 1:
        dist.all_reduce(value)
    return value


def largest(values: Sequence[int], device: torch.device) -> list[int]:
    """Each of `values` as large as it is in any process."""
    if processes() == 1:
        return list(values)
    shared = torch.tensor(values, device=device)
    dist.all_reduce(shared, dist.ReduceOp.MAX)
    return [int(value) for value in shared.tolist()]


class _SharedSum(torch.autograd.Function):
    """Sum over processes whose gradient is the sum of the processes' gradients."""

    @staticmethod
    def forward(ctx: FunctionCtx, value: Tensor) -> Tensor:
        total = value.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: FunctionCtx, *gradients: Any) -> Tensor:
        total = gradients[0].clone()
        dist.all_reduce(total)
        return total


class SharedBatchNorm(nn.BatchNorm2d):
    """Batch norm over the images of all processes, as one process would see them; works on the CPU too."""

    def forward(self, input: Tensor) -> Tensor:
        """[N, C, H, W] -> the same, normalised with the mean and variance of the whole batch."""
        if not self.training:
            return super().forward(input)
        values = input.to(torch.promote_types(input.dtype, torch.float32))
        count = values.numel() // values.shape[1] * processes()
        # Two exchanges: the mean of the squares less the square of the mean would cancel most of float32's digits.
        mean = _SharedSum.apply(values.sum((0, 2, 3))) / count
        centred = values - mean[:, None, None]
        variance = _SharedSum.apply(centred.square().sum((0, 2, 3))) / count
        self._follow(mean.detach(), variance.detach() * count / (count - 1))
        scale = self.weight * torch.rsqrt(variance + self.eps)
        return centred * scale[:, None, None] + self.bias[:, None, None]

    def _follow(self, mean: Tensor, variance: Tensor) -> None:
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        momentum = self.momentum if self.momentum is not None else 0.1
        self.running_mean.lerp_(mean, momentum)
        self.running_var.lerp_(variance, momentum)
        self.num_batches_tracked.add_(1)


def share_batch_norm(network: nn.Module) -> nn.Module:
    """Let every batch norm of `network` look at all processes' images; a single process keeps torch's own."""
    if processes() == 1:
        return network
    for module in network.modules():
        if type(module) is nn.BatchNorm2d:
            module.__class__ = SharedBatchNorm
    return network


class Sharing:
    """How the processes share a training: here each takes its slice of every batch, and a single one takes it all."""

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def prepared(self, network: nn.Module) -> nn.Module:
        """What this process trains of the whole network."""
        return share_batch_norm(network)

    def mine(self, indices: Tensor) -> Tensor:
        """This process's part of a batch's indices, or of anything else that has an entry for each image."""
        return my_slice(indices)

    def seed_dropout(self, seed: int, step: int) -> None:
        """Seed the generator that dropout draws from.

        Not by torch.manual_seed, which would note a traceback for every absent device.
        """
        own = stream_seed(seed, "dropout", step, rank())
        torch.default_generator.manual_seed(own)
        if self.device.type == "cuda":
            torch.cuda.manual_seed(own)

    def totals(self, loss: Tensor, right: Tensor) -> Tensor:
        """The whole batch's loss and right answers [2], float64."""
        return summed(torch.stack([loss.double() / processes(), right.double()]))

    def finish_gradients(self, network: nn.Module) -> None:
        """Make the gradients of this process's part those of the whole training."""
        average_gradients(network)

    def agreed(self, figures: list[float]) -> list[float]:
        """What was measured on validation, as all processes are to know it."""
        return figures

    def gathered(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """What the first process writes down for a resume; every process calls it."""
        return tensors

    def own(self, written: dict[str, Tensor]) -> dict[str, Tensor]:
        """This process's part of what `gathered` gave."""
        return written

    def whole_weights(self, network: nn.Module) -> dict[str, Tensor]:
        """The whole network's tensors, in the first process; every process calls it."""
        return network.state_dict()
