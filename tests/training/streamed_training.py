"""One process of `torchrun`: trains a small network on photographs left on disk, as if memory could not hold them.

Arguments: the photographs' folder, where to write.
"""

import sys
from pathlib import Path

from econet.data import load
from econet.data.stream import StreamedPixels
from econet.jobs.options import TrainOptions
from econet.jobs.train import train
from econet.training import parallel
from econet.training.progress import Silent


def main(photos: Path, folder: Path) -> None:
    load.fits_memory = lambda *size: False
    data = load.load_data(str(photos), image_size=28, crop_from=32)
    taken: list[int] = []
    single = StreamedPixels.batches

    def counted(self, wanted):
        if len(wanted) == 5:  # the five batches of a pass over the training pictures
            taken.extend(len(positions) for positions in wanted)
        return single(self, wanted)

    StreamedPixels.batches = counted
    options = TrainOptions(
        model="alexnet:mini",
        width=0.25,
        switches={"dropout": False},
        epochs=2,
        batch_size=6,
        optimizer="sgd",
        lr=0.002,
        deterministic=True,
        threads=1,
    )
    train(folder / "run", data, options, Silent(), resume=True)
    print(f"process {parallel.rank()} decoded {taken}", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
