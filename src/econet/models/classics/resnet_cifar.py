"""`resnet20` and `resnet8`: residual networks for 32-pixel pictures, three stages of 16, 32 and 64 channels.

`resnet20` is He et al. 2016, "Deep Residual Learning", section 4.2, n = 3, with projections where shapes differ
(option B; the paper's CIFAR networks pad with zeros, which saves 2,752 of 0.27 M parameters).
`resnet8` is the image classifier of MLPerf Tiny (github.com/mlcommons/tiny, `keras_model.py`), n = 1. Its projections
have a bias and no batch norm. The reference counts 78,186 trainable parameters: it also has a bias before each batch
norm, 240 in all, which batch norm makes void and which are left out here. Both forms have 77,706 after folding.
"""

from econet.models.architecture import Architecture, Conv, Dense, GlobalMean, Residual
from econet.models.width import check_width, rounded

Shape = tuple[int, int, int]

STAGES = (16, 32, 64)


def resnet8(input_shape: Shape, classes: int, *, width: float = 1.0) -> Architecture:
    """One block a stage: 77,706 parameters after folding and 12.50 M MACs at 3x32x32 and ten classes."""
    return _made("resnet8", input_shape, classes, width, blocks=1, shortcut_norm=False)


def resnet20(input_shape: Shape, classes: int, *, width: float = 1.0) -> Architecture:
    """Three blocks a stage: 0.27 M parameters and 41 M MACs at 3x32x32 and ten classes."""
    return _made("resnet20", input_shape, classes, width, blocks=3, shortcut_norm=True)


def _made(
    name: str, input_shape: Shape, classes: int, width: float, *, blocks: int, shortcut_norm: bool
) -> Architecture:
    check_width(width)
    body = [
        Residual(
            channels=rounded(channels * width),
            stride=2 if number > 0 and index == 0 else 1,
            shortcut_norm=shortcut_norm,
        )
        for number, channels in enumerate(STAGES)
        for index in range(blocks)
    ]
    layers = (Conv(channels=rounded(STAGES[0] * width)), *body, GlobalMean(), Dense(channels=classes, relu=False))
    return Architecture(name=name, input=input_shape, classes=classes, layers=layers)
