"""Training `alexnet_towers` under `torchrun`: two processes, one for each column, and a run folder like any other.

Both see the whole batch; nothing is averaged, since every weight has one owner. What is recorded is the whole
network, so that the finished run is evaluated and exported like one that was trained on one device.
"""

import torch
import torch.distributed as dist
from torch import Generator, Tensor, nn

from econet.errors import UserError
from econet.models.architecture import Architecture
from econet.models.exchange import Link
from econet.models.network import Network
from econet.models.towers import COLUMNS, check_columns, column_of, draw_by_column, join
from econet.runs.records import MachineChoices
from econet.statistics.streams import stream_seed
from econet.training import parallel
from econet.training.optimizers import LARGEST_GRADIENT_NORM
from econet.training.parallel import Sharing

FAMILY = "alexnet_towers"
_PREFIXES = ("a.", "b.")


def is_towers(model: str) -> bool:
    """Whether a model of the catalog is trained column by column."""
    return model.partition(":")[0] == FAMILY


def sharing_for(model: str, optimizer: str, device: torch.device) -> Sharing:
    """How the processes share the training of `model`."""
    if not is_towers(model):
        return Sharing(device)
    if parallel.processes() == 1:
        return BothColumns(device)
    return OneColumn(device, clips=optimizer != "sgd-2012")


def check_towers(architecture: Architecture, optimizer: str) -> None:
    """Raises UserError where the processes at hand cannot train this network column by column."""
    check_columns(architecture)
    count = parallel.processes()
    if count not in (1, COLUMNS):
        raise UserError(
            f"{count} processes cannot train {FAMILY}",
            "it has two columns, and each process takes one",
            f"torchrun --nproc-per-node {COLUMNS} -m econet train ...",
        )
    if count == COLUMNS and optimizer == "muon":
        raise UserError(
            f"muon cannot train {FAMILY} in two processes",
            "it makes a whole matrix orthogonal, and each process holds half of one",
            "--optimizer sgd-2012",
        )


def check_resumed(model: str, choices: MachineChoices) -> None:
    """Raises UserError where a run in columns is to go on in another number of processes than it began with."""
    if is_towers(model) and choices.processes != parallel.processes():
        raise UserError(
            f"this {FAMILY} was begun in {choices.processes} process{'es' * (choices.processes > 1)}",
            f"its checkpoint is laid out so, and {parallel.processes()} cannot go on with it",
            f"torchrun --nproc-per-node {choices.processes} -m econet train --resume ...",
        )


class BothColumns(Sharing):
    """Both columns in one process: the whole network, its dropout drawn as two processes would."""

    def __init__(self, device: torch.device) -> None:
        super().__init__(device)
        self._generators = (Generator(device), Generator(device))

    def prepared(self, network: nn.Module) -> nn.Module:
        """The whole network."""
        draw_by_column(network, self._generators)
        return network

    def seed_dropout(self, seed: int, step: int) -> None:
        """Seed each column's generator as its own process would."""
        for column, generator in enumerate(self._generators):
            generator.manual_seed(stream_seed(seed, "dropout", step, column))


class OneColumn(Sharing):
    """One column in each of two processes; column a alone knows the loss."""

    def __init__(self, device: torch.device, *, clips: bool) -> None:
        super().__init__(device)
        self.link, self._clips = Link(parallel.rank()), clips

    def prepared(self, network: nn.Module) -> nn.Module:
        """This process's column, with its share of the whole network's weights."""
        if not isinstance(network, Network):
            raise TypeError(f"{type(network).__name__} is not built from an architecture")
        return column_of(network, self.link)

    def mine(self, indices: Tensor) -> Tensor:
        """All of the batch."""
        return indices

    def totals(self, loss: Tensor, right: Tensor) -> Tensor:
        """Column a's loss and right answers [2], float64."""
        own = torch.stack([loss.double(), right.double()])
        return parallel.summed(own if self.link.column == 0 else torch.zeros_like(own))

    def finish_gradients(self, network: nn.Module) -> None:
        """Shorten the gradient of both columns together where it is too long; the optimizer sees its part only."""
        if not self._clips:
            return
        gradients = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
        squares = torch.stack([gradient.double().square().sum() for gradient in gradients])
        norm = parallel.summed(squares.sum()).sqrt()
        shortened = (LARGEST_GRADIENT_NORM / (norm + 1e-6)).clamp(max=1.0)
        for gradient in gradients:
            gradient.mul_(shortened.to(gradient.dtype))

    def agreed(self, figures: list[float]) -> list[float]:
        """Column a's figures, in both processes."""
        known = torch.tensor(figures, dtype=torch.float64, device=self.device)
        dist.broadcast(known, 0)
        return known.tolist()

    def gathered(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """Both columns' tensors side by side, in column a's process; elsewhere its own."""
        both = zip(_PREFIXES, self._both(tensors), strict=True)
        return {prefix + name: value for prefix, column in both for name, value in column.items()}

    def own(self, written: dict[str, Tensor]) -> dict[str, Tensor]:
        """This column's tensors."""
        prefix = _PREFIXES[self.link.column]
        return {name.removeprefix(prefix): value for name, value in written.items() if name.startswith(prefix)}

    def whole_weights(self, network: nn.Module) -> dict[str, Tensor]:
        """Both columns' tensors as one network's, in column a's process; elsewhere nothing."""
        first, second = self._both(network.state_dict())
        return join(first, second) if self.link.column == 0 else {}

    def _both(self, tensors: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Columns a's and b's tensors in column a's process; in b's its own alone. Their names are the same."""
        names = sorted(tensors)
        rows = torch.tensor([len(tensors[name]) if tensors[name].ndim else 1 for name in names], device=self.device)
        dist.broadcast(rows, 1)
        if self.link.column == 1:
            for name in names:
                if tensors[name].numel():
                    dist.send(tensors[name].contiguous(), 0)
            return {}, tensors
        other: dict[str, Tensor] = {}
        for name, count in zip(names, rows.tolist(), strict=True):
            own = tensors[name]
            other[name] = own.new_empty((count, *own.shape[1:]) if own.ndim else ())
            if other[name].numel():
                dist.recv(other[name], 1)
        return tensors, other
