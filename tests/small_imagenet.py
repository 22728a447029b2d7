"""A folder in the shape of ILSVRC, as a pytest plugin: ten wnids, a few JPEGs each, val/ flat with its ground truth.

The pictures are clothes of Fashion-MNIST, enlarged and tinted by class, so that a network can learn something of them.
"""

import gzip
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import econet
from ilsvrc_shape import DEVKIT, PER_CLASS, TEST_CLASSES, TRUTH

CLOTHES = Path(econet.__file__).parent / "data" / "fashion_mnist"


def clothes(count: int) -> tuple[np.ndarray, np.ndarray]:
    """The first bundled training pictures, uint8 [count, 28, 28], and their labels."""
    with gzip.open(CLOTHES / "train-images-idx3-ubyte.gz") as stream:
        stream.read(16)
        images = np.frombuffer(stream.read(count * 784), np.uint8).reshape(count, 28, 28)
    with gzip.open(CLOTHES / "train-labels-idx1-ubyte.gz") as stream:
        stream.read(8)
        return images, np.frombuffer(stream.read(count), np.uint8)


def write_jpeg(path: Path, image: np.ndarray, label: int) -> None:
    """One picture of 84 to 104 by 80 pixels, its colour by its class."""
    tint = np.array([255, 25 * label, 255 - 25 * label]) / 255
    coloured = Image.fromarray((image[:, :, None] * tint).astype(np.uint8))
    path.parent.mkdir(parents=True, exist_ok=True)
    coloured.resize((80, 84 + 2 * label)).save(path, "JPEG", quality=92)


@pytest.fixture(scope="session")
def small_imagenet(tmp_path_factory) -> Path:
    """The folder; nobody writes into it. `imagenet` in the folder above it, as `--data-dir` finds it."""
    root = tmp_path_factory.mktemp("large") / "imagenet"
    images, labels = clothes(400)
    by_class = [list(images[labels == label]) for label in range(10)]
    for label, wnid in enumerate(DEVKIT):
        for number in range(PER_CLASS):
            write_jpeg(root / "train" / wnid / f"{wnid}_{number}.JPEG", by_class[label].pop(), label)
    for number, label in enumerate(TEST_CLASSES, start=1):
        write_jpeg(root / "val" / f"ILSVRC2012_val_{number:08d}.JPEG", by_class[label].pop(), label)
    truth = "".join(f"{label + 1}\n" for label in TEST_CLASSES)
    (root / TRUTH).write_text(truth)
    (root / "synsets.txt").write_text("".join(f"{wnid} a piece of clothing\n" for wnid in DEVKIT))
    return root
