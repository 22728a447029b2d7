"""Where the windows of a convolution or pooling lie: torch's padding in TensorFlow's words."""

from dataclasses import dataclass

from econet.deployment.targets.litert.schema import Padding


@dataclass(frozen=True, slots=True)
class Axis:
    """The windows along a side: `kernel` with its dilation, `before` pixels of padding, `outputs` windows."""

    size: int
    kernel: int
    stride: int
    before: int
    outputs: int

    @property
    def behind(self) -> int:
        """The pixels by which the last window reaches over the far edge; padding that no window sees does not count."""
        return max(0, (self.outputs - 1) * self.stride + self.kernel - self.size - self.before)

    @property
    def is_same(self) -> bool:
        """Whether SAME puts the windows here: the smaller half of what is missing lies before the map."""
        missing = max(0, (self.outputs - 1) * self.stride + self.kernel - self.size)
        fits = self.outputs == -(-self.size // self.stride)
        return fits and self.before == missing // 2 and self.before + self.behind == missing


Pads = tuple[tuple[int, int], tuple[int, int]]


def placed(height: Axis, width: Axis) -> tuple[Padding, Pads | None]:
    """The padding that gives these windows, and the rows and columns to add to the map first where neither does.

    At stride 2 SAME pads the far sides only, torch all of them: there the map is padded by an operator of its own.
    """
    pads = ((height.before, height.behind), (width.before, width.behind))
    if pads == ((0, 0), (0, 0)):
        return Padding.VALID, None
    if height.is_same and width.is_same:
        return Padding.SAME, None
    return Padding.VALID, pads
