"""A network as a list of torch operations, each with the line of code and the module it comes from.

`torch.export` runs the network on a sample with every shape concrete. What a line of `forward` computed from shapes and
what somebody typed in are both plain numbers here: `pruning` tells them apart by trying.
"""

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import Node

from econet.errors import UserError

_TORCH = str(Path(torch.__file__).parent)
_FRAME = re.compile(r'File "(?P<file>[^"]+)", line (?P<line>\d+), in \w+\n\s*(?P<code>[^\n]*)')


@dataclass(frozen=True, slots=True)
class Trace:
    """Operations in order; `tensors` gives the name of the parameter or buffer that an input of the graph is."""

    nodes: tuple[Node, ...]
    tensors: Mapping[str, str]
    parameters: frozenset[str]
    images: str


def traced(network: nn.Module, sample: Tensor) -> Trace:
    """The operations of `network` in evaluation mode on `sample` [N, C, H, W].

    Raises UserError where torch cannot follow the network.
    """
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            program = torch.export.export(network.eval(), (sample,)).run_decompositions({})
    except Exception as error:  # torch raises a dozen kinds; each means that this network cannot be followed
        said = str(error).strip().splitlines()
        raise UserError(
            f"{type(network).__name__} cannot be pruned: torch cannot follow its `forward`",
            said[0] if said else type(error).__name__,
            "keep `forward` free of Python branches on values, and let it take one tensor of images",
        ) from error
    signature = program.graph_signature
    tensors = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
    return Trace(
        nodes=tuple(program.graph.nodes),
        tensors=tensors,
        parameters=frozenset(signature.inputs_to_parameters.values()),
        images=str(next(iter(signature.user_inputs))),
    )


def operation(node: Node) -> str:
    """The operation's name without its overload: `aten.conv2d`, `econet.window_sums`, `getitem`."""
    return str(getattr(node.target, "overloadpacket", None) or getattr(node.target, "__name__", node.target))


def shape_of(node: Node) -> tuple[int, ...] | None:
    """The shape of what an operation gives; None where it gives several tensors."""
    value: Any = node.meta.get("val")
    return tuple(int(side) for side in value.shape) if isinstance(value, Tensor) else None


def module_of(node: Node) -> str:
    """The name of the innermost module an operation ran in; empty for the network itself."""
    stack: Mapping[str, tuple[str, Any]] = node.meta.get("nn_module_stack") or {}
    return list(stack.values())[-1][0] if stack else ""


def place_of(node: Node) -> str:
    """Where an operation comes from, in words: the user's own line and file, and the module."""
    line = own_line(str(node.meta.get("stack_trace") or ""))
    module = module_of(node)
    parts = ([line] if line else []) + ([f"module `{module}`"] if module else [])
    return ", ".join(parts) or f"`{operation(node)}`"


def own_line(stack_trace: str, *passed_over: str) -> str:
    """The innermost line of a stack trace outside torch and outside the files `passed_over`.

    Given as "`code` (file line n)"; empty without one. Of a traced operation torch keeps lines of `forward` alone.
    """
    foreign = (_TORCH, "<", *passed_over)
    frames = [frame for frame in _FRAME.finditer(stack_trace) if not frame["file"].startswith(foreign)]
    if not frames:
        return ""
    last = frames[-1]
    return f"`{last['code'].strip()}` ({Path(last['file']).name} line {last['line']})"
