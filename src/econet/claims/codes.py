"""Short binary codes by an auto-encoder, and how well their distance retrieves pictures of the same class.

The paper suggests them (section 6.1) and points to its authors' "Using Very Deep Autoencoders for Content-Based Image
Retrieval" (Krizhevsky and Hinton 2011), whose lengths of 28 and 256 bits are kept here. Theirs have many layers; this
one has a linear layer on each side of the code.
"""

from typing import Any, cast

import torch
from torch import Tensor, nn

from econet.statistics.streams import stream_seed

SHORT, LONG = 28, 256
# Vectors that an encoder learns from, and how: Adam, its rate falling from RATE to 0. Validation images of CIFAR-10 are
# put together again, from pixels and from a last hidden layer, at most a seventh worse than at the best of the rates
# 0.001, 0.003 and 0.01; labels chose nothing.
SAMPLE = 10_000
STEPS = 1_000
BATCH = 250
RATE = 3e-3


class _Rounded(torch.autograd.Function):
    """-1 or 1, the nearer one; the gradient passes as if nothing had been rounded (Krizhevsky and Hinton 2011)."""

    @staticmethod
    def forward(ctx: Any, units: Tensor) -> Tensor:
        """[N, bits] in -1..1 -> [N, bits], each -1 or 1."""
        return torch.where(units >= 0, 1.0, -1.0)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Tensor:
        """The gradient as it comes."""
        return cast("Tensor", gradients[0])


class AutoEncoder(nn.Module):
    """Vectors [N, D] to codes of `bits` and back: linear, tanh, rounded to -1 or 1, linear.

    Vectors are moved to mean 0 and, all entries together, to a spread of 1, as `examples` [M, D] have it.
    """

    mean: Tensor
    spread: Tensor

    def __init__(self, examples: Tensor, bits: int) -> None:
        super().__init__()
        self.register_buffer("mean", examples.mean(0))
        self.register_buffer("spread", (examples - examples.mean(0)).square().mean().sqrt().clamp_min(1e-12))
        self.encoder = nn.Linear(examples.shape[1], bits)
        self.decoder = nn.Linear(bits, examples.shape[1])

    def codes(self, vectors: Tensor) -> Tensor:
        """[N, D] -> [N, bits], each -1 or 1."""
        return cast("Tensor", _Rounded.apply(torch.tanh(self.encoder((vectors - self.mean) / self.spread))))

    def forward(self, vectors: Tensor) -> Tensor:
        """The mean squared error of the vectors put back together from their codes."""
        target = (vectors - self.mean) / self.spread
        return (self.decoder(self.codes(vectors)) - target).square().mean()


def learned(vectors: Tensor, bits: int, seed: int) -> AutoEncoder:
    """An auto-encoder trained on at most 10,000 of `vectors` [N, D], drawn by `seed`, as are its first weights.

    Leaves torch's own generator as it was.
    """
    generator = torch.Generator().manual_seed(stream_seed(seed, "codes", "order"))
    sample = vectors[torch.randperm(len(vectors), generator=generator)[:SAMPLE]].float()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream_seed(seed, "codes", "initialisation"))
        network = AutoEncoder(sample, bits)
    optimizer = torch.optim.Adam(network.parameters())
    for step in range(STEPS):
        optimizer.param_groups[0]["lr"] = RATE * (1 - step / STEPS)
        optimizer.zero_grad()
        network(sample[torch.randint(len(sample), (BATCH,), generator=generator)]).backward()
        optimizer.step()
    return network.eval()


def code_purity(
    queries: Tensor, query_labels: Tensor, known: Tensor, labels: Tensor, *, bits: int, seed: int, neighbours: int
) -> float:
    """Share of the `neighbours` of `known` [N, D] nearest to each of `queries` [Q, D] by code that share its label.

    The encoder learns from `known` alone, without labels. Codes of few bits are often equally near: those that tie for
    the last places share them.
    """
    network = learned(known, bits, seed)
    codes, others = _codes(network, queries), _codes(network, known)
    parts = zip(codes.split(200), query_labels.split(200), strict=True)
    right = [_right(part, wanted, others, labels, neighbours) for part, wanted in parts]
    return float(torch.cat(right).mean()) / neighbours


def _codes(network: AutoEncoder, vectors: Tensor) -> Tensor:
    """The codes of vectors [N, D] of any number type, few at a time: as floats they may take gigabytes."""
    with torch.no_grad():
        return torch.cat([network.codes(part.float()) for part in vectors.split(BATCH)])


def _right(codes: Tensor, wanted: Tensor, others: Tensor, labels: Tensor, neighbours: int) -> Tensor:
    """How many of the nearest to each of `codes` [Q, bits] are of its label, fractions where they tie: [Q]."""
    distances = (codes.shape[1] - codes @ others.T) / 2  # of -1 and 1, the number of bits that differ
    last = distances.topk(neighbours, largest=False).values[:, -1:]
    same = (labels == wanted[:, None]).float()
    nearer, tied = (distances < last).float(), (distances == last).float()
    places = neighbours - nearer.sum(1)
    return (same * nearer).sum(1) + places * (same * tied).sum(1) / tied.sum(1)
