"""How a network made for pictures of 224 pixels takes small ones: it halves them less often.

The networks of ImageNet halve a picture five times, 224 to 7. Halvings are left out from the front, their strides
become 1, until the last maps keep at least 4 pixels a side: three remain at 32 pixels, 32 to 4, and all five from 97
pixels on. That is what the usual CIFAR forms do (github.com/chenyaofo/pytorch-cifar-models and
github.com/kuangliu/pytorch-cifar: stride 1 in the stem and in the next stage). Widths and depths stay.
"""

from econet.errors import UserError

SMALLEST_SIDE = 8
LAST_SIDE = 4


def strides(name: str, input_shape: tuple[int, int, int], halvings: int = 5) -> list[int]:
    """The strides of the places where `name` halves its maps, in order: 1 where small pictures leave one out.

    Raises UserError where a side is under 8 pixels: even one halving would leave maps of less than 4.
    """
    side = min(input_shape[1:])
    if side < SMALLEST_SIDE:
        raise UserError(
            f"image size {side} is smaller than {name} can take",
            f"its last maps keep {LAST_SIDE} pixels a side, after one halving at least",
            f"--image-size {SMALLEST_SIDE} or larger",
        )
    kept = max(count for count in range(halvings + 1) if -(-side // 2**count) >= LAST_SIDE)
    return [1] * (halvings - kept) + [2] * kept
