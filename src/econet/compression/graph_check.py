"""A quantized graph that was read from a record: whether a network can be made of it at all."""

import math
from itertools import chain

import torch

from econet.compression.fake_quant import FakeQuantNetwork
from econet.compression.quantized_graph import QuantizedGraph
from econet.errors import UserError

# 2 GB of weights; at most so much is made of a record.
MOST_VALUES = 500_000_000


def checked_network(graph: QuantizedGraph) -> FakeQuantNetwork:
    """The network of a recorded `graph`, without values, after it has answered one black picture.

    Raises UserError naming the field where the graph is none, and where torch cannot compute it.
    """
    _check_names(graph)
    _check_constants(graph)
    try:
        network = FakeQuantNetwork(graph).eval()
        with torch.no_grad():
            answer = network(torch.zeros(1, *graph.image))
    except UserError:
        raise
    except Exception as error:  # whatever torch finds wrong with an operator, its shapes or its attributes
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise _wrong("operations", f"they cannot be computed: {reason}") from error
    if answer.shape != (1, graph.classes):
        raise _wrong("classes", f"it is {graph.classes}, and the answer is of shape {list(answer.shape)}")
    return network


def _check_names(graph: QuantizedGraph) -> None:
    """Every tensor is made once, before it is read; grids are of tensors that are there."""
    constants = graph.floats.keys() | graph.indices.keys()
    made = {graph.first, *constants}
    for number, each in enumerate(graph.operations):
        missing = next((name for name in each.inputs if name and name not in made), None)
        if missing is not None:
            raise _wrong(f"operations[{number}].inputs", f"nothing before it makes `{missing}`")
        again = next((name for name in each.outputs if name in made), None)
        if again is not None or not each.outputs:
            raise _wrong(f"operations[{number}].outputs", f"`{again}` is made twice" if again else "there are none")
        made.update(each.outputs)
    for field, names in (
        ("integer", graph.integer),
        ("range_of", chain(graph.range_of, graph.range_of.values())),
        ("clips", graph.clips),
    ):
        strange = next((name for name in names if name not in made), None)
        if strange is not None:
            raise _wrong(field, f"there is no tensor `{strange}`")
    turned = next(
        (name for name, (low, high) in graph.clips.items() if low is not None and high is not None and low > high), None
    )
    if turned is not None:
        raise _wrong("clips", f"`{turned}` lies between {graph.clips[turned]}")


def _check_constants(graph: QuantizedGraph) -> None:
    """Sizes are positive, few enough, and those of the values."""
    total = 0
    for name, shape in graph.floats.items():
        if any(size < 1 for size in shape):
            raise _wrong("floats", f"`{name}` has the shape {list(shape)}")
        total += math.prod(shape)
    if total > MOST_VALUES:
        raise _wrong("floats", f"they are {total:,} values; at most {MOST_VALUES:,} are read")
    for name, each in graph.indices.items():
        if any(size < 0 for size in each.shape) or math.prod(each.shape) != len(each.values):
            raise _wrong("indices", f"`{name}` has {len(each.values)} values for the shape {list(each.shape)}")


def _wrong(field: str, why: str) -> UserError:
    return UserError(
        f"the recorded quantized network cannot be used: `{field}` is wrong", why, "restore config.json from a copy"
    )
