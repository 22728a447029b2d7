"""Operations value by value: channels at the same place belong together, and so do weights that stand there."""

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
import torch

from econet.compression.channels import HELD, Atoms, Role
from econet.compression.labels import Activation, Plain, Weights
from econet.compression.weighted_operations import Step

_ADDS, _TIMES = ("add", "sub", "rsub"), ("mul", "div")


def pointwise(step: Step, name: str, arguments: list[Any]) -> Activation | None:
    """The activation that operation `name` gives; None where its inputs have their channels along different axes."""
    tensors = [each for each in arguments if isinstance(each, (Activation, Weights, Plain))]
    active = [each for each in tensors if isinstance(each, Activation)]
    axis = _common_axis(active, step.shape)
    if axis is None:
        return None
    atoms = _united(step, active, axis)
    role = Role.SHIFT if name in _ADDS else Role.FACTOR
    weights = [each for each in tensors if isinstance(each, Weights)]
    linked = [each for each in weights if _linked(step, each, axis, atoms, role)]
    for each in tensors:
        if isinstance(each, Plain) and each.number is None and _size_at(each.shape, axis, step.shape) > 1:
            step.findings.hold(atoms, f"a tensor that is neither parameter nor buffer meets it: {step.where}")
    nonzero = _nonzero(step, name, arguments, linked if name in _ADDS else [])
    return Activation(step.shape, axis, atoms, nonzero)


def _united(step: Step, active: Sequence[Activation], axis: int) -> Atoms:
    """The atoms along `axis` of the result; what is spread over all of them, such as a map of attention, is held."""
    wide = [each for each in active if _size_at(each.shape, axis, step.shape) == step.shape[axis]]
    atoms = wide[0].atoms.copy()
    for other in active:
        if _size_at(other.shape, axis, step.shape) != step.shape[axis]:
            step.findings.hold(other.atoms, f"it is spread over all channels: {step.where}")
        else:
            step.findings.unite(atoms, other.atoms, step.where)
    atoms[np.any([each.atoms == HELD for each in wide], axis=0)] = HELD
    return atoms


def _linked(step: Step, weights: Weights, axis: int, atoms: Atoms, role: Role) -> bool:
    """Tie weights to the channels they stand at; whether they are 0 where the channel is taken out."""
    own = axis - (len(step.shape) - weights.places.ndim)
    if own < 0 or weights.places.shape[own] == 1:
        return False
    if not step.link(weights, own, atoms, role):
        step.findings.hold(atoms, f"`{weights.name}` meets it rearranged: {step.where}")
        return False
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


def _nonzero(step: Step, name: str, arguments: list[Any], shifts: list[Weights]) -> str | None:
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
        operator = cast("Callable[..., Any]", step.node.target)
        result = operator(*(number(each) for each in arguments), **step.node.kwargs)
    except (RuntimeError, TypeError):
        return earlier or step.where
    return None if bool((result == 0).all()) else earlier or step.where
