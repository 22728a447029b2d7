"""What operations with weights do to channels: rows make them, columns read them, norms scale and shift them.

Each function takes a step of the run on labels and the operation's arguments, and gives the activation that results;
None where the operation is used in a way it does not know, so that the channels are held.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from torch.fx import Node

from econet.compression.channels import Atoms, Findings, Grouping, Producer, Role, Work
from econet.compression.labels import Activation, Weights
from econet.compression.tracing import place_of, shape_of

Handler = Callable[["Step", list[Any]], Any]


@dataclass(frozen=True, slots=True)
class Step:
    """One operation of the graph, and where its findings are written."""

    node: Node
    findings: Findings

    @property
    def where(self) -> str:
        """The line and the module it comes from."""
        return place_of(self.node)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of its first result."""
        value = self.node.meta["val"]
        return shape_of(self.node) or tuple(value[0].shape)

    def made(self, weights: Weights, count: int) -> Atoms:
        """New channels made by `weights`, named after the module or the tensor."""
        atoms = self.findings.fresh(count)
        name = weights.name.removesuffix(".weight")
        self.findings.producers.setdefault(name, Producer(name, atoms))
        return atoms

    def read(self, value: Activation, axis: int) -> Atoms | None:
        """The channels along `axis`, about to be read; one that would be something even at rest is held."""
        atoms = value.along(axis)
        if atoms is not None and value.nonzero:
            self.findings.hold(atoms, f"a removed channel would leave a constant behind at {value.nonzero}")
        return atoms

    def link(self, weights: Weights, axis: int, atoms: Atoms, role: Role) -> bool:
        """Tie an axis of `weights` to channels; False where it is no axis of the network's tensor."""
        own = weights.axis_of(axis)
        if own is not None:
            self.findings.link(weights.name, own, atoms, role, self.where)
        return own is not None


def _argument(arguments: list[Any], position: int, default: Any) -> Any:
    return arguments[position] if len(arguments) > position else default


def _convolution(step: Step, arguments: list[Any]) -> Any:
    """`conv1d` to `conv3d`: (input, weight, bias, stride, padding, dilation, groups)."""
    value, weights, bias = arguments[0], arguments[1], _argument(arguments, 2, None)
    return _convolved(step, value, weights, bias, _argument(arguments, 6, 1))


def _general_convolution(step: Step, arguments: list[Any]) -> Any:
    """`convolution`: (input, weight, bias, stride, padding, dilation, transposed, output padding, groups)."""
    if arguments[6]:
        return _transposed(step, [*arguments[:6], arguments[7], arguments[8]])
    return _convolved(step, arguments[0], arguments[1], arguments[2], arguments[8])


def _convolved(step: Step, value: Any, weights: Any, bias: Any, groups: int) -> Any:
    if not isinstance(value, Activation) or not isinstance(weights, Weights):
        return None
    read = step.read(value, 1)
    if read is None or not weights.whole or weights.computed:
        return None
    outputs, each = weights.shape[:2]
    made = step.made(weights, outputs)
    findings, by_group = step.findings, read.reshape(groups, each)
    if groups == 1:
        findings.link(weights.name, 1, read, Role.COLUMN, step.where)
    elif groups > each:  # many narrow groups, the depthwise ones among them: whole groups may leave
        everyone = np.concatenate([by_group, made.reshape(groups, -1)], axis=1)
        findings.unite(np.broadcast_to(everyone[:, :1], everyone.shape), everyone, step.where)
        module = weights.name.removesuffix(".weight")
        findings.groupings[module] = Grouping(module, weights.name, outputs // groups)
    else:  # few wide groups: all lose the same of their channels
        made_by_group = made.reshape(groups, -1)
        findings.unite(np.broadcast_to(by_group[:1], by_group.shape), by_group, step.where)
        findings.unite(np.broadcast_to(made_by_group[:1], made_by_group.shape), made_by_group, step.where)
        findings.link(weights.name, 1, by_group[0], Role.COLUMN, step.where)
    findings.link(weights.name, 0, made, Role.ROW, step.where)
    findings.works.append(Work(weights.name, prod(step.shape[2:])))
    return _with_bias(step, Activation(step.shape, 1, made), bias)


def _transposed(step: Step, arguments: list[Any]) -> Any:
    """`conv_transpose`: (input, weight [in, out, ...], bias, stride, padding, output padding, groups)."""
    value, weights, groups = arguments[0], arguments[1], _argument(arguments, 6, 1)
    if not isinstance(value, Activation) or not isinstance(weights, Weights) or groups != 1:
        return None
    read = step.read(value, 1)
    if read is None or not weights.whole or weights.computed:
        return None
    made = step.made(weights, weights.shape[1])
    step.findings.link(weights.name, 0, read, Role.COLUMN, step.where)
    step.findings.link(weights.name, 1, made, Role.ROW, step.where)
    step.findings.works.append(Work(weights.name, prod(value.shape[2:])))
    return _with_bias(step, Activation(step.shape, 1, made), _argument(arguments, 2, None))


def _linear(step: Step, arguments: list[Any]) -> Any:
    """`linear`: (input [..., in], weight [out, in], bias)."""
    value, weights = arguments[0], arguments[1]
    if not isinstance(weights, Weights) or weights.places.ndim != 2:
        return None
    return _product(step, value, weights, 1, 0, _argument(arguments, 2, None))


def _matrix_product(step: Step, arguments: list[Any]) -> Any:
    """`matmul`, `mm`, `bmm`: an activation [..., in] times weights [..., in, out], or two activations."""
    value, weights = arguments[:2]
    if not isinstance(weights, Weights):
        inner = value.places.shape[-1] if isinstance(value, Weights) else value.shape[-1]
        step.findings.works.append(Work(None, prod(step.shape[1:]) * inner))
        return None
    if weights.places.ndim not in (2, 3):
        return None
    return _product(step, value, weights, -2, -1, None)


def _added_product(step: Step, arguments: list[Any]) -> Any:
    """`addmm`: (bias, input [N, in], weight [in, out])."""
    bias, value, weights = arguments[:3]
    if not isinstance(weights, Weights) or weights.places.ndim != 2:
        return None
    return _product(step, value, weights, 0, 1, bias)


def _product(step: Step, value: Any, weights: Weights, inputs: int, outputs: int, bias: Any) -> Any:
    if not isinstance(value, Activation) or weights.computed:
        return None
    read, columns, rows = step.read(value, -1), weights.axis_of(inputs), weights.axis_of(outputs)
    if read is None or columns is None or rows is None:
        return None
    made = step.made(weights, weights.places.shape[outputs])
    step.findings.link(weights.name, columns, read, Role.COLUMN, step.where)
    step.findings.link(weights.name, rows, made, Role.ROW, step.where)
    shape = step.shape
    images = 1 if weights.places.ndim == 3 else shape[0]
    beside = shape[0] * shape[1] if weights.places.ndim == 3 else images
    step.findings.works.append(Work(weights.name, prod(shape[:-1]) // max(1, beside)))
    return _with_bias(step, Activation(shape, len(shape) - 1, made), bias)


def _with_bias(step: Step, result: Activation, bias: Any) -> Activation | None:
    if bias is None:
        return result
    linked = isinstance(bias, Weights) and not bias.computed and step.link(bias, -1, result.atoms, Role.SHIFT)
    if not linked:
        step.findings.hold(result.atoms, f"its bias is computed from other tensors: {step.where}")
    return result


def _batch_norm(step: Step, arguments: list[Any]) -> Any:
    """`batch_norm` and its kin: (input, gamma, beta, running mean, running variance, ...).

    With gamma and beta at 0 a channel is 0 whatever it was. Without them it is where it was 0 and so is the mean.
    """
    value = arguments[0]
    gamma, beta, mean, variance = (_argument(arguments, position, None) for position in range(1, 5))
    if not isinstance(value, Activation):
        return None
    atoms = value.along(1)
    if atoms is None:
        return None
    mean_role = Role.FACTOR if isinstance(gamma, Weights) else Role.SHIFT
    for tensor, role in ((gamma, Role.SCALE), (beta, Role.SHIFT), (mean, mean_role), (variance, Role.FACTOR)):
        if isinstance(tensor, Weights) and not step.link(tensor, 0, atoms, role):
            return None
    result = Activation(step.shape, 1, atoms, None if isinstance(gamma, Weights) else value.nonzero)
    several = isinstance(step.node.meta["val"], (list, tuple))
    return (result, None, None, None) if several else result


def _parametric_relu(step: Step, arguments: list[Any]) -> Any:
    """`prelu`: (input, one slope or one a channel)."""
    value, slopes = arguments[:2]
    if not isinstance(value, Activation) or not isinstance(slopes, Weights):
        return None
    if slopes.places.numel() > 1:
        atoms = value.along(1)
        if atoms is None or not step.link(
            slopes, max(0, slopes.places.ndim - len(value.shape) + 1), atoms, Role.FACTOR
        ):
            return None
    return Activation(step.shape, value.axis, value.atoms, value.nonzero)


def _unfolded(step: Step, arguments: list[Any]) -> Any:
    """`im2col`: every channel becomes its pixels under the kernel, one behind the other, in axis 1."""
    value, kernel = arguments[0], arguments[1]
    if not isinstance(value, Activation) or value.axis != 1 or len(value.shape) != 4:
        return None
    return Activation(step.shape, 1, np.repeat(value.atoms, prod(kernel)), value.nonzero)


WEIGHTED: Mapping[str, Handler] = {
    "conv1d": _convolution,
    "conv2d": _convolution,
    "conv3d": _convolution,
    "convolution": _general_convolution,
    "_convolution": _general_convolution,
    "conv_transpose1d": _transposed,
    "conv_transpose2d": _transposed,
    "conv_transpose3d": _transposed,
    "linear": _linear,
    "matmul": _matrix_product,
    "mm": _matrix_product,
    "bmm": _matrix_product,
    "addmm": _added_product,
    "batch_norm": _batch_norm,
    "instance_norm": _batch_norm,
    "_native_batch_norm_legit_no_training": _batch_norm,
    "prelu": _parametric_relu,
    "_prelu_kernel": _parametric_relu,
    "im2col": _unfolded,
}
