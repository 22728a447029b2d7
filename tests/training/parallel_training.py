"""One process of `torchrun`: trains econet, then writes the weights it holds itself.

Arguments: data, folder, and the step at which the second process gets SIGTERM (0: none).
"""

import signal
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

from econet.data.augmentation import Augmenter
from econet.data.load import load_data
from econet.jobs.options import TrainOptions
from econet.jobs.train import train
from econet.models import catalog
from econet.training import parallel
from econet.training.interruption import Interrupted
from econet.training.progress import Silent


class Stopped(Silent):
    def __init__(self, last: int) -> None:
        self.last = last

    def advance(self, step: int, loss: float, images_per_s: float) -> None:
        if step == self.last and parallel.rank() == 1:
            signal.raise_signal(signal.SIGTERM)


def main(data: Path, folder: Path, last: int) -> None:
    dataset = load_data("fashion-mnist", data_dir=data, validation=0.15)
    torch.manual_seed(0)
    # In float64, so that rounding leaves thirteen digits and any other difference shows: in float32 the gradients of
    # the biases before a batch norm are all cancellation.
    network = catalog.build("econet", input_shape=(1, 28, 28), width=0.25).double()
    single = Augmenter._normalised
    Augmenter._normalised = lambda self, pixels: single(self, pixels).double()
    options = TrainOptions(epochs=2, batch_size=30, optimizer="sgd", lr=0.002, deterministic=True, threads=1)
    train(folder / "run", dataset, options, Stopped(last), module=network, resume=True)
    weights = {name: value.contiguous() for name, value in network.state_dict().items()}
    save_file(weights, folder / f"process-{parallel.rank()}.safetensors")


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
    except Interrupted as stopped:
        print(f"process {parallel.rank()} stopped by {stopped.number}", flush=True)
        sys.exit(128 + stopped.number)
