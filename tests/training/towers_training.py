"""One process of `torchrun`, or the only one: learns with `alexnet_towers` and writes down what it holds itself.

Arguments: data, its folder, where to write, cases, the optimizers of a run each, and the step at which the
second process gets SIGTERM (0: none). Each case is three updates on a few images; what one process writes for the
whole network, two write for a column each.
"""

import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from msgspec.structs import replace as changed
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

from econet.data.augmentation import Augmenter
from econet.data.dataset import Dataset, Images
from econet.data.load import load_data
from econet.data.store import mean_image
from econet.jobs.options import TrainOptions
from econet.jobs.train import resolved, train
from econet.models import catalog
from econet.training import parallel
from econet.training.interruption import Interrupted
from econet.training.optimizers import Optimizers
from econet.training.progress import Silent
from econet.training.towers import OneColumn, sharing_for

CPU = torch.device("cpu")
NARROW = {"width": 0.125}
# Model, side of the images, how many, number type, switches. In float64 rounding leaves thirteen digits; in float32 it
# decides here and there which of two nearly equal pixels a pooling takes, and the gradients part at once.
CASES: dict[str, tuple[str, int, int, torch.dtype, dict[str, Any]]] = {
    "mini": ("alexnet_towers:mini", 32, 6, torch.float64, NARROW),
    "code": ("alexnet_towers:original_code", 64, 4, torch.float32, {"width": 0.05}),
    "apart": ("alexnet_towers:mini", 32, 4, torch.float64, {**NARROW, "communicate": False, "activation": "tanh"}),
    "modern": (
        "alexnet_towers:mini",
        32,
        4,
        torch.float64,
        {**NARROW, "batch_norm": True, "conv6": True, "dense_layers": False},
    ),
    "full": ("alexnet_towers:paper", 224, 2, torch.float32, {}),
}
UPDATES = 3
posted_bytes = 0


class Listener(Silent):
    """Keeps the loss of every step, and stops the second process at one."""

    def __init__(self, last: int) -> None:
        self.last, self.losses = last, []

    def advance(self, step: int, loss: float, images_per_s: float) -> None:
        self.losses.append(loss)
        if step == self.last and parallel.rank() == 1:
            signal.raise_signal(signal.SIGTERM)


def count_posted() -> None:
    """Count what is handed to torch.distributed to be sent, whatever the program itself counts."""
    post = dist.batch_isend_irecv

    def counted(operations: list[dist.P2POp]) -> list[dist.Work]:
        global posted_bytes
        posted_bytes += sum(one.tensor.nbytes for one in operations if one.op is dist.isend)
        return post(operations)

    dist.batch_isend_irecv = counted


def shortened(dataset: Dataset) -> Dataset:
    """80 training and 20 validation images."""
    train, validation = dataset.train, dataset.validation
    return replace(
        dataset,
        train=Images(train.pixels[:80], train.labels[:80]),
        validation=Images(validation.pixels[:20], validation.labels[:20]),
    )


def lesson(name: str, dataset: Dataset, folder: Path) -> None:
    """Three updates of one case."""
    model, side, count, number, switches = CASES[name]
    torch.set_default_dtype(number)
    pixels = torch.from_numpy(dataset.train.pixels[:count]).permute(0, 3, 1, 2).to(number)
    images, labels = F.interpolate(pixels, side), torch.from_numpy(dataset.train.labels[:count])
    torch.manual_seed(0)
    network = catalog.build(model, input_shape=(images.shape[1], side, side), **switches)
    whole_mean = torch.from_numpy(mean_image(dataset.train.pixels, dataset.preprocess)).permute(2, 0, 1)[None]
    catalog.set_mean_image(network, F.interpolate(whole_mean, side)[0].permute(1, 2, 0).numpy())
    sharing = sharing_for(model, "sgd-2012", CPU)
    network = sharing.prepared(network)
    options = TrainOptions(model=model, optimizer="sgd-2012", epochs=1)
    optimizers = Optimizers(network, changed(resolved(options, model, count, folder), lr=1e-3))
    found: dict[str, Tensor] = {}
    for update in range(UPDATES):
        sharing.seed_dropout(7, update)
        logits = network.train()(images)
        loss = F.cross_entropy(logits, labels)
        loss.backward()
        if update == 0:
            found["logits"] = logits.detach()
            found |= {f"gradient.{name}": one.grad.contiguous() for name, one in network.named_parameters()}
            if isinstance(sharing, OneColumn):
                found["sent"] = torch.tensor([sharing.link.sent_bytes, posted_bytes])
        sharing.finish_gradients(network)
        optimizers.step(1.0)
        found[f"loss.{update}"] = sharing.totals(loss.detach(), torch.zeros(()))
    with torch.no_grad():
        found["answers"] = network.eval()(images)
    found |= {f"weight.{name}": value.contiguous() for name, value in network.state_dict().items()}
    save_file(found, folder / f"{name}-{parallel.rank()}.safetensors")


def run(dataset: Dataset, folder: Path, optimizer: str, last: int) -> None:
    """Five epochs of ten steps through the trainer itself, in float64; the loss of every step is written down."""
    torch.set_default_dtype(torch.float64)
    single = Augmenter._normalised
    Augmenter._normalised = lambda self, pixels: single(self, pixels).double()
    listener = Listener(last)
    options = TrainOptions(
        model="alexnet_towers:mini",
        switches=NARROW,
        optimizer=optimizer,
        lr=0.001,
        epochs=5,
        batch_size=8,
        deterministic=True,
        threads=1,
    )
    train(folder / optimizer, dataset, options, listener, resume=True)
    save_file({"losses": torch.tensor(listener.losses, dtype=torch.float64)}, folder / f"{optimizer}-{parallel.rank()}")


def main(data: str, place: Path, folder: Path, cases: str, optimizers: str, last: int) -> None:
    global posted_bytes
    dataset = shortened(load_data(data, data_dir=place, validation=0.15))
    torch.set_num_threads(1)
    parallel.join(CPU)
    count_posted()
    for name in cases.split(",") if cases else ():
        posted_bytes = 0
        lesson(name, dataset, folder)
    for optimizer in optimizers.split(",") if optimizers else ():
        run(dataset, folder, optimizer, last)


if __name__ == "__main__":
    try:
        main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4], sys.argv[5], int(sys.argv[6]))
    except Interrupted as stopped:
        print(f"process {parallel.rank()} stopped by {stopped.number}", flush=True)
        sys.exit(128 + stopped.number)
