"""Pictures without their labels: what is learned from them is how far each was turned."""

from dataclasses import replace

import numpy as np

from econet.data.dataset import Dataset, Images

# The answers of the pretext task, by quarter turns counter-clockwise.
TURNS = ("upright", "turned by 90 degrees", "turned by 180 degrees", "turned by 270 degrees")


def without_labels(dataset: Dataset) -> Dataset:
    """The same pictures, split the same way, every label forgotten; the classes are those of the pretext task."""

    def forgotten(images: Images) -> Images:
        return replace(images, labels=np.zeros(len(images), np.int64))

    return replace(
        dataset,
        train=forgotten(dataset.train),
        validation=forgotten(dataset.validation),
        test=forgotten(dataset.test),
        classes=TURNS,
        unlabelled=True,
    )
