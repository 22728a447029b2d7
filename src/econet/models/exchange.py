"""What one column tells the other: a tensor goes over while its sender computes on, and its gradient comes back.

Each column is a process of torch.distributed (gloo between CPUs, nccl between GPUs) and its number there is the
column's. Source: Krizhevsky et al. 2012, section 3.2, where two graphics cards write into each other's memory.
"""

from typing import Any, cast

import torch
import torch.distributed as dist
from torch import Tensor


class Link:
    """A column's end of the line to the other one. `sent_bytes` counts all that it put on the line."""

    def __init__(self, column: int) -> None:
        self.column, self.other = column, 1 - column
        self.sent_bytes = 0

    def start(self, sends: Tensor | None, receives: Tensor | None) -> list[dist.Work]:
        """Begin to send one contiguous tensor, to fill another, or both; neither may be touched before it is done."""
        if sends is not None:
            self.sent_bytes += sends.numel() * sends.element_size()
        return self.post(sends, receives)

    def post(self, sends: Tensor | None, receives: Tensor | None) -> list[dist.Work]:
        """Hand both directions to torch.distributed at once, so that neither column waits for the other to begin."""
        operations: list[dist.P2POp] = []
        if sends is not None:
            operations.append(dist.P2POp(dist.isend, sends, self.other))
        if receives is not None:
            operations.append(dist.P2POp(dist.irecv, receives, self.other))
        return dist.batch_isend_irecv(operations)


class Passage:
    """One tensor's way to the other column and its gradient's way back, each beside the computation in between.

    `begin(own)` sends `own` off and gives the place of the other column's tensor, `end(place)` waits for it to arrive;
    what stands between needs `own` alone. Autograd takes last what was run first: `end` sends the gradient of what
    arrived back, the gradients of what stands between follow, and `begin` then waits for the gradient of `own`. The
    order is the engine's; without it results are the same, but nothing overlaps.
    With `sends` or `receives` off the passage is one-way; a column that receives nothing gets an empty place.
    """

    def __init__(self, link: Link, *, sends: bool = True, receives: bool = True) -> None:
        self._link, self._sends, self._receives = link, sends, receives
        self._works: list[dist.Work] = []
        self._sent: Tensor | None = None  # kept from being freed while it is on its way
        self._back: Tensor | None = None
        self._shape = torch.Size()

    def begin(self, own: Tensor) -> Tensor:
        """Send `own` off; both columns' tensors have the same shape. The result is not to be read before `end`."""
        return cast("Tensor", _Begin.apply(own, self))

    def end(self, place: Tensor) -> Tensor:
        """What the other column sent, once it is all here."""
        return cast("Tensor", _End.apply(place, self))

    def depart(self, own: Tensor) -> Tensor:
        """Forward, first half: the transfers begin; gives the place to be filled."""
        self._shape = own.shape
        self._sent = own.contiguous() if self._sends else None
        place = own.new_empty(own.shape if self._receives else 0)
        self._works = self._link.start(self._sent, place if self._receives else None)
        return place

    def turn_back(self, gradient: Tensor) -> None:
        """Backward, first half: the gradient of what was received goes to its owner, that of `own` is awaited."""
        self._sent = gradient.contiguous() if self._receives else None
        self._back = gradient.new_empty(self._shape) if self._sends else None
        self._works = self._link.start(self._sent, self._back)

    def arrive(self) -> None:
        """Wait for the transfers under way."""
        for work in self._works:
            work.wait()
        self._works, self._sent = [], None

    def returned(self) -> Tensor | None:
        """Backward, second half: the gradient of `own` from the other column; None where nothing was sent."""
        self.arrive()
        back, self._back = self._back, None
        return back


class _Begin(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, own: Tensor, passage: Passage) -> Tensor:
        ctx.passage = passage
        return passage.depart(own)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor | None, None]:
        return cast("Passage", ctx.passage).returned(), None


class _End(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, place: Tensor, passage: Passage) -> Tensor:
        ctx.passage = passage
        passage.arrive()
        ctx.mark_dirty(place)
        return place

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor, None]:
        cast("Passage", ctx.passage).turn_back(gradients[0])
        return gradients[0], None
