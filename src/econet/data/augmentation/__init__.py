"""Augmentation on whole batches of tensors; the one part of this room that needs torch."""

from econet.data.augmentation.augmenter import Augmenter
from econet.data.augmentation.policies import Amounts, amounts
from econet.data.augmentation.windows import pictures

__all__ = ["Amounts", "Augmenter", "amounts", "pictures"]
