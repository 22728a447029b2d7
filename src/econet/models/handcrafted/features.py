"""Hand-crafted features as data: which ones, and their settings. Complete enough to compute them again."""

from typing import Any

import msgspec

from econet.errors import UserError

Shape = tuple[int, int, int]


class Hog(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="hog"):
    """Histograms of oriented gradients in cells, normalised over overlapping blocks of `block` x `block` cells.

    Every side of `cells` (pixels) gives its own histograms, one after the other. Of a colour picture the channel
    with the largest gradient counts, pixel by pixel.
    Source: Dalal and Triggs 2005, "Histograms of Oriented Gradients for Human Detection".
    """

    orientations: int = 9
    cells: tuple[int, ...] = (4, 8)
    block: int = 2


class SiftFisher(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="sift-fisher"
):
    """Dense SIFT under a Fisher vector: how an image's patches differ from a mixture of Gaussians.

    The picture is enlarged `enlarged` times; square patches of each side in `patches` lie every `step` pixels of
    that. Their descriptors are brought to `components` numbers by PCA, and the patch's place is appended.
    Sources: Lowe 2004 (SIFT); Perronnin et al. 2010 and Sanchez et al. 2013 (the improved Fisher vector);
    Sanchez et al. 2012 (the place in the descriptor instead of a spatial pyramid).
    """

    enlarged: int = 2
    step: int = 4
    patches: tuple[int, ...] = (12, 16, 24)
    components: int = 64
    gaussians: int = 64


Features = Hog | SiftFisher


class Handcrafted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Features and the linear classifier on them: `input` is (channels, height, width), one logit a class."""

    name: str
    input: Shape
    classes: int
    features: Features


def hog_linear(input_shape: Shape, classes: int) -> Handcrafted:
    """`hog_linear`: HOG in two sizes of cells. Raises UserError where the picture is smaller than one block."""
    features = Hog()
    _check_side(input_shape, max(features.cells) * features.block, "hog_linear", "one block of its cells")
    return Handcrafted(name="hog_linear", input=input_shape, classes=classes, features=features)


def sift_fisher(input_shape: Shape, classes: int, *, gaussians: int = 64) -> Handcrafted:
    """`sift_fisher`: dense SIFT under a Fisher vector of `gaussians` Gaussians.

    Raises UserError where the picture is smaller than a patch, or `gaussians` is not a whole number above 1.
    """
    if gaussians < 2:
        raise UserError(
            f"{gaussians} Gaussians are too few", "a Fisher vector compares at least two", "--switch gaussians=64"
        )
    features = SiftFisher(gaussians=gaussians)
    _check_side(input_shape, -(-max(features.patches) // features.enlarged), "sift_fisher", "its larger patch")
    return Handcrafted(name="sift_fisher", input=input_shape, classes=classes, features=features)


def to_data(handcrafted: Handcrafted) -> dict[str, Any]:
    """The record as plain JSON types under the one key that tells it from a network's."""
    return {"handcrafted": msgspec.to_builtins(handcrafted)}


def from_data(data: dict[str, Any]) -> Handcrafted:
    """Read the record back. Raises UserError naming the field that is wrong."""
    try:
        return msgspec.convert(data["handcrafted"], Handcrafted)
    except msgspec.ValidationError as error:
        raise UserError(
            "the recorded features cannot be read", str(error), "restore config.json from a copy"
        ) from error


def _check_side(input_shape: Shape, least: int, name: str, what: str) -> None:
    side = min(input_shape[1:])
    if side < least:
        raise UserError(
            f"image size {side} is smaller than {name} can take",
            f"{what} needs {least} pixels a side",
            f"--image-size {least} or larger, or --model econet (from 8)",
        )
