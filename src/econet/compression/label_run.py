"""Run a network's operations on labels: what moves data moves labels, what joins channels unites them.

Nothing here knows a kind of layer, only what torch's operations do to channels; an operation it does not know holds the
channels it reads, by name.
"""

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor
from torch.fx import Node

from econet.compression.channels import ANSWERS, HELD, Findings
from econet.compression.known_operations import CONSTANTS, MEANS, MOVES, POINTWISE, POOLS, SAME
from econet.compression.labels import Activation, Plain, Value, Weights, gathered, weights_named
from econet.compression.pointwise_operations import pointwise
from econet.compression.tracing import Trace, operation, place_of, shape_of
from econet.compression.weighted_operations import WEIGHTED, Step


def label_run(trace: Trace) -> Findings:
    """Everything the operations of `trace` say about which channels belong together."""
    return _Run(trace).findings


class _Run:
    """One pass over the operations, every node's value in `values`."""

    def __init__(self, trace: Trace) -> None:
        self.trace, self.findings = trace, Findings()
        self.values: dict[Node, Any] = {}
        for node in trace.nodes:
            match node.op:
                case "placeholder":
                    self.values[node] = self._input(node)
                case "output":
                    self._hold_outputs(node)
                case _:
                    self.values[node] = self._result(node)

    def _input(self, node: Node) -> Value:
        shape = shape_of(node) or (1,)
        if node.name in self.trace.tensors:
            return weights_named(self.trace.tensors[node.name], shape)
        if node.name == self.trace.images:
            return _held(shape)
        return Plain(shape)

    def _hold_outputs(self, node: Node) -> None:
        for source in node.all_input_nodes:
            value = self.values[source]
            if isinstance(value, Activation):
                self.findings.hold(value.atoms, ANSWERS)

    def _result(self, node: Node) -> Any:
        name = operation(node).removeprefix("aten.")
        if node.meta.get("val") is None:  # an assertion about shapes or types, left in by the tracing
            return None
        arguments = cast("list[Any]", self._filled(list(node.args)))
        named = cast("dict[str, Any]", self._filled(dict(node.kwargs)))
        if name == "getitem":
            return arguments[0][arguments[1]] if isinstance(arguments[0], tuple) else arguments[0]
        read = [value for value in _flat([*arguments, *named.values()]) if isinstance(value, Activation)]
        if not read:
            return self._constant(node, name, arguments, named)
        handler = self._handler(node, name)
        result = handler(node, name, arguments) if handler is not None else None
        return self._unknown(node, name, read) if result is None else result

    def _handler(self, node: Node, name: str) -> "Callable[[Node, str, list[Any]], Any] | None":
        """Who knows what the operation does to channels."""
        tags = getattr(node.target, "tags", ())
        if name in WEIGHTED:
            return lambda node, name, arguments: WEIGHTED[name](Step(node, self.findings), arguments)
        for known, handler in (
            (name == "pad" or name.endswith("_pad_nd"), self._padded),
            (name in MOVES or name in SAME, self._moved),
            (name in POOLS, self._pooled),
            (name in MEANS, self._mean),
            (name in POINTWISE or torch.Tag.pointwise in tags, self._value_by_value),
        ):
            if known:
                return handler
        return None

    def _filled(self, argument: Any) -> Any:
        """An argument with every node replaced by its value."""
        if isinstance(argument, Node):
            return self.values[argument]
        if isinstance(argument, (list, tuple)):
            return [self._filled(each) for each in cast("Sequence[Any]", argument)]
        if isinstance(argument, dict):
            return {key: self._filled(each) for key, each in cast("dict[str, Any]", argument).items()}
        return argument

    def _constant(self, node: Node, name: str, arguments: list[Any], named: dict[str, Any]) -> Any:
        """What is computed from weights and constants alone."""
        weights = [value for value in _flat([*arguments, *named.values()]) if isinstance(value, Weights)]
        if len(weights) == 1 and name in SAME:
            return weights[0]
        if len(weights) == 1 and name in MOVES:
            moved = _moving(node, [_as_places(each) for each in arguments], named)
            return (
                tuple(weights[0].moved(each) for each in moved) if isinstance(moved, tuple) else weights[0].moved(moved)
            )
        shape = shape_of(node)
        if len(weights) == 1 and torch.Tag.pointwise in getattr(node.target, "tags", ()) and shape is not None:
            only = weights[0]
            if shape == tuple(only.places.shape) and not any(isinstance(each, Plain) for each in _flat(arguments)):
                return Weights(only.name, only.shape, only.places, whole=False, computed=True)
        number = CONSTANTS.get(name)
        if name in ("full", "full_like", "new_full") and isinstance(arguments[1], int | float):
            number = float(arguments[1])
        outputs = node.meta.get("val")
        if isinstance(outputs, (list, tuple)):
            return tuple(Plain(tuple(each.shape)) for each in cast("Sequence[Tensor]", outputs))
        return Plain(shape or (), number)

    def _unknown(self, node: Node, name: str, read: list[Activation]) -> Any:
        """Hold all that a foreign operation reads; nothing behind it is known to be a channel."""
        for value in read:
            self.findings.hold(value.atoms, f"`{name}` mixes channels: {place_of(node)}")
        outputs = node.meta.get("val")
        if isinstance(outputs, (list, tuple)):
            return tuple(_held(tuple(each.shape)) for each in cast("Sequence[Tensor]", outputs))
        return _held(shape_of(node) or (1,))

    def _moved(self, node: Node, name: str, arguments: list[Any]) -> Any:
        """Run the very operation on the labels. Equal parts stay equal: their channels are tied place by place."""
        first = next(value for value in _flat(arguments) if isinstance(value, Activation))
        if name in SAME:
            return (first, Plain(first.shape)) if isinstance(node.meta.get("val"), tuple) else first
        self._tie_parts(node, name, first, arguments)
        labels = [_as_labels(each) for each in arguments]
        if name == "cat" and any(isinstance(each, Plain) and not each.shape[0] for each in _flat(arguments)):
            return None
        moved = _moving(node, labels, dict(node.kwargs))
        nonzero = next((v.nonzero for v in _flat(arguments) if isinstance(v, Activation) and v.nonzero), None)
        where = place_of(node)
        if isinstance(moved, tuple):
            return tuple(gathered(each, self.findings, where, nonzero) for each in moved)
        return gathered(moved, self.findings, where, nonzero)

    def _tie_parts(self, node: Node, name: str, value: Activation, arguments: list[Any]) -> None:
        """A half is a half of what is left only where every part loses the same places."""
        along = arguments[-1] if name in ("chunk", "unsafe_chunk") else arguments[1] if name == "slice" else None
        size = len(value.atoms)
        if name == "slice" and along is not None and along % len(value.shape) == value.axis:
            bounds = [*arguments[2:4], None, None]
            begin, end = bounds[0] or 0, size if bounds[1] is None else min(bounds[1], size)
            begin, end = (begin + size if begin < 0 else begin), (end + size if end < 0 else end)
            part = end - begin
        elif name in ("split", "unsafe_split", "split_with_sizes") and isinstance(arguments[1], (int, list)):
            axis = arguments[2] if len(arguments) > 2 else 0
            sizes = cast("list[int]", arguments[1]) if isinstance(arguments[1], list) else [arguments[1]]
            if axis % len(value.shape) != value.axis or len(set(sizes)) > 1:
                return
            begin, part = 0, sizes[0]
        else:
            return
        if 0 < part < size and size % part == 0 and begin % part == 0:
            parts = value.atoms.reshape(-1, part)
            self.findings.unite(np.broadcast_to(parts[0], parts.shape), parts, place_of(node))

    def _padded(self, node: Node, name: str, arguments: list[Any]) -> Any:
        """Padding of a map keeps its channels; channels that padding adds are nobody's, and stay."""
        value, amounts = arguments[0], cast("list[int]", arguments[1])
        shape = shape_of(node)
        if not isinstance(value, Activation) or shape is None:
            return None
        mode = arguments[2] if name == "pad" and len(arguments) > 2 else "constant"
        filling = (arguments[3] if len(arguments) > 3 else None) if name == "pad" else (arguments[2:3] or [0])[0]
        pairs = list(zip(amounts[::2], amounts[1::2], strict=True))  # the last axis first
        own = len(value.shape) - 1 - value.axis
        near, far = pairs[own] if own < len(pairs) else (0, 0)
        if (near or far) and mode != "constant":
            return None
        inner = value.atoms[max(0, -near) : len(value.atoms) - max(0, -far)]
        atoms = np.concatenate([np.full(max(0, near), HELD), inner, np.full(max(0, far), HELD)])
        nonzero = value.nonzero or (place_of(node) if mode == "constant" and filling else None)
        return Activation(shape, value.axis, atoms, nonzero)

    def _pooled(self, node: Node, name: str, arguments: list[Any]) -> Any:
        value = arguments[0]
        if not isinstance(value, Activation) or value.axis >= len(value.shape) - POOLS[name]:
            return None
        outputs = node.meta.get("val")
        if isinstance(outputs, (list, tuple)):
            shapes = [tuple(each.shape) for each in cast("Sequence[Tensor]", outputs)]
            return tuple(Activation(shape, value.axis, value.atoms, value.nonzero) for shape in shapes)
        return Activation(shape_of(node) or (), value.axis, value.atoms, value.nonzero)

    def _value_by_value(self, node: Node, name: str, arguments: list[Any]) -> Any:
        return pointwise(Step(node, self.findings), name, arguments)

    def _mean(self, node: Node, name: str, arguments: list[Any]) -> Any:
        """A mean over places keeps channels; one over channels mixes them."""
        value, rest = arguments[0], arguments[1:]
        shape = shape_of(node)
        if not isinstance(value, Activation) or shape is None or not rest or rest[0] is None:
            return None
        asked = cast("list[int]", rest[0] if isinstance(rest[0], list) else [rest[0]])
        axes = {int(axis) % len(value.shape) for axis in asked}
        if value.axis in axes or not axes:
            return None
        kept = len(shape) == len(value.shape)
        axis = value.axis if kept else value.axis - sum(each < value.axis for each in axes)
        return Activation(shape, axis, value.atoms, value.nonzero)


def _moving(node: Node, arguments: list[Any], named: dict[str, Any]) -> Any:
    """The node's own operation on labels; several results come as a tuple."""
    number_types = {"dtype", "layout", "device", "pin_memory"}
    rest = {key: value for key, value in named.items() if key not in number_types}
    moved = cast("Callable[..., Any]", node.target)(*arguments, **rest)
    return tuple(moved) if isinstance(moved, (list, tuple)) else moved


def _as_labels(value: Any) -> Any:
    if isinstance(value, Activation):
        return value.labels().contiguous()
    if isinstance(value, (Weights, Plain)):
        shape = tuple(value.places.shape) if isinstance(value, Weights) else value.shape
        return torch.full(shape, HELD, dtype=torch.int64)
    return [_as_labels(each) for each in cast("list[Any]", value)] if isinstance(value, list) else value


def _as_places(value: Any) -> Any:
    if isinstance(value, Weights):
        return value.places
    return [_as_places(each) for each in cast("list[Any]", value)] if isinstance(value, list) else value


def _held(shape: tuple[int, ...]) -> Activation:
    axis = 1 if len(shape) > 1 else 0
    return Activation(shape, axis, np.full(shape[axis], HELD))


def _flat(values: Sequence[Any]) -> list[Any]:
    """All values, those inside lists too."""
    found: list[Any] = []
    for value in values:
        found.extend(_flat(cast("Sequence[Any]", value)) if isinstance(value, (list, tuple)) else [value])
    return found
