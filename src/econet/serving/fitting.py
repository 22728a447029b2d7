"""Bringing any picture to what a network takes, and saying in words what was done to it."""

import numpy as np
from msgspec import structs

from econet.images.preprocess import Pixels, Preprocess, resized

# Gray levels: what lies above the middle is light; less apart than this, edge and mean say nothing.
_MIDDLE = 128
_FAR_APART = 80


def fitted(pixels: Pixels, preprocess: Preprocess) -> Pixels:
    """The picture uint8 [h, w, C] at the store's size, whatever its own.

    A network that was trained without resizing takes pictures of one size only; to try it with others they are scaled
    until the shorter side fits, and the centre is cut out.
    """
    return resized(pixels, _chosen(pixels, preprocess))


def described(pixels: Pixels, preprocess: Preprocess, *, swapped: bool) -> str:
    """What `fitted` and the crop behind it do to the picture uint8 [h, w, C], in a phrase."""
    chosen = _chosen(pixels, preprocess)
    (height, width), target = pixels.shape[:2], _size(*preprocess.resize_size)
    parts = [f"{width} × {height} pixels"]
    if preprocess.channels == 1:
        parts.append("read as gray")
    if swapped:
        parts.append("dark and light swapped")
    if pixels.shape[:2] != preprocess.resize_size:
        fit = "stretched to" if chosen.resize == "stretch" else "scaled, and the centre cut to"
        parts.append(f"{fit} {target}")
    if preprocess.crop == "centre" and preprocess.image_size != preprocess.resize_size:
        parts.append(f"of that the central {_size(*preprocess.image_size)}")
    return ", ".join(parts)


def advice(pixels: Pixels, preprocess: Preprocess) -> str | None:
    """A hint where a gray picture's edge and the network's training pictures differ like paper and blackboard.

    `pixels` uint8 [h, w, 1] is what the network saw. The offset is the mean gray level of its training pictures.
    """
    edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    level = round(float(edge.mean()))
    alike = (level < _MIDDLE) == (preprocess.offset < _MIDDLE)
    if preprocess.channels != 1 or alike or abs(level - preprocess.offset) < _FAR_APART:
        return None
    here, there = ("light", "dark") if level >= _MIDDLE else ("dark", "light")
    return (
        f"The edge of this picture is {here} (level {level} of 255); the training pictures were mostly {there} "
        f"(mean {preprocess.offset}). Try it with dark and light swapped."
    )


def _chosen(pixels: Pixels, preprocess: Preprocess) -> Preprocess:
    if preprocess.resize == "none" and pixels.shape[:2] != preprocess.resize_size:
        return structs.replace(preprocess, resize="shorter-side")
    return preprocess


def _size(height: int, width: int) -> str:
    return f"{width} × {height}"
