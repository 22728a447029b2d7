"""`mobilenet_v2` and `efficientnet_lite0`: stages of inverted residuals between a stem and a wide pointwise layer.

Sources: Sandler et al. 2018, "MobileNetV2", table 2; EfficientNet-Lite 0 of Tan and Le 2019 as published without
squeeze-excite and with ReLU6 (github.com/tensorflow/tpu, models/official/efficientnet/lite).
"""

from typing import NamedTuple

from econet.models.architecture import Architecture, Conv, Dense, Dropout, GlobalMean, InvertedResidual
from econet.models.classics.small_images import strides
from econet.models.width import check_width, divisible

Shape = tuple[int, int, int]

RELU6 = 6.0
HEAD_CHANNELS = 1280
STEM_CHANNELS = 32


class Stage(NamedTuple):
    """`blocks` of `channels`, expanded `expansion` times; the first one halves the map where `halves`."""

    expansion: int
    channels: int
    blocks: int
    halves: bool
    kernel: int = 3


MOBILENET_V2 = (
    Stage(1, 16, 1, halves=False),
    Stage(6, 24, 2, halves=True),
    Stage(6, 32, 3, halves=True),
    Stage(6, 64, 4, halves=True),
    Stage(6, 96, 3, halves=False),
    Stage(6, 160, 3, halves=True),
    Stage(6, 320, 1, halves=False),
)
EFFICIENTNET_LITE0 = (
    Stage(1, 16, 1, halves=False),
    Stage(6, 24, 2, halves=True),
    Stage(6, 40, 2, halves=True, kernel=5),
    Stage(6, 80, 3, halves=True),
    Stage(6, 112, 3, halves=False, kernel=5),
    Stage(6, 192, 4, halves=True, kernel=5),
    Stage(6, 320, 1, halves=False),
)


def mobilenet_v2(input_shape: Shape, classes: int, *, width: float = 1.0) -> Architecture:
    """3,504,872 parameters at 1,000 classes and width 1; 0.70 M and 28 M MACs at 3x32x32, ten classes and width 0.5.

    `width` scales all but the last pointwise layer, which only grows. Small pictures lose halvings from the front
    (`small_images`). Raises UserError where a side is under 8 pixels.
    """
    check_width(width)
    head = divisible(HEAD_CHANNELS * max(1.0, width))
    return _made("mobilenet_v2", MOBILENET_V2, input_shape, classes, width, divisible(STEM_CHANNELS * width), head)


def efficientnet_lite0(input_shape: Shape, classes: int, *, width: float = 1.0) -> Architecture:
    """4.65 M parameters at 1,000 classes and width 1, 3.4 M at ten.

    `width` scales the stages, not stem and last layer, as the larger EfficientNet-Lite do. Small pictures lose
    halvings from the front (`small_images`). Raises UserError where a side is under 8 pixels.
    """
    check_width(width)
    stages = EFFICIENTNET_LITE0
    return _made("efficientnet_lite0", stages, input_shape, classes, width, STEM_CHANNELS, HEAD_CHANNELS)


def _made(
    name: str, stages: tuple[Stage, ...], input_shape: Shape, classes: int, width: float, stem: int, head: int
) -> Architecture:
    first, *later = strides(name, input_shape)
    body: list[InvertedResidual] = []
    inputs = stem
    for stage in stages:
        channels = divisible(stage.channels * width)
        for index in range(stage.blocks):
            stride = later.pop(0) if stage.halves and index == 0 else 1
            body.append(_block(inputs, channels, stage, stride))
            inputs = channels
    layers = (
        Conv(channels=stem, stride=first, limit=RELU6),
        *body,
        Conv(channels=head, kernel=1, limit=RELU6),
        GlobalMean(),
        Dropout(p=0.2),
        Dense(channels=classes, relu=False),
    )
    return Architecture(name=name, input=input_shape, classes=classes, layers=layers)


def _block(inputs: int, channels: int, stage: Stage, stride: int) -> InvertedResidual:
    return InvertedResidual(
        expanded=None if stage.expansion == 1 else inputs * stage.expansion,
        channels=channels,
        kernel=stage.kernel,
        stride=stride,
        adds_input=stride == 1 and inputs == channels,
        limit=RELU6,
    )
