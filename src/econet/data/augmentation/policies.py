"""What each policy of `--augment` does to one size of picture."""

from dataclasses import dataclass

from econet.images.preprocess import Preprocess
from econet.runs.choices import Augment


@dataclass(frozen=True, slots=True)
class Amounts:
    """What a policy does to one size of picture: padding around it and the side of the cut-out square, in pixels.

    `padding` is also the largest shift in every direction; 0 where crops come out of a larger store. With `changes`
    every other picture is changed in one way more.
    """

    padding: int
    cutout: int
    changes: bool = False


def amounts(policy: Augment, preprocess: Preprocess) -> Amounts:
    """The pixels that `policy` moves and cuts at this size.

    Shifts follow the input's shorter side: 2 px at 28, and from `standard` on 4 px at 32 and an eighth above.
    """
    side = min(preprocess.image_size)
    if policy == "none" or preprocess.resize_size != preprocess.image_size:
        padding = 0
    elif policy == "light" or side < 32:
        padding = max(1, side // 14)
    else:
        padding = side // 8
    cutout = side // 4 if policy in ("strong", "rich") else 0
    return Amounts(padding=padding, cutout=cutout, changes=policy == "rich")
