"""The ten views of a picture: its four corners and its centre, as they are and mirrored."""

from typing import Literal

from econet.errors import UserError
from econet.images.preprocess import Pixels, Preprocess

Views = Literal["centre", "ten"]


def offsets(preprocess: Preprocess) -> tuple[tuple[int, int], ...]:
    """(top, left) of the five windows of the input's size in a stored picture, in pixels and in the 2012 code's order.

    Corners above left and right, the centre, corners below left and right: for 224 pixels out of 256 that is (0, 0),
    (0, 32), (16, 16), (32, 0), (32, 32). The centre is that of `cropped`, rounded towards the top left.
    """
    down, right = _free(preprocess)
    return (0, 0), (0, right), (down // 2, right // 2), (down, 0), (down, right)


def ten_views(pixels: Pixels, preprocess: Preprocess) -> tuple[Pixels, ...]:
    """Ten arrays uint8 [N, h, w, C] of the input's size: the windows at `offsets`, then the same five mirrored.

    `pixels` are stored pictures, uint8 [N, H, W, C] of `resize_size`; what comes back are views of them, not copies.
    A mirrored picture has the same ten in another order, where the free pixels are even in number.
    Raises UserError where the stored pictures are no larger than the input.
    Source: Krizhevsky, Sutskever, Hinton 2012, section 4.1; the order is that of the code published in 2025.
    """
    height, width = preprocess.image_size
    if min(_free(preprocess)) <= 0:
        kept = "x".join(str(side) for side in preprocess.resize_size)
        raise UserError(
            f"pictures kept at {kept} pixels have no ten views for an input of {height}x{width}",
            "the views are windows of the input's size, and a window has to fit into the pictures with room to move",
            f"a network trained with a --crop-from above --image-size, as --image-size {height} "
            f"--crop-from {round(height * 256 / 224)}",
        )
    windows = [pixels[..., top : top + height, left : left + width, :] for top, left in offsets(preprocess)]
    return (*windows, *(window[..., ::-1, :] for window in windows))


def _free(preprocess: Preprocess) -> tuple[int, int]:
    """Pixels by which a stored picture exceeds the input, down and to the right."""
    (tall, wide), (height, width) = preprocess.resize_size, preprocess.image_size
    return tall - height, wide - width
