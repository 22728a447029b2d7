"""The CIFAR-10 networks of cuda-convnet, the code the 2012 network grew out of, named by their published error.

Source: `example-layers/*.cfg` of cuda-convnet (Krizhevsky 2011), `layers-80sec`, `-19pct`, `-18pct`, `conv-local-13pct`
and `conv-local-11pct`. All take 0..255 pixels less the mean image; the last two are made for 24-pixel crops of 32.
Every weight matrix brings its own decay; all pools are 3 x 3 every 2 pixels, cut off at the edge.
"""

from typing import Literal

from msgspec.structs import replace

from econet.errors import unknown_name
from econet.models.architecture import (
    Activation,
    AnyLayer,
    Architecture,
    AvgPool,
    Conv,
    Dense,
    Flatten,
    Local,
    Lrn,
    MapNorm,
    MaxPool,
    MeanImage,
    Weighted,
)
from econet.models.shapes import walk
from econet.models.width import check_width, rounded

Shape = tuple[int, int, int]
Nonlinearity = Literal["relu", "tanh"]

_POOL = MaxPool(kernel=3, stride=2, ceil=True)
# rnorm 3 x 3 of the 18 % net: a scale of 5e-5 over the 9 pixels of its window.
_MAP_NORM = MapNorm(size=3, alpha=5e-5 / 9, beta=0.75)
# Cross-map norm of the 11 % net: a scale of 1e-3 over 9 maps; cuda-convnet adds 1.
_MAPS_NORM = Lrn(size=9, alpha=1e-3 / 9, beta=0.75, k=1.0)


def fast(input_shape: Shape, classes: int, *, activation: Nonlinearity = "relu", decay: bool = True) -> Architecture:
    """`cuda_convnet:26pct`, the net of `layers-80sec.cfg`: 26 % error after 80 seconds in 2011.

    With tanh and without decay it is the paper's figure 1. Raises UserError for another nonlinearity.
    """
    if activation not in ("relu", "tanh"):
        raise unknown_name("activation", activation, ("relu", "tanh"))
    dense = (_dense(64, 0.1, 0.03), Activation(function=activation), _dense(classes, 0.1, 0.03))
    layers = (*_three_convolutions((), activation), Flatten(), *dense)
    if not decay:
        layers = tuple(replace(layer, decay=0.0) if isinstance(layer, Weighted) else layer for layer in layers)
    return _made("cuda_convnet:26pct", input_shape, classes, layers)


def plain(input_shape: Shape, classes: int) -> Architecture:
    """`cuda_convnet:19pct`: three convolutions and one dense layer, whose decay is 3."""
    layers = (*_three_convolutions(()), Flatten(), _dense(classes, 0.01, 3.0))
    return _made("cuda_convnet:19pct", input_shape, classes, layers)


def normalised(input_shape: Shape, classes: int) -> Architecture:
    """`cuda_convnet:18pct`: the 19 % net with two normalisations inside the maps, and a decay of 1."""
    layers = (*_three_convolutions((_MAP_NORM,)), Flatten(), _dense(classes, 0.01, 1.0))
    return _made("cuda_convnet:18pct", input_shape, classes, layers)


def local_13(input_shape: Shape, classes: int) -> Architecture:
    """`cuda_convnet:13pct`: two convolutions, two layers of unshared weights. Likely the paper's section 3.3 net."""
    body = (
        Conv(channels=64, kernel=5, norm=False, init_std=1e-4, decay=0.0),
        _POOL,
        Conv(channels=64, kernel=5, norm=False, init_std=0.01, decay=0.0),
        _POOL,
    )
    return _made("cuda_convnet:13pct", input_shape, classes, (*body, *_local_end(32, 0.004, classes)))


def local_11(input_shape: Shape, classes: int, *, lrn: bool = True, width: float = 1.0) -> Architecture:
    """`cuda_convnet:11pct`: the 13 % net with cross-map normalisation and a wider unshared layer.

    `width` scales the channels of every layer. Raises UserError for one out of range.
    """
    check_width(width)
    norm: tuple[AnyLayer, ...] = (_MAPS_NORM,) if lrn else ()
    channels = rounded(64 * width)
    body = (
        Conv(channels=channels, kernel=5, norm=False, init_std=1e-4, decay=0.0),
        _POOL,
        *norm,
        Conv(channels=channels, kernel=5, norm=False, init_std=0.01, decay=0.0),
        *norm,
        _POOL,
    )
    end = _local_end(channels, 0.01, classes, second=rounded(32 * width))
    return _made("cuda_convnet:11pct", input_shape, classes, (*body, *end))


def _three_convolutions(norm: tuple[AnyLayer, ...], activation: Nonlinearity = "relu") -> tuple[AnyLayer, ...]:
    """The convolutions that the 26, 19 and 18 % nets share; `norm` follows the first two pools."""
    rectified = Activation(function=activation)
    first = Conv(channels=32, kernel=5, norm=False, relu=False, init_std=1e-4, decay=0.004)
    later = replace(first, init_std=0.01)
    return (
        first,
        _POOL,
        rectified,
        *norm,
        later,
        rectified,
        AvgPool(),
        *norm,
        replace(later, channels=64),
        rectified,
        AvgPool(),
    )


def _local_end(first: int, decay: float, classes: int, second: int = 32) -> tuple[AnyLayer, ...]:
    return (
        Local(channels=first, init_std=0.04, decay=0.004),
        Local(channels=second, init_std=0.04, decay=0.004),
        Flatten(),
        _dense(classes, 0.01, decay),
    )


def _dense(channels: int, std: float, decay: float) -> Dense:
    return Dense(channels=channels, relu=False, init_std=std, decay=decay)


def _made(name: str, input_shape: Shape, classes: int, layers: tuple[AnyLayer, ...]) -> Architecture:
    made = Architecture(name=name, input=input_shape, classes=classes, layers=(MeanImage(), *layers))
    list(walk(made))  # refuses images too small
    return made
