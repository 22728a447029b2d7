"""Ways to make a static int8 file: what else can be tried before a training with fake quantization.

The plain way is what `export --int8` does. All of them give a file of the same operators; only numbers differ.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import onnx
from msgspec.structs import replace
from torch import Tensor

from econet.compression.bias_correction import correct_biases
from econet.compression.fake_quant import FakeQuantNetwork
from econet.compression.percentile_ranges import percentile_ranges
from econet.compression.qdq_plan import Range
from econet.compression.quantization import activation_ranges
from econet.compression.quantized_graph import Constants, QuantizedGraph, graph_of
from econet.images.preprocess import Pixels, Preprocess

PLAIN = "plain"
BIASES_CORRECTED = "biases corrected"
# Shares of the values beyond each end of a range.
_OUTSIDE = (1e-4, 1e-3)


@dataclass(frozen=True, slots=True)
class Way:
    """One way to the int8 file: its name, and the network that answers as that file will."""

    name: str
    network: FakeQuantNetwork


@dataclass(frozen=True, slots=True)
class Calibration:
    """Training images as the file takes them, uint8 [N, C, H, W]: those of the plain way, and many more."""

    images: Pixels
    more: Pixels


def static_ways(model: onnx.ModelProto, preprocess: Preprocess, calibration: Calibration) -> Iterator[Way]:
    """The ways to an int8 file of the fp32 artifact `model`, the plain one first.

    Raises UserError where there are no calibration images.
    """
    ranges = activation_ranges(model, calibration.images)
    graph, constants = graph_of(model, preprocess, ranges)
    yield _way(PLAIN, graph, constants, ranges)
    yield _way("one scale a layer", replace(graph, per_tensor=True), constants, ranges)
    yield from _other_ranges(model, graph, constants, ranges, calibration)


def with_corrected_biases(way: Way, batches: Sequence[Tensor]) -> Way:
    """The same way with corrected biases, by `batches` of training images as the network is fed them."""
    network = FakeQuantNetwork(way.network.graph)
    network.load_state_dict(way.network.state_dict())
    correct_biases(network.eval(), batches)
    return Way(BIASES_CORRECTED if way.name == PLAIN else f"{way.name}, {BIASES_CORRECTED}", network)


def _other_ranges(
    model: onnx.ModelProto,
    graph: QuantizedGraph,
    constants: Constants,
    ranges: dict[str, Range],
    calibration: Calibration,
) -> Iterator[Way]:
    if len(calibration.more) > len(calibration.images):
        wider = activation_ranges(model, calibration.more)
        yield _way(f"{len(calibration.more):,} images", graph, constants, wider)
    for outside in _OUTSIDE:
        narrower = percentile_ranges(model, calibration.images, ranges, outside)
        yield _way(f"{100 * (1 - 2 * outside):g} % ranges", graph, constants, narrower)


def _way(name: str, graph: QuantizedGraph, constants: Constants, ranges: dict[str, Range]) -> Way:
    network = FakeQuantNetwork(graph)
    network.take(constants, ranges)
    return Way(name, network.eval())
