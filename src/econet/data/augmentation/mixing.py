"""Two pictures in one: mixup and CutMix between neighbours of a batch, and the labels that follow."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from econet.statistics.streams import stream_seed


@dataclass(frozen=True, slots=True)
class MixedLabels:
    """The second label of each picture, int64 [N], and its share of the picture, float32 [N], at most a half."""

    other: Tensor
    share: Tensor


class Mixing:
    """Mixes neighbours of a batch: positions 0 and 1, 2 and 3, ...; the order of a batch is chance already.

    `mixup` and `cutmix` are the a of Beta(a, a), from which each pair's share is drawn; 0 leaves that way out. With
    both, each pair takes one of them by the toss of a coin. Either picture of a pair stays the larger part of itself,
    so that the first label is always the one to get right: two mixed pictures of a pair are the same set for a share
    and one less it, and in CutMix the smaller part is always the patch.
    Sources: Zhang et al. 2018, "mixup"; Yun et al. 2019, "CutMix" - here with the patch wholly inside the picture.
    """

    def __init__(self, mixup: float, cutmix: float, seed: int) -> None:
        self._mixup, self._cutmix, self._seed = mixup, cutmix, seed

    @property
    def mixes(self) -> bool:
        """Whether there is anything to do."""
        return self._mixup > 0 or self._cutmix > 0

    def mixed(
        self, images: Tensor, labels: Tensor, step: int, positions: Tensor, whole: int
    ) -> tuple[Tensor, MixedLabels]:
        """Normalised `images` [N, C, H, W] mixed in pairs, and what their `labels` [N] become.

        All chance comes from the seed and `step`. `positions` [N], in a row, are those in a batch of `whole` pictures,
        which other processes may share; a picture whose neighbour is not here stays as it is.
        """
        count, device = len(images), images.device
        partner = (positions ^ 1) - positions[0]
        alone = (partner < 0) | (partner >= count)
        partner = torch.where(alone, torch.arange(count), partner).to(device)
        shares, patches = self._drawn(step, -(-whole // 2), (images.shape[2], images.shape[3]))
        share, patch = shares[positions // 2], patches[positions // 2]
        share[alone] = 0.0
        share = share.to(device)
        mixed = _patched(images.permute(0, 2, 3, 1), partner, share, patch.to(device))
        return mixed.permute(0, 3, 1, 2), MixedLabels(labels[partner], share)

    def _drawn(self, step: int, pairs: int, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """Of each pair the other picture's share, float32 [P], and its patch [P, 4] as top, bottom, left, right.

        A pair that mixup takes has a patch of no pixels; a patch's share is told from the pixels it really has.
        """
        chance = np.random.default_rng(stream_seed(self._seed, "mixing", step))
        coin, at_row, at_column = chance.random((3, pairs))
        cuts = (coin < 0.5) & (self._cutmix > 0) | (self._mixup == 0)
        shape = np.where(cuts, self._cutmix, self._mixup)
        drawn = chance.beta(shape, shape)
        share = np.minimum(drawn, 1 - drawn)
        height, width = (np.rint(side * np.sqrt(share)).astype(np.int64) * cuts for side in size)
        top = (at_row * (size[0] - height + 1)).astype(np.int64)
        left = (at_column * (size[1] - width + 1)).astype(np.int64)
        share = np.where(cuts, height * width / (size[0] * size[1]), share).astype(np.float32)
        patch = np.stack([top, top + height, left, left + width], axis=1)
        return torch.from_numpy(share), torch.from_numpy(patch)


def _patched(images: Tensor, partner: Tensor, share: Tensor, patch: Tensor) -> Tensor:
    """[N, H, W, C]: inside its patch the partner's picture; where there is no patch, both added up by their shares."""
    top, bottom, left, right = (edge[:, None] for edge in patch.unbind(1))
    rows = torch.arange(images.shape[1], device=images.device)
    columns = torch.arange(images.shape[2], device=images.device)
    inside = ((rows >= top) & (rows < bottom))[:, :, None] & ((columns >= left) & (columns < right))[:, None, :]
    weight = torch.where((bottom > top)[:, :, None], inside.to(images.dtype), share[:, None, None].to(images.dtype))
    return torch.lerp(images, images[partner], weight[..., None])
