"""Which line of a `forward` does not follow when the network gets narrower: where somebody typed a number in."""

import traceback
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from econet.compression.tracing import own_line

# What gives its data another arrangement, as torch names it to whoever overrides functions.
_ARRANGING = frozenset(
    (
        *("view", "reshape", "flatten", "unflatten", "expand", "repeat", "tile", "pad"),
        *("split", "split_with_sizes", "chunk", "narrow", "__getitem__"),
    )
)
Shapes = tuple[tuple[int, ...], ...]


class _Recorder(TorchFunctionMode):
    """Keeps name, shapes read, shapes given and own line of every call."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[str, Shapes, Shapes, str]] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        name = getattr(func, "__name__", "")
        if name in _ARRANGING:
            line = own_line("".join(traceback.format_stack()), __file__)
            self.calls.append((name, _shapes(args), _shapes(result), line))
        return result


def stubborn_line(network: nn.Module, cut: nn.Module, images: Tensor) -> str:
    """The line that gives as much as before although it reads less, or that fails in the cut network; or nothing."""
    before, _ = _recorded(network, images)
    after, failed_at = _recorded(cut, images)
    for old, new in zip(before, after, strict=False):
        if old[0] == new[0] and old[1] != new[1] and old[2][:1] == new[2][:1]:
            return new[3]
    return failed_at


def _recorded(network: nn.Module, images: Tensor) -> tuple[list[tuple[str, Shapes, Shapes, str]], str]:
    kind = next(network.parameters()).dtype
    with _Recorder() as recorder, torch.no_grad():
        try:
            network.eval()(images.to(kind).clone())
        except Exception as error:  # whatever a user's code raises
            return recorder.calls, own_line("".join(traceback.format_tb(error.__traceback__)), __file__)
    return recorder.calls, ""


def _shapes(values: Any) -> Shapes:
    if isinstance(values, Tensor):
        return (tuple(values.shape),)
    if isinstance(values, (list, tuple)):
        return tuple(shape for value in values for shape in _shapes(value))
    return ()
