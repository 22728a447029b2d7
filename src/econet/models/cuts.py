"""A cut: which positions of every parameter and buffer stay when channels leave a network, as data and as a deed.

A network of the catalog needs none: its new widths stand in its architecture. A user's own network is what its factory
makes, cut again as recorded.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
import torch
from torch import Tensor, nn

from econet.errors import UserError
from econet.runs.record import with_value

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_NORMS = (
    nn.BatchNorm1d,
    nn.BatchNorm2d,
    nn.BatchNorm3d,
    nn.InstanceNorm1d,
    nn.InstanceNorm2d,
    nn.InstanceNorm3d,
)

_RANGE = re.compile(r"([0-9]{1,9})(?:-([0-9]{1,9}))?")
_LARGEST = 10_000_000


class Cut(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stays: `keep` names every tensor that shrinks, one entry an axis, its positions or None for all.

    Positions read as in "0-15,18,20-31". `groups` names the grouped convolutions that lose whole groups, and how many
    they keep.
    """

    keep: dict[str, tuple[str | None, ...]]
    groups: dict[str, int] = {}


def ranges(positions: Sequence[int]) -> str:
    """Ascending positions as text: "0-15,18,20-31"."""
    parts: list[list[int]] = []
    for position in positions:
        if parts and position == parts[-1][1] + 1:
            parts[-1][1] = position
        else:
            parts.append([position, position])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in parts)


def positions(text: str) -> list[int]:
    """The positions of such a text. Raises ValueError where it is none, not ascending, or beyond any tensor's axis."""
    found: list[int] = []
    for part in text.split(","):
        read = _RANGE.fullmatch(part)
        if read is None:
            raise ValueError(f"{part!r} is no range such as 0-15")
        begin, end = int(read[1]), int(read[2] or read[1])
        if end < begin or (found and begin <= found[-1]):
            raise ValueError(f"{text!r} does not ascend at {part!r}")
        if end > _LARGEST:
            raise ValueError(f"{part!r} goes beyond {_LARGEST}")
        found.extend(range(begin, end + 1))
    return found


def cuts_from_data(data: object) -> tuple[Cut, ...]:
    """Read recorded cuts. Raises UserError naming the field that is wrong."""
    try:
        return msgspec.convert(data, tuple[Cut, ...])
    except msgspec.ValidationError as error:
        raise _unfit(with_value(error, data)) from error


def cut_network(network: nn.Module, cut: Cut) -> None:
    """Take the channels out of `network` in place; a tensor that several modules share stays shared.

    Raises UserError, with nothing changed, where the cut does not fit the network.
    """
    tensors = tensors_of(network)
    kept = {name: _checked(name, axes, tensors.get(name)) for name, axes in cut.keep.items()}
    modules = dict(network.named_modules(remove_duplicate=False))
    for name, groups in cut.groups.items():
        module = modules.get(name)
        if not isinstance(module, (*_CONVOLUTIONS, *_TRANSPOSED)):
            raise _unfit(f"`{name}` is no convolution of this network")
        axes = kept.get(f"{name}.weight", [None])
        channels = module.weight.shape[0] if axes[0] is None else len(axes[0])
        if not 1 <= groups <= module.groups or channels % groups:
            raise _unfit(f"`groups` of `{name}` is {groups}, of {module.groups} before and {channels} channels")
    smaller = {id(tensors[name]): _selected(tensors[name], axes) for name, axes in kept.items()}
    for module in network.modules():
        for slots in (module._parameters, module._buffers):  # pyright: ignore[reportPrivateUsage]
            for name, value in slots.items():
                if value is not None and id(value) in smaller:
                    slots[name] = smaller[id(value)]  # pyright: ignore[reportArgumentType]
    for name, module in modules.items():
        _tell_widths(module, cut.groups.get(name))


def shapes_after(shapes: Mapping[str, list[int]], cuts: tuple[Cut, ...]) -> dict[str, list[int]]:
    """The shapes of a network's tensors behind `cuts`, by name. Raises UserError where one of them does not fit."""
    result = {name: list(shape) for name, shape in shapes.items()}
    for cut in cuts:
        for name in sorted(cut.keep.keys() & result.keys()):
            pairs = zip(result[name], _axes_of(name, cut.keep[name], result[name]), strict=True)
            result[name] = [size if kept is None else len(kept) for size, kept in pairs]
    return result


def tensors_of(network: nn.Module) -> dict[str, Tensor]:
    """Every parameter and buffer by each of its names, buffers outside the state included."""
    return dict(
        (*network.named_parameters(remove_duplicate=False), *network.named_buffers(remove_duplicate=False)),
    )


def _checked(name: str, axes: tuple[str | None, ...], tensor: Tensor | None) -> list[list[int] | None]:
    """What is kept of `tensor` along each axis. Raises UserError where that does not fit it."""
    if tensor is None:
        raise _unfit(f"the network has no `{name}`")
    return _axes_of(name, axes, list(tensor.shape))


def _axes_of(name: str, axes: tuple[str | None, ...], shape: list[int]) -> list[list[int] | None]:
    """What is kept along each axis of a tensor of `shape`. Raises UserError where that does not fit it."""
    if len(axes) != len(shape):
        raise _unfit(f"`{name}` has {len(shape)} axes, the cut speaks of {len(axes)}")
    try:
        kept = [None if text is None else positions(text) for text in axes]
    except ValueError as error:
        raise _unfit(f"what is kept of `{name}` cannot be read: {error}") from error
    for axis, (size, held) in enumerate(zip(shape, kept, strict=True)):
        if held is not None and held[-1] >= size:
            raise _unfit(f"what is kept of `{name}` along axis {axis} does not fit its {size} positions: {axes[axis]}")
    return kept


def _selected(tensor: Tensor, axes: list[list[int] | None]) -> Tensor:
    result = tensor.detach()
    for axis, kept in enumerate(axes):
        if kept is not None:
            result = result.index_select(axis, torch.tensor(kept, device=tensor.device))
    if isinstance(tensor, nn.Parameter):
        return nn.Parameter(result.contiguous(), requires_grad=tensor.requires_grad)
    return result.contiguous()


def _tell_widths(module: nn.Module, groups: int | None) -> None:
    """Let a module's own numbers say what its tensors are, so that its repr and its export do."""
    if isinstance(module, (*_CONVOLUTIONS, *_TRANSPOSED)):
        module.groups = module.groups if groups is None else groups
        first, second = module.weight.shape[:2]
        wide = second * module.groups
        module.out_channels, module.in_channels = (wide, first) if isinstance(module, _TRANSPOSED) else (first, wide)
    elif isinstance(module, nn.Linear):
        module.out_features, module.in_features = module.weight.shape
    elif isinstance(module, _NORMS):
        for value in _present(module.weight, module.running_mean):
            module.num_features = len(value)
    elif isinstance(module, nn.PReLU):
        module.num_parameters = len(module.weight)


def _present(*values: Any) -> Iterator[Tensor]:
    """Those that are tensors: torch's types hide that a norm may have none."""
    return (value for value in values if isinstance(value, Tensor))


def _unfit(why: str) -> UserError:
    return UserError(
        "the recorded cut does not fit the network", why, "the network as it was when the run was made, or a copy of it"
    )
