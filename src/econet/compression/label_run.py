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

from econet.compression.channels import ANSWERS, HELD, Findings, Role
from econet.compression.labels import Activation, Plain, Value, Weights, gathered, weights_named
from econet.compression.tracing import Trace, operation, place_of, shape_of
from econet.compression.weighted_operations import WEIGHTED, Step

# What gives every value of its result from one value of its input, wherever that was.
_MOVES = """view reshape _unsafe_view _reshape_alias flatten unflatten permute transpose t movedim squeeze unsqueeze expand
expand_as repeat tile roll flip slice select narrow split split_with_sizes chunk unbind unsafe_split unsafe_chunk cat
stack contiguous clone alias detach lift_fresh lift_fresh_copy slice_scatter select_scatter pixel_shuffle
pixel_unshuffle channel_shuffle _to_copy to copy dropout feature_dropout alpha_dropout native_dropout view_as type_as"""
_SAME = """clone contiguous alias detach lift_fresh lift_fresh_copy _to_copy to type_as dropout feature_dropout
alpha_dropout native_dropout"""
# What looks at height and width alone: (operation, how many of the last axes it may mix).
_POOLS = {
    f"{kind}{sides}d": sides
    for kind in ("max_pool", "avg_pool", "adaptive_avg_pool", "adaptive_max_pool", "_adaptive_avg_pool", "lp_pool")
    for sides in (1, 2, 3)
} | {
    "max_pool2d_with_indices": 2,
    "upsample_nearest2d": 2,
    "upsample_bilinear2d": 2,
    "upsample_bicubic2d": 2,
    "_upsample_bilinear2d_aa": 2,
    "upsample_nearest1d": 1,
    "upsample_linear1d": 1,
}
_MEANS = ("mean", "sum", "amax", "amin")
# Value by value, though torch does not tag it so.
_POINTWISE = ("hardswish", "hardsigmoid", "hardtanh", "relu6", "celu", "selu", "leaky_relu", "elu", "mish", "softplus")
_ADDS, _TIMES = ("add", "sub", "rsub"), ("mul", "div")
_CONSTANTS = {"zeros": 0.0, "ones": 1.0, "zeros_like": 0.0, "ones_like": 1.0, "new_zeros": 0.0, "new_ones": 1.0}


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
        shape = shape_of(node) or ()
        if node.name in self.trace.tensors:
            return weights_named(self.trace.tensors[node.name], shape)
        if node.name == self.trace.images:
            return Activation(shape, 1, np.full(shape[1], HELD))
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
            (name in _MOVES.split(), self._moved),
            (name in _POOLS, self._pooled),
            (name in _MEANS, self._mean),
            (name in _POINTWISE or torch.Tag.pointwise in tags, self._pointwise),
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
        if len(weights) == 1 and name in _SAME.split():
            return weights[0]
        if len(weights) == 1 and name in _MOVES.split():
            moved = _moving(node, [_as_places(each) for each in arguments], named)
            return tuple(weights[0].moved(each) for each in moved) if isinstance(moved, tuple) else weights[0].moved(moved)
        shape = shape_of(node)
        if len(weights) == 1 and torch.Tag.pointwise in getattr(node.target, "tags", ()) and shape is not None:
            only = weights[0]
            if shape == tuple(only.places.shape) and not any(isinstance(each, Plain) for each in _flat(arguments)):
                return Weights(only.name, only.shape, only.places, whole=False, computed=True)
        number = _CONSTANTS.get(name)
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
        if name in _SAME.split():
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
        if not isinstance(value, Activation) or value.axis >= len(value.shape) - _POOLS[name]:
            return None
        outputs = node.meta.get("val")
        if isinstance(outputs, (list, tuple)):
            shapes = [tuple(each.shape) for each in cast("Sequence[Tensor]", outputs)]
            return tuple(Activation(shape, value.axis, value.atoms, value.nonzero) for shape in shapes)
        return Activation(shape_of(node) or (), value.axis, value.atoms, value.nonzero)

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

    def _pointwise(self, node: Node, name: str, arguments: list[Any]) -> Any:
        """Value by value: channels at the same place belong together, and so do weights that stand there."""
        shape, where = shape_of(node), place_of(node)
        tensors = [each for each in arguments if isinstance(each, (Activation, Weights, Plain))]
        active = [each for each in tensors if isinstance(each, Activation)]
        if shape is None:
            return None
        axis = _common_axis(active, shape)
        if axis is None:
            return None
        atoms = np.full(shape[axis], HELD)
        wide = [each for each in active if _size_at(each.shape, axis, shape) == shape[axis]]
        atoms = wide[0].atoms.copy()
        for other in active:
            if _size_at(other.shape, axis, shape) != shape[axis]:
                self.findings.hold(other.atoms, f"it is spread over all channels: {where}")
            else:
                self.findings.unite(atoms, other.atoms, where)
        atoms[np.any([each.atoms == HELD for each in wide], axis=0)] = HELD
        role = Role.SHIFT if name in _ADDS else Role.FACTOR
        shifts = [
            each for each in tensors if isinstance(each, Weights) and self._linked(each, axis, shape, atoms, role, where)
        ]
        for each in tensors:
            if isinstance(each, Plain) and each.number is None and _size_at(each.shape, axis, shape) > 1:
                self.findings.hold(atoms, f"a tensor that is neither parameter nor buffer meets it: {where}")
        nonzero = _nonzero(node, name, arguments, shifts if name in _ADDS else [], where)
        return Activation(shape, axis, atoms, nonzero)

    def _linked(
        self, weights: Weights, axis: int, shape: tuple[int, ...], atoms: Any, role: Role, where: str
    ) -> bool:
        """Tie weights to the channels they stand at; whether they are as 0 as the channel once it is zeroed."""
        own = axis - (len(shape) - weights.places.ndim)
        if own < 0 or weights.places.shape[own] == 1:
            return False
        found = weights.axis_of(own)
        if found is None:
            self.findings.hold(atoms, f"`{weights.name}` meets it rearranged: {where}")
            return False
        self.findings.link(weights.name, found, atoms, role, where)
        return not weights.computed


def _common_axis(active: Sequence[Activation], shape: tuple[int, ...]) -> int | None:
    """The axis of the result along which all that is combined has its channels; None where they disagree."""
    axes = {each.axis + len(shape) - len(each.shape) for each in active if len(each.atoms) > 1}
    if not axes:
        axes = {active[0].axis + len(shape) - len(active[0].shape)}
    axis = axes.pop()
    wide = any(_size_at(each.shape, axis, shape) == shape[axis] for each in active)
    return axis if not axes and wide else None


def _size_at(own: tuple[int, ...], axis: int, shape: tuple[int, ...]) -> int:
    """How wide a tensor of shape `own`, broadcast to `shape`, is along its `axis`."""
    mine = axis - (len(shape) - len(own))
    return own[mine] if mine >= 0 else 1


def _nonzero(node: Node, name: str, arguments: list[Any], shifts: list[Weights], where: str) -> str | None:
    """Where channels that were 0 stop being so. The operation itself is asked: 0 for what is 0, nan for the unknown."""
    if name in _TIMES:
        factors = arguments[:1] if name == "div" else arguments
        if any(isinstance(each, Activation) and each.nonzero is None for each in factors):
            return None

    def number(value: Any) -> Any:
        if isinstance(value, Activation):
            return torch.zeros(1) if value.nonzero is None else torch.full((1,), torch.nan)
        if isinstance(value, Weights):
            return torch.zeros(1) if any(value is each for each in shifts) else torch.full((1,), torch.nan)
        if isinstance(value, Plain):
            return torch.full((1,), torch.nan if value.number is None else value.number)
        return value

    earlier = next((each.nonzero for each in arguments if isinstance(each, Activation) and each.nonzero), None)
    try:
        result = cast("Callable[..., Any]", node.target)(*(number(each) for each in arguments), **node.kwargs)
    except (RuntimeError, TypeError):
        return earlier or where
    return None if bool((result == 0).all()) else earlier or where


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
